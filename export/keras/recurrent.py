"""Keras' recurrent layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgernn.export.keras.activations import activation
from edgernn.export.keras.call import Call, Tensor
from edgernn.export.keras.config import LayerConfig
from edgernn.export.keras.keras_class import KerasClass, Variables, arrays, arrays_and_bias
from edgernn.export.keras.masks import passing_sequences
from edgernn.export.keras.symbolic import Spread
from edgernn.graph import (
    SIGMOID,
    TANH,
    Activation,
    Affine,
    FloatArray,
    Gru,
    Lstm,
    Recurrent,
    Reshape,
    Reverse,
    SimpleRnn,
    Transpose,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellKind:
    """The parts of a layer that runs one cell over time."""

    gates: int
    states: int
    variables: Variables
    cell: str | None  # the class of its cell, for RNN(cell)


_TWO_MATRICES: Final = arrays_and_bias("kernel", "recurrent_kernel")
_CUDNN_ARRAYS: Final = arrays("kernel", "recurrent_kernel", "bias")

#: By class.  Only these keep their arrays in a group called `cell` inside a .keras file.
CELL_KINDS: Final[dict[str, CellKind]] = {
    "GRU": CellKind(gates=3, states=1, variables=_TWO_MATRICES, cell="GRUCell"),
    "LSTM": CellKind(gates=4, states=2, variables=_TWO_MATRICES, cell="LSTMCell"),
    "SimpleRNN": CellKind(gates=1, states=1, variables=_TWO_MATRICES, cell="SimpleRNNCell"),
    "CuDNNGRU": CellKind(gates=3, states=1, variables=_CUDNN_ARRAYS, cell=None),
    "CuDNNLSTM": CellKind(gates=4, states=2, variables=_CUDNN_ARRAYS, cell=None),
}
#: Class of a cell -> class of the layer that runs it.
CELLS: Final = {kind.cell: name for name, kind in CELL_KINDS.items() if kind.cell is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """One cell to run over time: its options, and those of the layer that runs it."""

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


def cell_call(call: Call) -> list[str]:
    """A cell, or a stack of them, called as a layer (`cell(x, states)`): one step of a sequence."""
    layer = call.layer
    cells = list(layer.children.values()) if layer.kind == "StackedRNNCells" else [layer]
    given: Any = call.kwargs.get("states")
    if given is None and call.extra:
        given = call.extra[0]
    found = [*flattened(given), *(tensor.edge for tensor in call.inputs[1:])]
    kinds = [CELLS[cell.kind] for cell in cells]
    count = sum(CELL_KINDS[kind].states for kind in kinds)
    if len(found) != count or not call.inputs:
        raise layer.unsupported(
            f"is called with {len(found)} states and has {count}", "Pass one for each state"
        )
    states = with_zeros(call, found)
    edge = call.inputs[0].edge
    final: list[str] = []
    for position, (kind, cell) in enumerate(zip(kinds, cells, strict=True)):
        features = call.builder.shape(edge)[-1]
        if call.builder.rank(edge) != 2 or features is None:
            raise layer.damaged("is called on a tensor that is no row of features")
        step = call.aside("step")
        call.add(Reshape(name=step, input=edge, output=step, target=(1, features)))
        name = call.name if position == len(cells) - 1 else call.aside(cell.name)
        taken = CELL_KINDS[kind].states
        initial, states = states[:taken], states[taken:]
        unit = _graph_layer(call, _Unit(
            kind=kind, cell=cell, name=name, input=step, mask=None, initial=initial,
            return_sequences=False, go_backwards=False, zero_output_for_mask=False,
            stateful=False,
        ))  # fmt: skip
        call.add(unit)
        edge = unit.output
        final += unit.writes[1:]
    return [edge, *final]


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
    states = _initial_states(call, sum(CELL_KINDS[kind].states for kind, _ in cells))
    if states and layer.flag("stateful") and call.keras.major < 3:
        raise layer.unsupported(
            "is stateful and is given an initial state, which Keras 2 takes in the first call only",
            "Make it stateful=False, and pass its states from call to call yourself",
        )
    returns_sequences = layer.flag("return_sequences")
    final_states: list[str] = []
    for position, (kind, cell) in enumerate(cells):
        last = position == len(cells) - 1
        name = call.name if last and not time_major else call.aside(cell.name)
        count = CELL_KINDS[kind].states
        initial, states = states[:count], states[count:]
        unit = _graph_layer(call, _Unit(
            kind=kind, cell=cell, name=name, input=edge, mask=mask, initial=initial,
            return_sequences=returns_sequences if last else True,
            # The cells after the first get the steps already in the order of processing.
            go_backwards=layer.flag("go_backwards") and position == 0,
            zero_output_for_mask=layer.flag("zero_output_for_mask"),
            stateful=layer.flag("stateful"),
        ))  # fmt: skip
        call.add(unit)
        edge = unit.output
        final_states += unit.writes[1:]
        if mask is not None and unit.go_backwards and not last:
            mask = reversed_in_time(call, mask)
    if time_major and returns_sequences:
        edge = _time_swapped(call, edge, call.name)
    return [edge, *final_states] if layer.flag("return_state") else [edge]


def _time_swapped(call: Call, edge: str, name: str) -> str:
    call.add(Transpose(name=name, input=edge, output=name, permutation=(1, 0, 2)))
    return name


def reversed_in_time(call: Call, edge: str) -> str:
    name = call.aside("reversed")
    call.add(Reverse(name=name, input=edge, output=name))
    return name


def _initial_states(call: Call, count: int) -> list[str]:
    """Edges of the initial states, or none: Keras 2 lists them after the input, Keras 3 by name."""
    given: Any = call.kwargs.get("initial_state")
    if given is None and call.extra:
        given = call.extra[0]
    states = [*flattened(given), *(tensor.edge for tensor in call.inputs[1:])]
    if states and len(states) != count:
        raise call.layer.unsupported(
            f"is called with {len(states)} initial states or constants and has {count} states",
            "Pass one initial state for each state, and no constants",
        )
    return with_zeros(call, states)


def with_zeros(call: Call, states: Sequence[str | None]) -> list[str]:
    """The edges of the states; none where all are zeros, which is how a layer begins by itself.

    Raises UnsupportedLayer for zeros of another width than the states beside them.
    """
    given = [state for state in states if state is not None]
    if not given:
        return []
    if len({call.builder.shape(state) for state in given}) > 1 and len(given) < len(states):
        raise call.layer.unsupported(
            "is given zeros beside states of several widths", "Pass all states as inputs"
        )
    return [state if state is not None else _zeros_like(call, given[0]) for state in states]


def _zeros_like(call: Call, edge: str) -> str:
    name, nothing = call.aside("zeros"), np.zeros(1, np.float32)
    call.add(Affine(name=name, input=edge, output=name, scale=nothing, offset=nothing))
    return name


def flattened(value: Any) -> list[str | None]:
    """The edges of tensors in lists of lists; None for each that is zeros."""
    match value:
        case Tensor():
            return [value.edge]
        case Spread(mask=None, everywhere=False):
            return [None]
        case np.ndarray() if not value.any():
            return [None]
        case list() | tuple():
            return [edge for item in value for edge in flattened(item)]
        case _:
            return []


def _graph_layer(call: Call, unit: _Unit) -> Recurrent:
    cell = unit.cell
    units = cell.size("units")
    width = units * CELL_KINDS[unit.kind].gates
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


RECURRENT: Final[dict[str, KerasClass]] = {
    **{
        name: KerasClass(
            emit=recurrent, variables=kind.variables, mask=passing_sequences, is_recurrent=True
        )
        for name, kind in CELL_KINDS.items()
    },
    **{cell: KerasClass(emit=cell_call) for cell in (*CELLS, "StackedRNNCells")},
    "RNN": KerasClass(emit=rnn, mask=passing_sequences, is_recurrent=True),
}
