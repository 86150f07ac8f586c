"""Layer normalization out of means and differences."""

from __future__ import annotations

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.builder import Subgraph, Tensor
from edgernn.export.tflite.schema import Op
from edgernn.export.tflite.weights import scalar
from edgernn.graph import LayerNorm, as_float32


def layer_norm(graph: Subgraph, layer: LayerNorm, x: Tensor) -> Tensor:
    axes = range(x.rank - layer.axes, x.rank)
    centred = x
    if not layer.rms:
        mean = ops.reduce(graph, Op.MEAN, x, axes=axes, keep_dims=True)
        centred = ops.subtract(graph, x, mean)
    squares = ops.multiply(graph, centred, centred)
    variance = ops.reduce(graph, Op.MEAN, squares, axes=axes, keep_dims=True)
    shifted = ops.add(graph, variance, scalar(graph, layer.epsilon))
    result = ops.multiply(graph, centred, ops.unary(graph, Op.RSQRT, shifted))
    if layer.gamma is not None:
        result = ops.multiply(graph, result, graph.constant(as_float32(layer.gamma)))
    if layer.beta is not None:
        result = ops.add(graph, result, graph.constant(as_float32(layer.beta)))
    return result
