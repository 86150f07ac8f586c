"""Keras' recurrent layers, and the wrappers around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgernn.export.keras.activations import activation
from edgernn.export.keras.call import UNREADABLE_MASK, Call, Tensor
from edgernn.export.keras.config import LayerConfig
from edgernn.export.keras.layers import Emit
from edgernn.graph import (
    SIGMOID,
    TANH,
    Activation,
    ApplyMask,
    Concatenate,
    FloatArray,
    FoldTime,
    Gru,
    Lstm,
    Merge,
    MergeKind,
    Recurrent,
    Reverse,
    SimpleRnn,
    Transpose,
    UnfoldTime,
)

_STATES: Final = {"GRU": 1, "CuDNNGRU": 1, "SimpleRNN": 1, "LSTM": 2, "CuDNNLSTM": 2}
CELLS: Final = {"GRUCell": "GRU", "LSTMCell": "LSTM", "SimpleRNNCell": "SimpleRNN"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """One cell to run over time: its own options, and how the layer around it runs it."""

    kind: str  # "GRU", "LSTM", "SimpleRNN", "CuDNNGRU", "CuDNNLSTM"
    cell: LayerConfig  # holds units, activations and weights
    name: str
    input: str
    mask: str | None
    initial: Sequence[str]
    return_sequences: bool
    go_backwards: bool
    zero_output_for_mask: bool
    stateful: bool


def recurrent(call: Call) -> list[str]:
    """GRU, LSTM, SimpleRNN (and the CuDNN layers of old files): one cell over time."""
    return _run(call, [(call.layer.kind, call.layer)])


def rnn(call: Call) -> list[str]:
    """RNN(cell) and RNN([cells]): each cell becomes a layer of its own."""
    cell = call.layer.children["cell"]
    cells = list(cell.children.values()) if cell.kind == "StackedRNNCells" else [cell]
    if not cells:
        raise call.layer.damaged("has no cells")
    return _run(call, [(CELLS[inner.kind], inner) for inner in cells])


def _run(call: Call, cells: list[tuple[str, LayerConfig]]) -> list[str]:
    layer = call.layer
    if not call.inputs:
        raise layer.damaged("is called on nothing")
    edge, mask = call.inputs[0].edge, call.mask
    time_major = layer.flag("time_major")
    if time_major:
        if mask is not None:
            raise layer.unsupported("is time_major and masked", "Use batch-major tensors")
        edge = _time_swapped(call, edge, call.aside("batch_major"))
    states = _initial_states(call, sum(_STATES[kind] for kind, _ in cells))
    if states and layer.flag("stateful") and call.keras.major < 3:
        raise layer.unsupported(
            "is stateful and is given an initial state, which Keras 2 takes in the first call only",
            "Make it stateful=False, and hand its states on from call to call yourself",
        )
    returns_sequences = layer.flag("return_sequences")
    final_states: list[str] = []
    for position, (kind, cell) in enumerate(cells):
        last = position == len(cells) - 1
        name = call.name if last and not time_major else call.aside(cell.name)
        initial, states = states[: _STATES[kind]], states[_STATES[kind] :]
        unit = _graph_layer(call, _Unit(
            kind=kind, cell=cell, name=name, input=edge, mask=mask, initial=initial,
            return_sequences=returns_sequences if last else True,
            # The cells after the first meet the steps in the order of processing already.
            go_backwards=layer.flag("go_backwards") and position == 0,
            zero_output_for_mask=layer.flag("zero_output_for_mask"),
            stateful=layer.flag("stateful"),
        ))  # fmt: skip
        call.add(unit)
        edge = unit.output
        final_states += unit.writes[1:]
        if mask is not None and unit.go_backwards and not last:
            mask = _reversed(call, mask)
    if time_major and returns_sequences:
        edge = _time_swapped(call, edge, call.name)
    return [edge, *final_states] if layer.flag("return_state") else [edge]


def _time_swapped(call: Call, edge: str, name: str) -> str:
    call.add(Transpose(name=name, input=edge, output=name, permutation=(1, 0, 2)))
    return name


def _reversed(call: Call, edge: str) -> str:
    name = call.aside("reversed")
    call.add(Reverse(name=name, input=edge, output=name))
    return name


def _initial_states(call: Call, count: int) -> list[str]:
    """Edges of the initial states, or none: Keras 2 lists them after the input, Keras 3 by name."""
    given: Any = call.kwargs.get("initial_state")
    if given is None and call.extra:
        given = call.extra[0]
    states = list(_flattened(given)) + [tensor.edge for tensor in call.inputs[1:]]
    if states and len(states) != count:
        raise call.layer.unsupported(
            f"is called with {len(states)} initial states or constants and has {count} states",
            "Pass one initial state for each state, and no constants",
        )
    return states


def _flattened(value: Any) -> list[str]:
    match value:
        case Tensor():
            return [value.edge]
        case list() | tuple():
            return [edge for item in value for edge in _flattened(item)]
        case _:
            return []


def _graph_layer(call: Call, unit: _Unit) -> Recurrent:
    cell = unit.cell
    units = cell.size("units")
    width = units * {"GRU": 3, "CuDNNGRU": 3, "LSTM": 4, "CuDNNLSTM": 4, "SimpleRNN": 1}[unit.kind]
    features = call.builder.shape(unit.input)[-1]
    shared: dict[str, Any] = {
        "name": unit.name, "input": unit.input, "output": unit.name,
        "state_h": call.builder.unique(f"{unit.name}/state_h"), "mask": unit.mask,
        "initial_h": unit.initial[0] if unit.initial else None,
        "kernel": _kernel(call, unit, "kernel", (features, width)),
        "recurrent_kernel": _kernel(call, unit, "recurrent_kernel", (units, width)),
        "activation": _activation(call, cell, "activation"),
        "return_sequences": unit.return_sequences, "go_backwards": unit.go_backwards,
        "zero_output_for_mask": unit.zero_output_for_mask, "stateful": unit.stateful,
    }  # fmt: skip
    match unit.kind:
        case "SimpleRNN":
            return SimpleRnn(**shared, bias=call.optional_weight("bias", (units,), cell))
        case "GRU" | "CuDNNGRU":
            reset_after = unit.kind == "CuDNNGRU" or cell.flag(
                "reset_after", default=call.keras.gru_resets_after
            )
            bias, recurrent_bias = _gru_biases(call, unit, reset_after)
            return Gru(
                **shared, bias=bias, recurrent_bias=recurrent_bias, reset_after=reset_after,
                recurrent_activation=_activation(call, cell, "recurrent_activation"),
            )  # fmt: skip
        case _:
            return Lstm(
                **shared, bias=_lstm_bias(call, unit),
                state_c=call.builder.unique(f"{unit.name}/state_c"),
                initial_c=unit.initial[1] if unit.initial else None,
                recurrent_activation=_activation(call, cell, "recurrent_activation"),
            )  # fmt: skip


def _kernel(call: Call, unit: _Unit, name: str, shape: tuple[int | None, int]) -> FloatArray:
    stored = call.weight(name, shape, unit.cell)
    if not unit.kind.startswith("CuDNN"):
        return stored
    units = unit.cell.size("units")
    gates = np.split(stored, shape[1] // units, axis=1)
    # cuDNN keeps each gate's matrix transposed, in the memory of the untransposed shape.
    return call.derive(name, lambda: np.hstack([gate.reshape(units, -1).T for gate in gates]))


def _activation(call: Call, cell: LayerConfig, option: str) -> Activation:
    if cell.kind.startswith("CuDNN"):
        return TANH if option == "activation" else SIGMOID
    default = "tanh" if option == "activation" else call.keras.recurrent_activation
    return activation(cell, call.keras, option, default=default)


def _gru_biases(
    call: Call, unit: _Unit, reset_after: bool
) -> tuple[FloatArray | None, FloatArray | None]:
    """(input side, recurrent side)."""
    width = 3 * unit.cell.size("units")
    if unit.kind == "CuDNNGRU":
        both = call.weight("bias", (2 * width,), unit.cell).reshape(2, width)
        return both[0], both[1]
    if not reset_after:
        return call.optional_weight("bias", (width,), unit.cell), None
    stored = call.optional_weight("bias", (2, width), unit.cell)
    return (None, None) if stored is None else (stored[0], stored[1])


def _lstm_bias(call: Call, unit: _Unit) -> FloatArray | None:
    width = 4 * unit.cell.size("units")
    if unit.kind == "LSTM":
        return call.optional_weight("bias", (width,), unit.cell)
    # cuDNN keeps an input and a recurrent bias, which are only ever added.
    both = call.weight("bias", (2 * width,), unit.cell).reshape(2, width)
    return call.derive("bias", lambda: both[0] + both[1])


def bidirectional(call: Call) -> list[str]:
    layer = call.layer
    forward, backward = layer.children["forward_layer"], layer.children["backward_layer"]
    for inner in (forward, backward):
        if inner.kind not in RECURRENT or inner.kind == "Bidirectional":
            raise layer.unsupported(f"wraps a {inner.kind}", "Wrap a GRU, LSTM or SimpleRNN")
    returns_sequences = forward.flag("return_sequences")
    zeros = returns_sequences and call.keras.bidirectional_zeros_masked_steps
    if not call.inputs:
        raise layer.damaged("is called on nothing")
    given: Any = call.kwargs.get("initial_state")
    if given is None and call.extra:
        given = call.extra[0]
    states = [Tensor(edge=edge) for edge in _flattened(given)] + list(call.inputs[1:])
    half = len(states) // 2
    sequence = Tensor(edge=call.inputs[0].edge, mask=call.mask)
    ahead = call.inner(
        forward.with_option("zero_output_for_mask", zeros),
        [sequence, *states[:half]],
        call.aside("forward"),
    )
    zeroing = call.mask if zeros and backward.flag("unroll") else None
    back = call.inner(
        backward.with_option("zero_output_for_mask", zeros and zeroing is None),
        [sequence, *states[half:]],
        call.aside("backward"),
    )
    y, y_back = ahead[0].edge, back[0].edge
    if zeroing is not None:
        # NOTE: Keras' unrolled loop gives outputs in the order of processing, from the last step to
        # the first, and sets them to zero by the mask in the order of time (keras 3.15,
        # backend/tensorflow/rnn.py; tf_keras 2.21, backend.py).  The model was trained so.
        name = call.aside("zeroed")
        call.add(ApplyMask(name=name, input=y_back, mask=zeroing, output=name))
        y_back = name
    if returns_sequences:
        y_back = _reversed(call, y_back)
    final = [tensor.edge for tensor in (*ahead[1:], *back[1:])]
    return [*_both_ways(call, y, y_back), *final]


def _both_ways(call: Call, forward: str, backward: str) -> list[str]:
    kinds = {"sum": MergeKind.ADD, "mul": MergeKind.MULTIPLY, "ave": MergeKind.AVERAGE}
    pair = (forward, backward)
    match call.layer.options.get("merge_mode", "concat"):
        case None:
            return [*pair]
        case "concat":
            call.add(Concatenate(name=call.name, inputs=pair, output=call.name, axis=-1))
        case str(mode) if mode in kinds:
            call.add(Merge(name=call.name, inputs=pair, output=call.name, kind=kinds[mode]))
        case mode:
            raise call.layer.damaged(f"has the merge mode {mode!r}")
    return [call.name]


#: Layers that treat every step alike without being told.
_STEPWISE: Final = frozenset({
    "Dense", "Dropout", "GaussianDropout", "GaussianNoise", "AlphaDropout",
    "ActivityRegularization", "ReLU", "LeakyReLU", "ELU",
})  # fmt: skip


def time_distributed(call: Call) -> list[str]:
    inner = call.layer.children["layer"]
    sequence = call.inputs[0] if call.inputs else None
    if sequence is None or call.rank < 3:
        raise call.layer.damaged("is called on a tensor without a time axis")
    mask = None if sequence.mask is None else UNREADABLE_MASK
    if inner.kind in _STEPWISE:
        return [_single(call, call.inner(inner, [Tensor(edge=call.edge)], call.name))]
    folded = call.aside("fold")
    call.add(FoldTime(name=folded, input=call.edge, output=folded))
    results = call.inner(inner, [Tensor(edge=folded, mask=mask)], call.aside(inner.name))
    call.add(UnfoldTime(
        name=call.name, input=_single(call, results), like=call.edge, output=call.name
    ))  # fmt: skip
    return [call.name]


def _single(call: Call, results: list[Tensor]) -> str:
    if len(results) != 1:
        raise call.layer.unsupported(
            f"wraps a layer with {len(results)} results", "Wrap a layer that returns one tensor"
        )
    return results[0].edge


RECURRENT: Final[dict[str, Emit]] = {
    "GRU": recurrent,
    "LSTM": recurrent,
    "SimpleRNN": recurrent,
    "CuDNNGRU": recurrent,
    "CuDNNLSTM": recurrent,
    "RNN": rnn,
    "Bidirectional": bidirectional,
    "TimeDistributed": time_distributed,
}
