"""GRU, LSTM and simple RNN over whole sequences, by the rules of keras.backend.rnn.

The input's projection is computed for all steps at once; the loop over time computes only values
that depend on the state.  Values inside a cell that are no edges are passed to an observer under
the names in `GRU_TAPS`, `LSTM_TAPS` and `RNN_TAPS`: calibration needs their ranges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_never

from edgernn.graph import (
    AnyArray,
    FloatArray,
    Gru,
    Lstm,
    Recurrent,
    SimpleRnn,
    Weight,
    as_float32,
)
from edgernn.reference.activation import activate

BoolArray: TypeAlias = npt.NDArray[np.bool_]

#: Called once a step with [rows, H] arrays by tap name; rows whose step is masked are left out.
Observe: TypeAlias = Callable[[Mapping[str, FloatArray]], None]

#: x.* is the input's projection with its bias, h.* the recurrent one with its own, pre.* the
#: argument of an activation, z r i f o the gates, n the candidate, step = h' - h or c' - c.
#: reset is r * h.h with reset_after, else r * h (then h.h = reset U_h); lost is (1 - f) * c; fed is
#: the h that the step starts from.
GRU_TAPS: Final = (
    *("x.z", "x.r", "x.h", "h.z", "h.r", "h.h", "pre.z", "pre.r", "pre.h"),
    *("z", "r", "reset", "n", "n_minus_h", "step", "h", "fed"),
)
LSTM_TAPS: Final = (
    *("x.i", "x.f", "x.c", "x.o", "h.i", "h.f", "h.c", "h.o"),
    *("pre.i", "pre.f", "pre.c", "pre.o", "i", "f", "n", "o", "i_n", "lost", "step", "c"),
    *("tanh_c", "h", "fed"),
)
RNN_TAPS: Final = ("x.h", "h.h", "pre.h", "h", "fed")


#: What the products of a step read of a state [B, H]: the state itself, or what a runtime rounds.
Read: TypeAlias = Callable[[FloatArray], FloatArray]


class Unrolled(NamedTuple):
    """The results of a recurrent layer: its output and its final states (h; h and c)."""

    output: AnyArray  # [B, T, H] in order of processing, or [B, H]
    states: tuple[AnyArray, ...]  # each [B, H]


#: (projected input of the step, states, observed) -> (new states, quantities for the observer)
Step: TypeAlias = Callable[
    [AnyArray, Sequence[AnyArray], bool], tuple[tuple[AnyArray, ...], dict[str, AnyArray]]
]


def recurrent(
    layer: Recurrent,
    x: FloatArray,  # [B, T, F]
    *,
    mask: BoolArray | None = None,  # [B, T]
    initial: Sequence[FloatArray | None] = (),  # h; h and c: [B, H]
    observe: Observe | None = None,
) -> Unrolled:
    """Runs the layer over x.  Absent initial states are zeros."""
    zeros = np.zeros((x.shape[0], layer.units), np.float32)
    given = [*initial, *[None] * (state_count(layer) - len(initial))]
    return unroll(
        layer,
        step_function(layer),
        _project(x, layer.kernel, layer.bias),
        [zeros if state is None else state for state in given],
        mask=mask,
        observe=observe,
    )


def unroll(
    layer: Recurrent,
    step: Step,
    projected: AnyArray,  # [T, B, gates * H]
    states: Sequence[AnyArray],  # each [B, H]
    *,
    mask: BoolArray | None,  # [B, T]
    observe: Observe | None = None,
) -> Unrolled:
    """Loops over time by the layer's rules, for any `step` in any arithmetic."""
    steps, batch, _ = projected.shape
    zeros = np.zeros_like(states[0])
    output, states = zeros, tuple(states)
    outputs = np.zeros((batch, steps if layer.return_sequences else 0, layer.units), zeros.dtype)
    order = range(steps - 1, -1, -1) if layer.go_backwards else range(steps)
    for position, time in enumerate(order):
        new_states, taps = step(projected[time], states, observe is not None)
        if mask is None:
            states, output = new_states, new_states[0]
        else:
            valid = mask[:, time, None]
            skipped = zeros if layer.zero_output_for_mask else output
            output = np.where(valid, new_states[0], skipped)
            states = tuple(
                np.where(valid, new, old) for new, old in zip(new_states, states, strict=True)
            )
        if observe is not None:
            rows = slice(None) if mask is None else mask[:, time]
            observe({name: value[rows] for name, value in taps.items()})
        if layer.return_sequences:
            outputs[:, position] = output
    return Unrolled(outputs if layer.return_sequences else output, states)


def tap_names(layer: Recurrent) -> tuple[str, ...]:
    """The names of all values that an observer of this layer can receive."""
    match layer:
        case Gru():
            return GRU_TAPS
        case Lstm():
            return LSTM_TAPS
        case SimpleRnn():
            return RNN_TAPS
        case _:
            assert_never(layer)


def state_count(layer: Recurrent) -> int:
    """h; h and c."""
    return 2 if isinstance(layer, Lstm) else 1


