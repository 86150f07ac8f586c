"""The operators that run a whole sequence: GRU, LSTM and RNN, and ONNX Runtime's int8 LSTM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from typing_extensions import assert_never

from edgernn.export.onnx.builder import ABSENT, MICROSOFT, Attribute, Value
from edgernn.export.onnx.cell import Call, Results, biases_of, gate_order, in_order, state_edges
from edgernn.export.onnx.edges import Edges, int64
from edgernn.export.onnx.integer_product import integer_weights, is_safe_signed
from edgernn.export.onnx.recurrent_activations import operator_functions
from edgernn.export.onnx.weights import joined
from edgernn.graph import (
    AnyArray,
    Gru,
    Lstm,
    QTensor,
    Recurrent,
    SimpleRnn,
    as_float32,
)

_INTEGER_LSTM: Final = "DynamicQuantizeLSTM"

_DEFAULTS: Final = (["Tanh"], ["Sigmoid", "Tanh"], ["Sigmoid", "Tanh", "Tanh"])

_FIRST: Final = int64([0])

#: An Lstm's kernel and recurrent kernel.
Matrices: TypeAlias = tuple[QTensor, QTensor]


def float_operator(
    layers: Sequence[Recurrent], calls: Sequence[Call], edges: Edges
) -> list[Results]:
    """The operator of one layer, or of two that are the halves of a bidirectional one.

    Weights may be stored smaller; they are float32 when it runs.
    """
    return _run_operator(_operator(layers[0]), _weights(layers, edges), (), layers, calls, edges)


def integer_lstm(
    layers: Sequence[Lstm], matrices: Sequence[Matrices], calls: Sequence[Call], edges: Edges
) -> list[Results]:
    """ONNX Runtime's own LSTM of int8 weights, which lie as in Keras: [directions, K, 4H]."""
    order = gate_order(layers[0])

    def columns(arrays: Sequence[AnyArray]) -> AnyArray:
        return np.stack([in_order(array, order) for array in arrays])

    signed = all(is_safe_signed(matrix) for pair in matrices for matrix in pair)  # all of one type
    w, r = (
        integer_weights(edges.builder, stored, columns, key=f"lstm {signed}", signed=signed)
        for stored in zip(*matrices, strict=True)
    )
    more = (ABSENT, w.scale, w.zero_points, r.scale, r.zero_points)  # no peepholes
    weights = (w.values, r.values, _bias(layers, edges))
    return _run_operator(_INTEGER_LSTM, weights, more, layers, calls, edges)


def _run_operator(
    kind: str,
    weights: Sequence[Value],
    more: Sequence[Value],
    layers: Sequence[Recurrent],
    calls: Sequence[Call],
    edges: Edges,
) -> list[Results]:
    """One of the operators that take x, W, R, B, lengths and initial states, in this order.

    The calls of two halves differ in what is wanted and in their initial states.
    """
    layer, call = layers[0], calls[0]
    # The outputs of one step are its final state: [1, B, H] either way.
    is_single = edges.spec(layer.input).shape[1] == 1
    initial = [_stacked(states, edges) for states in zip(*(c.initial for c in calls), strict=True)]
    wants_outputs = any(c.wants_sequence for c in calls)
    wants_h = any(c.wants_states[0] for c in calls)
    is_cut = call.lengths != ABSENT and not is_single
    wants_sequence = (wants_outputs or (wants_h and is_cut)) and not is_single
    # OpenCV 5.0 returns the final state in place of a GRU's outputs where nobody names the state.
    wants_h = (wants_h and not is_cut) or (
        (wants_outputs and is_single) or (wants_sequence and isinstance(layer, Gru))
    )
    if edges.pairs is not None:
        initial = [
            edges.pairs.around(value, edges.pairs.grid(edge))
            for value, edge in zip(initial, state_edges(layer), strict=True)
        ]
        wants_sequence = wants_h = True  # otherwise the NPU computes in floats
    states = len(call.wants_states)
    sequence, *finals = edges.builder.ops(
        kind,
        call.x,
        *weights,
        ABSENT if edges.options.is_portable else call.lengths,
        *initial,
        *more,
        outputs=(
            wants_sequence,
            wants_h,
            *(any(c.wants_states[i] for c in calls) for i in range(1, states)),
        ),
        name=layer.name,
        domain=MICROSOFT if kind == _INTEGER_LSTM else "",
        attributes=_attributes(layers, calls),
    )
    if edges.pairs is not None:
        sequence = edges.pairs.around(sequence, edges.pairs.grid(layer.state_h))
        finals = [
            edges.pairs.around(value, edges.pairs.grid(edge))
            for value, edge in zip(finals, state_edges(layer), strict=True)
        ]
    results = []
    for half, wanted in enumerate(calls):
        own = _half(sequence, 1, half, len(calls), edges)
        h, *others = (
            _half(final, 0, half, len(calls), edges) if wants else ABSENT
            for final, wants in zip(finals, wanted.wants_states, strict=True)
        )
        if wanted.wants_states[0] and is_cut:
            h = _last_step(own, call.last, edges)
        if wanted.wants_sequence and is_single:
            own = finals[0] if len(calls) == 1 else _half(finals[0], 0, half, 2, edges, keep=True)
        results.append(
            Results(sequence=own if wanted.wants_sequence else ABSENT, states=(h, *others))
        )
    return results


