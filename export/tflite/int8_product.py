"""Matrix products in int8: weights with a scale for each row, biases in units of the product."""

from __future__ import annotations

from typing import Final

import numpy as np

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.builder import Quantization, Subgraph, Tensor
from edgernn.export.tflite.schema import Fused
from edgernn.export.tflite.weights import Matrix, matrix
from edgernn.graph import FloatArray

#: A bias takes at most half of the range of int32, the sum of products the rest.
_BIAS_END: Final = 2.0**30

#: Below XNNPACK's limit of 256.
_LARGEST_FACTOR: Final = 255.0


def product(
    graph: Subgraph,
    x: Tensor,  # int8 [..., K]
    weights: Matrix,  # int8 [N, K]
    bias: FloatArray | None,  # [N]
    to: Quantization,
    *,
    fused: Fused = Fused.NONE,
) -> Tensor:  # int8 [..., N]
    to = coarse_enough(to, x, weights)
    given = None if bias is None else bias_constant(graph, x, weights, bias)
    return ops.fully_connected(graph, x, matrix(graph, weights), given, fused=fused, to=to)


def coarse_enough(to: Quantization, x: Tensor, weights: Matrix) -> Quantization:
    """`to`, or coarser units where a unit of the sum would be too many steps of the result.

    XNNPACK refuses the whole file where this factor is 256 or more: so do sums that are zero but
    for rounding, such as the mean of what has none.
    """
    if x.quantization is None or weights.scale is None:
        raise AssertionError("an int8 product has int8 operands")
    finest = float(x.quantization.scale.max()) * float(weights.scale.max()) / _LARGEST_FACTOR
    (scale,) = to.scale
    return to if scale >= finest else Quantization.per_tensor(finest, to.zero_point)


def bias_constant(graph: Subgraph, x: Tensor, weights: Matrix, bias: FloatArray) -> Tensor:
    """int32 in units of x's scale times the row's scale: zero point 0, as the kernels assume."""
    if x.quantization is None or weights.scale is None:
        raise AssertionError("an int8 product has int8 operands")
    units = x.quantization.scale.astype(np.float64) * weights.scale.astype(np.float64)
    steps = np.clip(np.rint(bias.astype(np.float64) / units), -_BIAS_END, _BIAS_END)
    return graph.constant(steps.astype(np.int32), Quantization(scale=units.astype(np.float32)))
