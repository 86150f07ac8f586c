"""Matrix products in float32 of weights in float32, float16 or int8."""

from __future__ import annotations

import numpy as np

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.builder import Quantization, Subgraph, Tensor
from edgernn.export.tflite.options import Runtime
from edgernn.export.tflite.schema import Fused, Op
from edgernn.export.tflite.weights import Matrix, matrix, widened
from edgernn.graph import FloatArray


def float_product(
    graph: Subgraph,
    x: Tensor,  # float32 [..., K]
    weights: Matrix,  # [N, K]
    bias: FloatArray | None,  # [N]
    *,
    runtime_min: Runtime,
    fused: Fused = Fused.NONE,
    in_float: bool = False,
) -> Tensor:  # float32 [..., N]
    """x W + b.  int8 weights are multiplied as int8; the kernel quantizes each row of x.

    in_float: int8 weights become float32 when the model is loaded, and x is not rounded.
    """
    scale = weights.scale
    if scale is not None and in_float:
        sums = ops.fully_connected(graph, x, widened(graph, weights.values), None)
        return in_units(graph, sums, scale, bias, fused)
    if scale is None or scale.size == 1 or runtime_min is Runtime.LITERT:
        given = None if bias is None else graph.constant(bias)
        return ops.fully_connected(graph, x, matrix(graph, weights), given, fused=fused)
    # Old kernels support only one scale for each matrix.  So they multiply the bare integers, and
    # each column gets its scale afterwards.
    bare = graph.constant(weights.values, Quantization(scale=np.ones(1, np.float32)))
    return in_units(graph, ops.fully_connected(graph, x, bare, None), scale, bias, fused)


def in_units(
    graph: Subgraph, sums: Tensor, scale: FloatArray, bias: FloatArray | None, fused: Fused
) -> Tensor:
    """Products of bare integers times the scale of each column, with bias and activation."""
    result = ops.multiply(graph, sums, graph.constant(scale))
    if bias is not None:
        return ops.add(graph, result, graph.constant(bias), fused=fused)
    match fused:
        case Fused.NONE:
            return result
        case Fused.RELU6:
            return ops.unary(graph, Op.RELU6, result)
        case _:
            return ops.unary(graph, Op.RELU, result)
