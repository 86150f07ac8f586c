"""GRU, LSTM and SimpleRNN as ONNX's own operators GRU, LSTM and RNN (never a Loop)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from typing_extensions import assert_never

from edgernn.errors import UnsupportedLayer
from edgernn.export.onnx import masks
from edgernn.export.onnx.builder import ABSENT, Attribute, Value
from edgernn.export.onnx.edges import Edges, Form, Layout, int64
from edgernn.export.onnx.weights import joined, weight
from edgernn.graph import (
    Activation,
    ActivationKind,
    AnyArray,
    FloatArray,
    Gru,
    Lstm,
    Recurrent,
    SimpleRnn,
    Weight,
)

#: The order in which ONNX stores the gates.
ONNX_GATES: Final = {SimpleRnn: ("h",), Gru: ("z", "r", "h"), Lstm: ("i", "o", "f", "c")}

_FIRST: Final = int64([0])
_SECOND: Final = int64([1])


def recurrent(layer: Recurrent, edges: Edges) -> None:
    """Defines the layer's output and final states.

    ONNX keeps the outputs of a reversed operator in the order of the input, so that the layer's
    own order (that of processing) is their reverse: a Form says so and nothing is moved.
    """
    if layer.stateful:
        raise UnsupportedLayer(
            layer=layer.name,
            kind=type(layer).__name__,
            where=f"model '{edges.graph.name}'",
            reason="is stateful, and an ONNX file holds no state",
            remedy="Make the states inputs and outputs first (edgernn.streaming.expose_states)",
        )
    is_reversed = _is_reversed(layer, edges)
    backward = layer.go_backwards != is_reversed
    mask: masks.Compaction | None = None
    if layer.mask is None:
        x = edges.read(layer.input, Form(Layout.TIME_BATCH, is_reversed))
    else:
        mask = masks.compaction(layer.mask, is_reversed, edges)
        x = masks.compacted(layer, mask, edges)
    wants_sequence = layer.return_sequences and edges.is_needed(layer.output)
    wants_last = edges.is_needed(layer.state_h) or (
        not layer.return_sequences and edges.is_needed(layer.output)
    )
    # The outputs of one step are its final state: [1, B, H] either way.
    is_single = edges.spec(layer.input).shape[1] == 1
    outputs = [wants_sequence and not is_single, wants_last or (wants_sequence and is_single)]
    if isinstance(layer, Lstm):
        outputs.append(edges.is_needed(layer.state_c))
    if not any(outputs):
        return
    results = edges.builder.ops(
        _operator(layer),
        x,
        *_weights(layer, edges),
        ABSENT if mask is None else mask.lengths,
        *(_initial_state(edge, edges) for edge in _initial_edges(layer)),
        outputs=outputs,
        name=layer.name,
        attributes=_attributes(layer, edges, backward=backward),
    )
    if wants_sequence:
        sequence = results[1]
        if not is_single:
            sequence = edges.builder.op("Squeeze", results[0], axes=_SECOND)
        form = Form(Layout.TIME_BATCH, backward)
        if mask is not None:
            sequence = masks.without_empty_rows(layer, mask, sequence, edges)
            sequence, form = masks.expanded(layer, mask, sequence, edges, backward=backward)
        edges.define(layer.output, sequence, form)
    for state, initial, result in zip(
        _state_edges(layer), _initial_edges(layer), results[1:], strict=True
    ):
        if result != ABSENT and (state != layer.state_h or wants_last):
            final = edges.builder.op("Squeeze", result, axes=_FIRST)
            if mask is not None:
                final = masks.without_empty_rows(layer, mask, final, edges)
            if state == layer.state_h and not layer.return_sequences:
                last = final
                if mask is not None:
                    last = masks.last_output(layer, mask, final, edges, backward=backward)
                edges.define(layer.output, last)
            if edges.is_needed(state):
                if mask is not None and initial is not None:
                    final = masks.final_state(mask, final, edges.read(initial), edges)
                edges.define(state, final)


def _is_reversed(layer: Recurrent, edges: Edges) -> bool:
    """Whether the input is at hand in reverse: then it is read so, from the other end."""
    forms = edges.forms(layer.input)
    ready = [form for form in forms if form.layout is Layout.TIME_BATCH]
    return (ready or forms)[0].reversed


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


def _state_edges(layer: Recurrent) -> tuple[str, ...]:
    return (layer.state_h, layer.state_c) if isinstance(layer, Lstm) else (layer.state_h,)


def _initial_edges(layer: Recurrent) -> tuple[str | None, ...]:
    return (layer.initial_h, layer.initial_c) if isinstance(layer, Lstm) else (layer.initial_h,)


def _initial_state(edge: str | None, edges: Edges) -> Value:
    if edge is None:
        return ABSENT
    return edges.builder.op("Unsqueeze", edges.read(edge), axes=_FIRST)


def _weights(layer: Recurrent, edges: Edges) -> tuple[Value, Value, Value]:
    """W [1, gates * H, F], R [1, gates * H, H], B [1, 2 * gates * H]."""
    order = [layer.GATES.index(name) for name in ONNX_GATES[type(layer)]]

    def rows(kernel: AnyArray) -> AnyArray:
        return in_order(kernel, order).T[None]

    def side_by_side(biases: Sequence[AnyArray]) -> AnyArray:
        return np.concatenate([in_order(bias, order) for bias in biases])[None]

    builder, key = edges.builder, layer.GATES
    biases = _biases(layer)
    return (
        weight(builder, layer.kernel, rows, key=key),
        weight(builder, layer.recurrent_kernel, rows, key=key),
        joined(builder, biases, side_by_side, key=key) if biases else ABSENT,
    )


def _biases(layer: Recurrent) -> tuple[Weight, ...]:
    """The input's and the recurrent side's, [gates * H] each; nothing if the layer has neither."""
    recurrent_bias = layer.recurrent_bias if isinstance(layer, Gru) else None
    if layer.bias is None and recurrent_bias is None:
        return ()
    nothing = _zeros(len(layer.GATES) * layer.units)
    return (
        nothing if layer.bias is None else layer.bias,
        nothing if recurrent_bias is None else recurrent_bias,
    )


@cache
def _zeros(size: int) -> FloatArray:
    """Always the same array of a size: weights are stored once for each array."""
    return np.zeros(size, np.float32)


def in_order(array: AnyArray, order: Sequence[int]) -> AnyArray:
    """The blocks of gates along the last axis in a new order; an axis of size 1 is left alone."""
    if array.shape[-1] == 1 and len(order) > 1:
        return array
    blocks = np.split(array, len(order), axis=-1)
    return np.concatenate([blocks[position] for position in order], axis=-1)


def _attributes(layer: Recurrent, edges: Edges, *, backward: bool) -> dict[str, Attribute]:
    attributes: dict[str, Attribute] = {"hidden_size": layer.units}
    if backward:
        attributes["direction"] = "reverse"
    match layer:
        case Gru():
            if layer.reset_after:
                attributes["linear_before_reset"] = 1
            functions = [layer.recurrent_activation, layer.activation]
            defaults = [ActivationKind.SIGMOID, ActivationKind.TANH]
        case Lstm():
            functions = [layer.recurrent_activation, layer.activation, layer.activation]
            defaults = [ActivationKind.SIGMOID, ActivationKind.TANH, ActivationKind.TANH]
        case SimpleRnn():
            functions = [layer.activation]
            defaults = [ActivationKind.TANH]
        case _:
            assert_never(layer)
    if [function.kind for function in functions] != defaults:
        named = [_function(function, layer, edges) for function in functions]
        attributes["activations"] = [name for name, _, _ in named]
        # One entry for each function that takes one, none for the others.
        alphas = [alpha for _, alpha, _ in named if alpha is not None]
        betas = [beta for _, _, beta in named if beta is not None]
        if alphas:
            attributes["activation_alpha"] = alphas
        if betas:
            attributes["activation_beta"] = betas
    return attributes


_Function = tuple[str, float | None, float | None]  # ONNX's name, alpha, beta


def _function(function: Activation, layer: Recurrent, edges: Edges) -> _Function:
    match function.kind:
        case ActivationKind.SIGMOID:
            return "Sigmoid", None, None
        case ActivationKind.TANH:
            return "Tanh", None, None
        case ActivationKind.HARD_SIGMOID:
            return "HardSigmoid", function.alpha, function.beta
        case ActivationKind.LINEAR:
            return "Affine", 1.0, 0.0
        case ActivationKind.SOFTSIGN:
            return "Softsign", None, None
        case ActivationKind.SOFTPLUS:
            return "Softplus", None, None
        case ActivationKind.ELU:
            return "Elu", function.alpha, None
        case ActivationKind.RELU if function.max_value is None:
            if function.alpha == 0 and function.beta == 0:
                return "Relu", None, None
            if function.beta == 0:
                return "LeakyRelu", function.alpha, None
            if function.alpha == 0:
                return "ThresholdedRelu", function.beta, None
        case _:
            pass
    raise UnsupportedLayer(
        layer=layer.name,
        kind=type(layer).__name__,
        where=f"model '{edges.graph.name}'",
        reason=f"uses the activation {function.kind.value}, which ONNX's operator does not have",
        remedy="Use one of sigmoid, tanh, hard_sigmoid, linear, relu, leaky_relu, elu, softsign, "
        "softplus, or export to TFLite",
    )
