"""GRU, LSTM and RNN of ATen: one ONNX operator for each layer.

PyTorch orders the gates of a GRU r, z, n and those of an LSTM i, f, g, o; ONNX orders them z, r, h
and i, o, f, c.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from edgernn.export.onnx_file.values import Array
from edgernn.export.torch_file.program import Call, Ref
from edgernn.export.torch_file.spelling import Spelling

_ORDER: Final = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2), "RNN": (0,)}
KINDS: Final = {
    "gru": ("GRU", None), "lstm": ("LSTM", None),
    "rnn_tanh": ("RNN", "Tanh"), "rnn_relu": ("RNN", "Relu"),
}  # fmt: skip


def recurrent(spelling: Spelling, call: Call) -> None:
    """All layers and both directions of torch.nn.GRU, LSTM and RNN."""
    if "batch_sizes" in call.arguments or "data" in call.arguments:
        raise call.unsupported(
            "takes packed sequences", "Export the model without pack_padded_sequence and lengths"
        )
    if call.get("train"):
        raise call.unsupported("is in training mode", "Call model.eval() before the export")
    kind, function = KINDS[call.kind]
    count = 2 if call.get("bidirectional") else 1
    layers = int(call.get("num_layers", 1))
    each = 4 if call.get("has_biases") else 2
    params = list(call.get("params", ()))
    if len(params) != each * count * layers:
        raise call.unsupported(
            "projects its state (proj_size)", "Use an LSTM without proj_size, and a Linear after it"
        )
    x: Ref = call.arguments["input"]
    if spelling.rank(x) != 3:
        raise call.unsupported(
            "reads a sequence without a batch", "Give it [batch, time, features]"
        )
    first = bool(call.get("batch_first"))
    sequence = spelling.emit(call, "Transpose", [x.name], perm=[1, 0, 2]) if first else x.name
    states = call.get("hx")
    given: list[Ref] = list(states) if isinstance(states, list) else [states]
    last_states: list[list[str]] = [[] for _ in given]
    for layer in range(layers):
        rows = [params[(layer * count + d) * each :][:each] for d in range(count)]
        initial = [_part(spelling, call, one, layer, layers, count) for one in given]
        sequence, final = one_layer(
            spelling, call, kind, sequence, [_arrays(spelling, call, row) for row in rows], initial,
            direction="bidirectional" if count == 2 else "forward", function=function,
        )  # fmt: skip
        for kept, state in zip(last_states, final, strict=True):
            kept.append(state)
    output, *state_outputs = call.outputs
    if first:
        spelling.emit(call, "Transpose", [sequence], output, perm=[1, 0, 2])
    else:
        spelling.emit(call, "Identity", [sequence], output)
    for name, parts in zip(state_outputs, last_states, strict=True):
        joined = "Identity" if len(parts) == 1 else "Concat"
        spelling.emit(call, joined, parts, name, axis=0 if len(parts) > 1 else None)


def _part(spelling: Spelling, call: Call, state: Ref, layer: int, layers: int, count: int) -> str:
    if layers == 1:
        return state.name
    bounds = [spelling.constant([at], np.int64) for at in (layer * count, (layer + 1) * count, 0)]
    return spelling.emit(call, "Slice", [state.name, *bounds])


def _arrays(spelling: Spelling, call: Call, values: Sequence[Any]) -> list[Array | None]:
    arrays: list[Array | None] = [spelling.array(call, value, "weights") for value in values]
    return arrays + [None] * (4 - len(arrays))


def one_layer(
    spelling: Spelling, call: Call, kind: str, sequence: str,
    rows: Sequence[Sequence[Array | None]], initial: Sequence[str], *, direction: str,
    function: str | None = None,
) -> tuple[str, list[str]]:  # fmt: skip
    """([T, B, D * H], states [D, B, H]) of `sequence` [T, B, F].

    rows: for each direction w_ih, w_hh, b_ih and b_hh, the last two None without biases.
    """
    order = _ORDER[kind]

    def stacked(at: int) -> Array:
        arrays = [row[at] for row in rows]
        width = np.asarray(rows[0][1]).shape[0]
        blank = np.zeros(width, np.float32)
        return np.stack([_ordered(blank if a is None else a, order) for a in arrays])

    biases = np.concatenate([stacked(2), stacked(3)], axis=1)
    inputs = [
        sequence, spelling.constant(stacked(0)), spelling.constant(stacked(1)),
        spelling.constant(biases), "", *initial,
    ]  # fmt: skip
    hidden = np.asarray(rows[0][1]).shape[1]
    names = [spelling.fresh() for _ in range(3 if kind == "LSTM" else 2)]
    spelling.emit(
        call, kind, inputs, outputs=names, hidden_size=hidden, direction=direction,
        linear_before_reset=1 if kind == "GRU" else None,
        activations=[function] * len(rows) if function else None,
    )  # fmt: skip
    if len(rows) == 1:
        axis = spelling.constant([1], np.int64)
        return spelling.emit(call, "Squeeze", [names[0], axis]), names[1:]
    beside = spelling.emit(call, "Transpose", [names[0]], perm=[0, 2, 1, 3])
    target = spelling.constant([0, 0, len(rows) * hidden], np.int64)
    return spelling.emit(call, "Reshape", [beside, target]), names[1:]


def _ordered(rows: Array, order: Sequence[int]) -> Array:
    gates = np.split(rows, len(order))
    return np.concatenate([gates[at] for at in order]).astype(np.float32)
