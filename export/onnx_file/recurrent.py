"""ONNX's GRU, LSTM and RNN: one layer of ours for each direction.

X is [T, B, F], W [D, gates * H, F], R [D, gates * H, H], B [D, 2 * gates * H]; Y is [T, D, B, H],
Y_h and Y_c are [D, B, H].  ONNX orders the gates of an LSTM i, o, f, c, ours are i, f, c, o; those
of a GRU are z, r, h in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgernn.export.onnx_file.builder import Builder
from edgernn.export.onnx_file.layout import BatchElsewhere, taken
from edgernn.export.onnx_file.node import EXPORT_AGAIN, Node
from edgernn.export.onnx_file.values import (
    Array,
    Atom,
    Axes,
    Fill,
    Tensor,
    Value,
    axis_of,
    bare,
    is_batch,
)
from edgernn.graph import (
    RELU,
    SIGMOID,
    TANH,
    Activation,
    Concatenate,
    FloatArray,
    Gru,
    Lstm,
    Recurrent,
    Reverse,
    SimpleRnn,
)

GATES: Final = {"GRU": 3, "LSTM": 4, "RNN": 1}
_LSTM_ORDER: Final = (0, 2, 3, 1)  # i, o, f, c -> i, f, c, o
_FUNCTIONS: Final = {"Sigmoid": SIGMOID, "Tanh": TANH, "Relu": RELU}
_DEFAULTS: Final = {
    "GRU": ["Sigmoid", "Tanh"],
    "LSTM": ["Sigmoid", "Tanh", "Tanh"],
    "RNN": ["Tanh"],
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Weights:
    """All directions, as the file has them."""

    w: Array
    r: Array
    b: Array | None


def recurrent(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """Y, Y_h and for an LSTM Y_c."""
    _refuse_options(node, values)
    x = values[0]
    if not isinstance(x, Tensor) or len(x.view) != 3:
        raise node.unsupported("reads no sequence", "Feed it from an input of the model")
    if not is_batch(x.view[1]):
        other = bare(x.view[1]) or x.view[1]
        if other:
            raise BatchElsewhere(other[0])
        raise node.unsupported(
            "runs over the rows of the batch", "Give the batch an axis of its own"
        )
    edge = builder.arranged(x, (x.view[1], x.view[0], x.view[2]), node)
    weights = _weights(node, values)
    direction = str(node.attribute("direction", "forward"))
    if direction not in ("forward", "reverse", "bidirectional"):
        raise node.damaged(f"has the direction '{direction}'")
    count = 2 if direction == "bidirectional" else 1
    if len(weights.w) != count:
        raise node.damaged(f"has weights of {len(weights.w)} directions and runs {direction}")
    sequences, hidden, cells = [], [], []
    for position in range(count):
        backwards = direction == "reverse" or position == 1
        suffix = "/backward" if count == 2 and backwards else "/forward" if count == 2 else ""
        name = builder.unique(node.role + suffix)
        initial = [_initial(builder, node, values, at, position) for at in (5, 6)]
        layer = _layer(builder, node, weights, position, name, edge, initial, backwards)
        builder.add(layer, node)
        hidden.append(layer.state_h)
        if isinstance(layer, Lstm):
            cells.append(layer.state_c)
        sequences.append(layer)
    units = layer.units
    batch, time = x.view[1], x.view[0]
    results: list[Value] = []
    for output, what in zip(node.outputs, ("", "/state_h", "/state_c"), strict=False):
        leading = (batch,) if what else (batch, time)
        edges = {"": [], "/state_h": hidden, "/state_c": cells}[what]
        if output and not what:
            edges = [_in_time(builder, node, layer) for layer in sequences]
        results.append(
            _stacked(builder, node, edges, units, what, leading) if output else Fill(value=0.0)
        )
    return results


def _in_time(builder: Builder, node: Node, layer: Recurrent) -> str:
    """ONNX gives the reverse direction in the order of time; our layer in that of processing."""
    if not layer.go_backwards:
        return layer.output
    name = builder.unique(f"{layer.name}/in_time")
    return builder.add(Reverse(name=name, input=layer.output, output=name), node)


def _stacked(
    builder: Builder, node: Node, edges: list[str], units: int, what: str, leading: Axes
) -> Tensor:
    """Directions side by side in the features, seen as [(T,) D, B, H]."""
    edge, directions = edges[0], axis_of(len(edges))
    if len(edges) > 1:
        name = builder.unique(f"{node.role}{what}" if what else f"{node.role}/both")
        edge = builder.add(
            Concatenate(name=name, inputs=tuple(edges), output=name, axis=len(leading)), node
        )
    features = (Atom(units),)
    batch, *time = leading
    return Tensor(
        edge=edge,
        axes=(*leading, (*directions, *features)),
        view=(*time, directions, batch, features),
    )


def _weights(node: Node, values: list[Value | None]) -> _Weights:
    w, r = (_array(node, value) for value in values[1:3])
    b = _array(node, values[3]) if len(values) > 3 and values[3] is not None else None
    gates = GATES[node.kind]
    if w.ndim != 3 or r.ndim != 3:
        raise node.damaged(f"has weights of shapes {w.shape} and {r.shape}")
    count, width, units = r.shape
    fits = width == gates * units and w.shape[:2] == (count, width)
    if not fits or (b is not None and b.shape != (count, 2 * width)):
        raise node.damaged(f"has weights of shapes {w.shape} and {r.shape} that do not fit")
    if node.integer("hidden_size", units) != units:
        raise node.damaged(f"says hidden_size {node.attribute('hidden_size')} and has {units}")
    return _Weights(w=w, r=r, b=b)


def _array(node: Node, value: Value | None) -> Array:
    if not isinstance(value, np.ndarray):
        raise node.unsupported(
            "has weights that the model computes", f"Make them parameters. {EXPORT_AGAIN}"
        )
    return value


def _refuse_options(node: Node, values: list[Value | None]) -> None:
    if node.has("clip"):
        raise node.unsupported("clips its cell (clip)", "Leave out clip and train without it")
    if node.integer("input_forget", 0):
        raise node.unsupported(
            "couples its gates (input_forget)", "Use an LSTM with all four gates"
        )
    if node.integer("layout", 0):
        raise node.unsupported("has the batch first (layout=1)", "Export it with layout=0")
    if len(values) > 7 and values[7] is not None:
        raise node.unsupported("has peepholes", "Use an LSTM without peepholes (P)")
    if len(values) > 4 and values[4] is not None:
        raise node.unsupported(
            "takes the length of each sequence (sequence_lens)",
            "Export the model without pack_padded_sequence and lengths",
        )
    if node.has("activation_alpha") or node.has("activation_beta"):
        raise node.unsupported(
            "has activations with parameters", "Use sigmoid, tanh or relu inside the cell"
        )
    if node.kind == "GRU" and node.torch and not node.integer("linear_before_reset", 0):
        raise node.unsupported(
            "says linear_before_reset=0, which no GRU of PyTorch computes: onnxscript before 0.7.1 "
            "wrote it by mistake, and the file gives wrong results in every runtime",
            "Install onnxscript 0.7.1 or newer and export the model again",
        )


def _functions(node: Node, position: int) -> list[Activation]:
    defaults = _DEFAULTS[node.kind]
    names = node.attribute("activations") or defaults * 2
    chosen = [str(name) for name in names][position * len(defaults) :][: len(defaults)]
    unknown = [name for name in chosen if name not in _FUNCTIONS]
    if len(chosen) != len(defaults) or unknown or (chosen[1:2] != chosen[2:3] and len(chosen) == 3):
        raise node.unsupported(
            f"has the activations {', '.join(chosen)}",
            "Use sigmoid, tanh or relu inside the cell, the same for both ends of an LSTM",
        )
    return [_FUNCTIONS[name] for name in chosen]


def _initial(
    builder: Builder, node: Node, values: list[Value | None], at: int, direction: int
) -> str | None:
    """The edge [B, H] of a given first state; None for zeros, however they are spelled."""
    value = values[at] if len(values) > at else None
    match value:
        case None:
            return None
        case Fill(value=0.0):
            return None
        case np.ndarray() if not value.any():
            return None
        case Tensor() if len(value.view) == 3:
            if not is_batch(value.view[1]):
                other = bare(value.view[1]) or value.view[1]
                if other:
                    raise BatchElsewhere(other[0])
            one = taken(builder, value, 0, direction, direction + 1, node, squeeze=True)
            return builder.arranged(one, (one.view[0], one.view[1]), node)
        case _:
            raise node.unsupported(
                "begins with a state that is neither zeros nor an input of the model",
                "Give the first state as an argument of forward, or begin with zeros",
            )


def _layer(
    builder: Builder, node: Node, weights: _Weights, direction: int, name: str, edge: str,
    initial: list[str | None], backwards: bool,
) -> Recurrent:  # fmt: skip
    kernel, recurrent_kernel = weights.w[direction], weights.r[direction]
    units = recurrent_kernel.shape[1]
    width = GATES[node.kind] * units
    both = weights.b[direction] if weights.b is not None else np.zeros(2 * width, np.float32)
    bias, recurrent_bias = both[:width], both[width:]
    functions = _functions(node, direction)
    shared: dict[str, Any] = {
        "name": name, "input": edge, "output": name, "state_h": builder.unique(f"{name}/state_h"),
        "initial_h": initial[0], "return_sequences": True, "go_backwards": backwards,
        "activation": functions[-1],
    }  # fmt: skip
    match node.kind:
        case "RNN":
            return SimpleRnn(
                **shared, kernel=_turned(kernel), recurrent_kernel=_turned(recurrent_kernel),
                bias=_float(bias + recurrent_bias),
            )  # fmt: skip
        case "GRU":
            after = bool(node.integer("linear_before_reset", 0))
            return Gru(
                **shared, kernel=_turned(kernel), recurrent_kernel=_turned(recurrent_kernel),
                bias=_float(bias) if after else _float(bias + recurrent_bias),
                recurrent_bias=_float(recurrent_bias) if after else None,
                reset_after=after, recurrent_activation=functions[0],
            )  # fmt: skip
        case _:
            return Lstm(
                **shared, kernel=_turned(_reordered(kernel)),
                recurrent_kernel=_turned(_reordered(recurrent_kernel)),
                bias=_float(_reordered(bias + recurrent_bias)),
                state_c=builder.unique(f"{name}/state_c"), initial_c=initial[1],
                recurrent_activation=functions[0],
            )  # fmt: skip


def _reordered(rows: Array) -> Array:
    gates = np.split(rows, 4)
    return np.concatenate([gates[at] for at in _LSTM_ORDER])


def _turned(rows: Array) -> FloatArray:
    return np.ascontiguousarray(rows.T, np.float32)


def _float(array: Array) -> FloatArray:
    return np.ascontiguousarray(array, np.float32)
