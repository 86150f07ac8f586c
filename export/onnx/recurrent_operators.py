"""The operators that run a whole sequence: GRU, LSTM and RNN, and ONNX Runtime's int8 LSTM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from typing_extensions import assert_never

from edgernn.export.onnx.builder import ABSENT, MICROSOFT, Attribute, Value
from edgernn.export.onnx.cell import Call, Results, biases_of, gate_order, in_order, state_edges
from edgernn.export.onnx.edges import Edges, int64
from edgernn.export.onnx.integer_product import integer_weight, is_safe_signed
from edgernn.export.onnx.recurrent_activations import operator_functions
from edgernn.export.onnx.weights import joined, weight
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
_SECOND: Final = int64([1])


def float_operator(layer: Recurrent, call: Call, edges: Edges) -> Results:
    """The layer's operator; weights may be stored in fewer bits, and are float32 when it runs."""
    return _run_operator(_operator(layer), _weights(layer, edges), (), layer, call, edges)


def integer_lstm(
    layer: Lstm, kernel: QTensor, recurrent_kernel: QTensor, call: Call, edges: Edges
) -> Results:
    """ONNX Runtime's LSTM with int8 weights, in Keras' layout: [1, K, 4H]."""
    order = gate_order(layer)

    def columns(array: AnyArray) -> AnyArray:
        return in_order(array, order)[None]

    signed = is_safe_signed(kernel) and is_safe_signed(recurrent_kernel)  # both of one type
    w, r = (
        integer_weight(edges.builder, stored, columns, key=f"lstm {signed}", signed=signed)
        for stored in (kernel, recurrent_kernel)
    )
    more = (ABSENT, w.scale, w.zero_points, r.scale, r.zero_points)  # no peepholes
    weights = (w.values, r.values, _bias(layer, edges))
    return _run_operator(_INTEGER_LSTM, weights, more, layer, call, edges)


def _run_operator(
    kind: str,
    weights: Sequence[Value],
    more: Sequence[Value],
    layer: Recurrent,
    call: Call,
    edges: Edges,
) -> Results:
    """One of the operators that take x, W, R, B, lengths and initial states, in this order."""
    op = edges.builder.op
    # The outputs of one step are its final state: [1, B, H] either way.
    is_single = edges.spec(layer.input).shape[1] == 1
    initial = [s if s == ABSENT else op("Unsqueeze", s, axes=_FIRST) for s in call.initial]
    wants_h = call.wants_states[0] or (call.wants_sequence and is_single)
    wants_sequence = call.wants_sequence and not is_single
    if edges.pairs is not None:
        initial = [
            edges.pairs.around(value, edges.pairs.grid(edge))
            for value, edge in zip(initial, state_edges(layer), strict=True)
        ]
        wants_sequence = wants_h = True  # otherwise the NPU computes in floats
    sequence, *finals = edges.builder.ops(
        kind,
        call.x,
        *weights,
        call.lengths,
        *initial,
        *more,
        outputs=(wants_sequence, wants_h, *call.wants_states[1:]),
        name=layer.name,
        domain=MICROSOFT if kind == _INTEGER_LSTM else "",
        attributes=_attributes(layer, backward=call.backward),
    )
    if edges.pairs is not None:
        sequence = edges.pairs.around(sequence, edges.pairs.grid(layer.state_h))
        finals = [
            edges.pairs.around(value, edges.pairs.grid(edge))
            for value, edge in zip(finals, state_edges(layer), strict=True)
        ]
    if call.wants_sequence:
        sequence = finals[0] if is_single else op("Squeeze", sequence, axes=_SECOND)
    states = [
        op("Squeeze", final, axes=_FIRST) if wanted else ABSENT
        for final, wanted in zip(finals, call.wants_states, strict=True)
    ]
    return Results(sequence=sequence, states=tuple(states))


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


def _weights(layer: Recurrent, edges: Edges) -> tuple[Value, Value, Value]:
    """W [1, gates * H, F], R [1, gates * H, H], B [1, 2 * gates * H] or absent."""
    order = gate_order(layer)

    def rows(kernel: AnyArray) -> AnyArray:
        return in_order(kernel, order).T[None]

    if edges.pairs is not None:
        kernel, scale = edges.pairs.matrix(layer.kernel, rows)
        recurrent_kernel, _ = edges.pairs.matrix(layer.recurrent_kernel, rows)
        bias = _side_by_side(layer, [as_float32(part) for part in biases_of(layer)])
        return kernel, recurrent_kernel, edges.pairs.bias(bias, layer.input, scale)
    return (
        weight(edges.builder, layer.kernel, rows, key=layer.GATES),
        weight(edges.builder, layer.recurrent_kernel, rows, key=layer.GATES),
        _bias(layer, edges),
    )


def _bias(layer: Recurrent, edges: Edges) -> Value:
    biases = biases_of(layer)
    if not biases:
        return ABSENT

    def arrange(parts: Sequence[AnyArray]) -> AnyArray:
        return np.asarray(_side_by_side(layer, parts))

    return joined(edges.builder, biases, arrange, key=layer.GATES)


def _side_by_side(layer: Recurrent, biases: Sequence[AnyArray]) -> AnyArray | None:
    """[1, 2 * gates * H]: the input's side, then the recurrent one; None if there is no bias."""
    order = gate_order(layer)
    if not biases:
        return None
    return np.concatenate([in_order(bias, order) for bias in biases])[None]


def _attributes(layer: Recurrent, *, backward: bool) -> dict[str, Attribute]:
    attributes: dict[str, Attribute] = {"hidden_size": layer.units}
    if backward:
        attributes["direction"] = "reverse"
    if isinstance(layer, Gru) and layer.reset_after:
        attributes["linear_before_reset"] = 1
    functions = operator_functions(layer)
    if functions is None:
        raise AssertionError(f"layer '{layer.name}' has an activation that only a Scan can run")
    names = [function.name for function in functions]
    if names not in _DEFAULTS:
        attributes["activations"] = names
        # One entry for each function that takes one, none for the others.
        alphas = [function.alpha for function in functions if function.alpha is not None]
        betas = [function.beta for function in functions if function.beta is not None]
        if alphas:
            attributes["activation_alpha"] = alphas
        if betas:
            attributes["activation_beta"] = betas
    return attributes
