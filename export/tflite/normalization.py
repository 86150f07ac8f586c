"""Affine maps, normalization and PReLU."""

from __future__ import annotations

import numpy as np

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.builder import Subgraph, Tensor
from edgernn.export.tflite.schema import Op
from edgernn.export.tflite.weights import scalar
from edgernn.graph import Affine, FloatArray, LayerNorm, PRelu, as_float32


def affine(graph: Subgraph, layer: Affine, x: Tensor) -> Tensor:
    scaled = _unless(graph, Op.MUL, x, as_float32(layer.scale), neutral=1.0)
    return _unless(graph, Op.ADD, scaled, as_float32(layer.offset), neutral=0.0)


def prelu(graph: Subgraph, layer: PRelu, x: Tensor) -> Tensor:
    alpha = as_float32(layer.alpha)
    return ops.prelu(graph, x, graph.constant(alpha.reshape(alpha.shape[-(x.rank - 1) :])))


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


def _unless(graph: Subgraph, op: Op, x: Tensor, values: FloatArray, *, neutral: float) -> Tensor:
    """x combined with constants; x itself if they change nothing."""
    grows = len(values.shape) > x.rank or any(
        mine == 1 < theirs for mine, theirs in zip(x.shape[::-1], values.shape[::-1], strict=False)
    )
    if np.all(values == neutral) and not grows:
        return x
    combine = ops.multiply if op is Op.MUL else ops.add
    return combine(graph, x, graph.constant(values))
