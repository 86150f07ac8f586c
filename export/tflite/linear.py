"""Dense: in float32, in int8, or with int8 weights and a float32 result."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite import quantization as quant
from edgernn.export.tflite.activation import activate, fusable
from edgernn.export.tflite.arithmetic import Moving, plan_of, quantization_of
from edgernn.export.tflite.builder import Quantization, Subgraph, Tensor
from edgernn.export.tflite.float_product import float_product
from edgernn.export.tflite.int8_product import product
from edgernn.export.tflite.options import Profile
from edgernn.export.tflite.schema import Fused
from edgernn.export.tflite.values import Lowering
from edgernn.export.tflite.weights import Matrix
from edgernn.graph import Activation, ActivationKind, Conv1D, Dense, as_float32, consumers
from edgernn.graph import layers as ly


def dense(low: Lowering, layer: Dense) -> Tensor:
    graph = low.main
    weights = Matrix.of(layer.kernel)
    bias = None if layer.bias is None else as_float32(layer.bias)
    to = result_quantization(low, layer)
    x = quantization_of(low, layer.input)
    if to is not None and x is not None:
        given = low.tensors.int8(layer.input, x)
        made = product(
            graph, given, weights, bias, to, fused=fusable(layer.activation) or Fused.NONE
        )
        return int8_activation(graph, layer.activation, made)
    fused = fusable(layer.activation)
    made = float_product(
        graph,
        low.tensors[layer.input],
        weights,
        bias,
        runtime_min=low.options.runtime_min,
        fused=fused or Fused.NONE,
    )
    return made if fused is not None else activate(graph, layer.activation, made)


def result_quantization(low: Lowering, layer: Dense | Conv1D) -> Quantization | None:
    """How the product is stored as int8, before an activation that cannot be fused.

    None where the result is better computed as float32: when nobody goes on with integers (a
    head's logits keep their resolution), or where the range is unknown.
    """
    if plan_of(low, layer) is None:
        return None
    integers_only = low.options.profile is not Profile.DEFAULT
    if not integers_only and not _feeds_integers(low, layer.output):
        return None
    match layer.activation.kind:
        case ActivationKind.TANH:
            return quant.covering(-quant.TANH_END, quant.TANH_END)
        case ActivationKind.SIGMOID:
            return quant.covering(-quant.SIGMOID_END, quant.SIGMOID_END)
        case ActivationKind.SOFTMAX if integers_only:
            return _logits(low, layer)
        case _ if fusable(layer.activation) is not None:
            return quantization_of(low, layer.output)
        case _:
            return None


def int8_activation(graph: Subgraph, activation: Activation, x: Tensor) -> Tensor:
    match activation.kind:
        case ActivationKind.TANH:
            return ops.tanh(graph, x, to=quant.STATE)
        case ActivationKind.SIGMOID:
            return ops.logistic(graph, x, to=quant.PROBABILITY)
        case ActivationKind.SOFTMAX:
            return ops.softmax(graph, x, to=quant.PROBABILITY)
        case _:
            return x  # fused


def _logits(low: Lowering, layer: Dense | Conv1D) -> Quantization | None:
    """What the product can reach at most, given the input's range: calibration saw no logits."""
    x = quantization_of(low, layer.input)
    if x is None or not isinstance(layer, Dense):
        return None
    kernel = as_float32(layer.kernel)
    scale = float(x.scale[0])
    ends = [scale * (end - x.zero_point) for end in (-128, 127)]
    bias = 0.0 if layer.bias is None else as_float32(layer.bias)
    most = np.maximum(kernel * ends[0], kernel * ends[1]).sum(axis=0) + bias
    least = np.minimum(kernel * ends[0], kernel * ends[1]).sum(axis=0) + bias
    return quant.covering(float(least.min()), float(most.max()))


def _feeds_integers(low: Lowering, edge: str) -> bool:
    return any(plan_of(low, layer) is not None for layer in _readers(low, edge))


def _readers(low: Lowering, edge: str) -> Iterator[ly.Layer]:
    """The layers that read the edge, looking through those that only move elements."""
    for layer in consumers(low.graph, edge):
        if isinstance(layer, Moving):
            yield from _readers(low, layer.writes[0])
        else:
            yield layer
