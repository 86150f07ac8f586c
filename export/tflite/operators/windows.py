"""Operators that slide over time, [B, 1, T, C]."""

from __future__ import annotations

from edgernn.export.tflite import schema
from edgernn.export.tflite.builder import Quantization, Subgraph, Tensor
from edgernn.export.tflite.operators.append import append, integer_version
from edgernn.export.tflite.operators.sizes import free_like
from edgernn.export.tflite.schema import Fused, Op, TensorType, WindowPadding


def convolution(
    graph: Subgraph,
    x: Tensor,  # [B, 1, T, C]
    weights: Tensor,  # [out, 1, window, C / groups]
    bias: Tensor,  # [out]
    *,
    steps: int,
    stride: int,
    dilation: int,
    padding: WindowPadding,
    fused: Fused = Fused.NONE,
    to: Quantization | None = None,
) -> Tensor:  # [B, 1, steps, out]
    grouped = weights.shape[3] != x.shape[3]
    per_channel = weights.quantization is not None and weights.quantization.scale.size > 1
    version = 3 if x.type is TensorType.INT8 else 1
    if x.type is TensorType.FLOAT32 and weights.type is TensorType.INT8:
        version = 5 if per_channel else 2
    return append(
        graph,
        Op.CONV_2D,
        [x, weights, bias],
        (x.shape[0], 1, free_like(x.shape[2], steps), weights.shape[0]),
        options=schema.conv_2d(padding=padding, stride=stride, dilation=dilation, fused=fused),
        version=6 if grouped else version,
        to=to,
    )


def depthwise_convolution(
    graph: Subgraph,
    x: Tensor,  # [B, 1, T, C]
    weights: Tensor,  # [1, 1, window, C * multiplier]
    bias: Tensor,  # [C * multiplier]
    *,
    steps: int,
    stride: int,
    dilation: int,
    padding: WindowPadding,
    fused: Fused = Fused.NONE,
    to: Quantization | None = None,
) -> Tensor:  # [B, 1, steps, C * multiplier]
    options = schema.depthwise_conv_2d(
        padding=padding,
        stride=stride,
        multiplier=weights.shape[3] // x.shape[3],
        dilation=dilation,
        fused=fused,
    )
    version = 2 if dilation > 1 else 1
    if weights.type is TensorType.INT8:
        version = 3 if x.type is TensorType.INT8 else 6
    return append(
        graph,
        Op.DEPTHWISE_CONV_2D,
        [x, weights, bias],
        (x.shape[0], 1, free_like(x.shape[2], steps), weights.shape[3]),
        options=options,
        version=version,
        to=to,
    )


def pool(
    graph: Subgraph,
    op: Op,  # MAX_POOL_2D or AVERAGE_POOL_2D
    x: Tensor,  # [B, 1, T, C]
    *,
    steps: int,
    window: int,
    stride: int,
    padding: WindowPadding,
) -> Tensor:  # [B, 1, steps, C]
    return append(
        graph,
        op,
        [x],
        (x.shape[0], 1, free_like(x.shape[2], steps), x.shape[3]),
        options=schema.pool_2d(padding=padding, stride=stride, window=window),
        version=integer_version(x),
        to=x.quantization,
    )