def _stacked(states: Sequence[Value], edges: Edges) -> Value:
    """The states [B, H] of each direction as one [directions, B, H]; absent if they are."""
    if ABSENT in states:
        return ABSENT
    widened = [edges.builder.op("Unsqueeze", state, axes=_FIRST) for state in states]
    return widened[0] if len(widened) == 1 else edges.builder.op("Concat", *widened, axis=0)


def _half(
    value: Value, axis: int, half: int, count: int, edges: Edges, *, keep: bool = False
) -> Value:
    """One direction of a result; the axis of directions goes, unless it is to be kept."""
    if value == ABSENT:
        return ABSENT
    if count == 1:
        return edges.builder.op("Squeeze", value, axes=int64([axis]))
    index = int64([half]) if keep else int64([half])[0]
    return edges.builder.op("Gather", value, edges.builder.constant(index), axis=axis)


def _last_step(sequence: Value, last: Value, edges: Edges) -> Value:
    """h [B, H] out of [T, B, H] after each row's last step."""
    batch_first = edges.builder.op("Transpose", sequence, perm=[1, 0, 2])
    return edges.builder.op("GatherND", batch_first, last, batch_dims=1)


def _operator(layer: Recurrent) -> str:
    match layer:
        case Gru():
            return "GRU"
        case Lstm():
            return "LSTM"
        case SimpleRnn():
            return "RNN"
        case _:
            assert_never(layer)


def _weights(layers: Sequence[Recurrent], edges: Edges) -> tuple[Value, Value, Value]:
    """W [directions, gates * H, F], R [.., gates * H, H], B [.., 2 * gates * H] or absent."""
    layer = layers[0]
    order = gate_order(layer)

    def rows(kernel: AnyArray) -> AnyArray:
        return in_order(kernel, order).T[None]

    def all_rows(kernels: Sequence[AnyArray]) -> AnyArray:
        return np.concatenate([rows(kernel) for kernel in kernels])

    if edges.pairs is not None:
        kernel, scale = edges.pairs.matrix(layer, layer.kernel, rows)
        recurrent_kernel, _ = edges.pairs.matrix(layer, layer.recurrent_kernel, rows)
        bias = _side_by_side(layer, [as_float32(part) for part in biases_of(layer)])
        return kernel, recurrent_kernel, edges.pairs.bias(bias, layer.input, scale)
    kernels = [each.kernel for each in layers]
    recurrent_kernels = [each.recurrent_kernel for each in layers]
    return (
        joined(edges.builder, kernels, all_rows, key=layer.GATES),
        joined(edges.builder, recurrent_kernels, all_rows, key=layer.GATES),
        _bias(layers, edges),
    )


def _bias(layers: Sequence[Recurrent], edges: Edges) -> Value:
    sides = len(biases_of(layers[0]))
    if not sides:
        return ABSENT

    def arrange(parts: Sequence[AnyArray]) -> AnyArray:
        starts = range(0, len(parts), sides)
        halves = [_side_by_side(layers[0], parts[start : start + sides]) for start in starts]
        return np.concatenate([half for half in halves if half is not None])

    biases = [bias for layer in layers for bias in biases_of(layer)]
    return joined(edges.builder, biases, arrange, key=layers[0].GATES)


def _side_by_side(layer: Recurrent, biases: Sequence[AnyArray]) -> AnyArray | None:
    """[1, 2 * gates * H]: the input's side, then the recurrent one; None if there is no bias."""
    order = gate_order(layer)
    if not biases:
        return None
    return np.concatenate([in_order(bias, order) for bias in biases])[None]


def _attributes(layers: Sequence[Recurrent], calls: Sequence[Call]) -> dict[str, Attribute]:
    layer = layers[0]
    attributes: dict[str, Attribute] = {"hidden_size": layer.units}
    if len(layers) == 2:
        attributes["direction"] = "bidirectional"
    elif calls[0].backward:
        attributes["direction"] = "reverse"
    if isinstance(layer, Gru) and layer.reset_after:
        attributes["linear_before_reset"] = 1
    functions = operator_functions(layer)
    if functions is None:
        raise AssertionError(f"layer '{layer.name}' has an activation that only a Scan can run")
    names = [function.name for function in functions]
    if names not in _DEFAULTS:
        attributes["activations"] = names * len(layers)
        # One entry for each function that takes one, none for the others.
        alphas = [function.alpha for function in functions if function.alpha is not None]
        betas = [function.beta for function in functions if function.beta is not None]
        alphas, betas = alphas * len(layers), betas * len(layers)
        if alphas:
            attributes["activation_alpha"] = alphas
        if betas:
            attributes["activation_beta"] = betas
    return attributes