def _project(x: FloatArray, kernel: Weight, bias: Weight | None) -> FloatArray:
    """x W + b with time first, [T, B, gates * H]: each step of the loop reads one block."""
    batch, steps, features = x.shape
    time_major = np.ascontiguousarray(x.transpose(1, 0, 2)).reshape(steps * batch, features)
    projected = time_major @ as_float32(kernel)
    if bias is not None:
        projected += as_float32(bias)
    return projected.reshape(steps, batch, kernel.shape[1])


def _itself(state: FloatArray) -> FloatArray:
    return state


def step_function(layer: Recurrent, read: Read = _itself) -> Step:
    """One step of the layer in float.

    read: what its matrix products see of a state (of r * h too, without reset_after).
    """
    match layer:
        case Gru():
            return _gru_step(layer, read)
        case Lstm():
            return _lstm_step(layer, read)
        case SimpleRnn():
            return _rnn_step(layer, read)
        case _:
            assert_never(layer)


def _gru_step(layer: Gru, read: Read) -> Step:
    units = layer.units
    kernel = as_float32(layer.recurrent_kernel)
    gates_kernel = np.ascontiguousarray(kernel[:, : 2 * units])
    candidate_kernel = np.ascontiguousarray(kernel[:, 2 * units :])
    bias: FloatArray = np.zeros(3 * units, np.float32)
    if layer.recurrent_bias is not None:
        bias = as_float32(layer.recurrent_bias)

    def step(
        x: FloatArray, states: Sequence[FloatArray], observed: bool
    ) -> tuple[tuple[FloatArray, ...], dict[str, FloatArray]]:
        (h,) = states
        h_read = read(h)
        recurrent_gates = h_read @ gates_kernel + bias[: 2 * units]
        pre_gates = x[:, : 2 * units] + recurrent_gates
        # One by one: a softmax is over all units of one gate.
        z, r = (activate(layer.recurrent_activation, pre) for pre in np.split(pre_gates, 2, axis=1))
        if layer.reset_after:
            recurrent_h = h_read @ candidate_kernel + bias[2 * units :]
            reset: FloatArray = r * recurrent_h
            pre_h = x[:, 2 * units :] + reset
        else:
            reset = r * h
            recurrent_h = read(reset) @ candidate_kernel
            pre_h = x[:, 2 * units :] + recurrent_h
        n = activate(layer.activation, pre_h)
        new_h = z * h + (np.float32(1) - z) * n
        taps: dict[str, FloatArray] = {}
        if observed:
            taps = {
                **{f"x.{name}": part for name, part in _parts(x, "zrh").items()},
                **{f"h.{name}": part for name, part in _parts(recurrent_gates, "zr").items()},
                **{f"pre.{name}": part for name, part in _parts(pre_gates, "zr").items()},
                "h.h": recurrent_h,
                "pre.h": pre_h,
                "z": z,
                "r": r,
                "reset": reset,
                "n": n,
                "n_minus_h": n - h,
                "step": new_h - h,
                "h": new_h,
                "fed": h,
            }
        return (new_h,), taps

    return step


def _lstm_step(layer: Lstm, read: Read) -> Step:
    kernel = as_float32(layer.recurrent_kernel)

    def step(
        x: FloatArray, states: Sequence[FloatArray], observed: bool
    ) -> tuple[tuple[FloatArray, ...], dict[str, FloatArray]]:
        h, c = states
        recurrent_part = read(h) @ kernel
        pre = _parts(x + recurrent_part, "ifco")
        i, f, o = (activate(layer.recurrent_activation, pre[name]) for name in "ifo")
        n = activate(layer.activation, pre["c"])
        new_c = f * c + i * n
        tanh_c = activate(layer.activation, new_c)
        new_h = o * tanh_c
        taps: dict[str, FloatArray] = {}
        if observed:
            taps = {
                **{f"x.{name}": part for name, part in _parts(x, "ifco").items()},
                **{f"h.{name}": part for name, part in _parts(recurrent_part, "ifco").items()},
                **{f"pre.{name}": part for name, part in pre.items()},
                "i": i,
                "f": f,
                "n": n,
                "o": o,
                "i_n": i * n,
                "lost": (np.float32(1) - f) * c,
                "step": new_c - c,
                "c": new_c,
                "tanh_c": tanh_c,
                "h": new_h,
                "fed": h,
            }
        return (new_h, new_c), taps

    return step


def _rnn_step(layer: SimpleRnn, read: Read) -> Step:
    kernel = as_float32(layer.recurrent_kernel)

    def step(
        x: FloatArray, states: Sequence[FloatArray], _observed: bool
    ) -> tuple[tuple[FloatArray, ...], dict[str, FloatArray]]:
        (h,) = states
        recurrent_part = read(h) @ kernel
        pre = x + recurrent_part
        new_h = activate(layer.activation, pre)
        taps = {"x.h": x, "h.h": recurrent_part, "pre.h": pre, "h": new_h, "fed": h}
        return (new_h,), taps

    return step


def _parts(joined: FloatArray, gates: str) -> dict[str, FloatArray]:
    """[B, gates * H] cut into one [B, H] for each gate, by name."""
    return dict(zip(gates, np.split(joined, len(gates), axis=1), strict=True))
