"""Operators that slide over rows and columns, [B, H, W, C]; time is [B, 1, T, C]."""

from __future__ import annotations

from edgernn.export.tflite import schema
from edgernn.export.tflite.builder import Quantization, Subgraph, Tensor
from edgernn.export.tflite.operators.append import append, integer_version
from edgernn.export.tflite.operators.sizes import free_like
from edgernn.export.tflite.schema import Fused, Op, Pair, TensorType, WindowPadding


def convolution(
    graph: Subgraph,
    x: Tensor,  # [B, H, W, C]
    weights: Tensor,  # [out, rows, columns, C / groups]
    bias: Tensor,  # [out]
    *,
    sizes: Pair,
    strides: Pair,
    dilations: Pair = (1, 1),
    padding: WindowPadding,
    fused: Fused = Fused.NONE,
    to: Quantization | None = None,
) -> Tensor:  # [B, *sizes, out]
    grouped = weights.shape[3] != x.shape[3]
    per_channel = weights.quantization is not None and weights.quantization.scale.size > 1
    version = 3 if x.type is TensorType.INT8 else 1
    if x.type is TensorType.FLOAT32 and weights.type is TensorType.INT8:
        version = 5 if per_channel else 2
    return append(
        graph,
        Op.CONV_2D,
        [x, weights, bias],
        (x.shape[0], *_sizes(x, sizes), weights.shape[0]),
        options=schema.conv_2d(padding=padding, strides=strides, dilations=dilations, fused=fused),
        version=6 if grouped else version,
        to=to,
    )


def depthwise_convolution(
    graph: Subgraph,
    x: Tensor,  # [B, H, W, C]
    weights: Tensor,  # [1, rows, columns, C * multiplier]
    bias: Tensor,  # [C * multiplier]
    *,
    sizes: Pair,
    strides: Pair,
    dilations: Pair = (1, 1),
    padding: WindowPadding,
    fused: Fused = Fused.NONE,
    to: Quantization | None = None,
) -> Tensor:  # [B, *sizes, C * multiplier]
    options = schema.depthwise_conv_2d(
        padding=padding,
        strides=strides,
        multiplier=weights.shape[3] // x.shape[3],
        dilations=dilations,
        fused=fused,
    )
    version = 2 if dilations != (1, 1) else 1
    if weights.type is TensorType.INT8:
        version = 3 if x.type is TensorType.INT8 else 6
    return append(
        graph,
        Op.DEPTHWISE_CONV_2D,
        [x, weights, bias],
        (x.shape[0], *_sizes(x, sizes), weights.shape[3]),
        options=options,
        version=version,
        to=to,
    )


def pool(
    graph: Subgraph,
    op: Op,  # MAX_POOL_2D or AVERAGE_POOL_2D
    x: Tensor,  # [B, H, W, C]
    *,
    sizes: Pair,
    window: Pair,
    strides: Pair,
    padding: WindowPadding,
) -> Tensor:  # [B, *sizes, C]
    return append(
        graph,
        op,
        [x],
        (x.shape[0], *_sizes(x, sizes), x.shape[3]),
        options=schema.pool_2d(padding=padding, strides=strides, window=window),
        version=integer_version(x),
        to=x.quantization,
    )


def _sizes(x: Tensor, sizes: Pair) -> list[int]:
    """Rows and columns of a result, free where those of x are."""
    return [free_like(before, after) for before, after in zip(x.shape[1:3], sizes, strict=True)]
