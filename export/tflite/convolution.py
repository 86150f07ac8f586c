"""Windows over time as TFLite's two-dimensional operators with a height of one row."""

from __future__ import annotations

import numpy as np

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.activation import activate, fusable
from edgernn.export.tflite.builder import FreeSize, Quantization, Subgraph, Tensor
from edgernn.export.tflite.dense import applied, result_quantization
from edgernn.export.tflite.edges import Lowering
from edgernn.export.tflite.float_product import in_units
from edgernn.export.tflite.int8_product import bias_constant, coarse_enough
from edgernn.export.tflite.precision import quantization_of, stays_in_float
from edgernn.export.tflite.schema import Fused, Op, TensorType, WindowPadding
from edgernn.export.tflite.weights import Matrix, constant, scalar, widened
from edgernn.graph import Conv1D, GlobalPool1D, Padding, Pool1D, PoolKind, as_float32


def conv1d(low: Lowering, layer: Conv1D) -> Tensor:
    graph = low.main
    to = result_quantization(low, layer)
    quantized_x = quantization_of(low, layer.input)
    if to is not None and quantized_x is not None:
        x = low.tensors.int8(layer.input, quantized_x)
    else:
        to, x = None, low.tensors[layer.input]
    window, _, channels_out = layer.kernel.shape
    padding = WindowPadding.VALID
    if layer.padding is Padding.CAUSAL:
        x = ops.pad(graph, x, axis=1, left=(window - 1) * layer.dilation, right=0)
    elif layer.padding is Padding.SAME:
        padding = WindowPadding.SAME
    weights = Matrix.of(layer.kernel)  # [out, window, C / groups]
    bias = np.zeros(channels_out, np.float32) if layer.bias is None else as_float32(layer.bias)
    depthwise = layer.groups > 1 and layer.groups == x.shape[2]
    scale = weights.scale if stays_in_float(low, layer) else None
    added = graph.constant(bias if scale is None else np.zeros_like(bias))
    fused = fusable(layer.activation)
    operator = ops.depthwise_convolution if depthwise else ops.convolution
    result = operator(
        graph,
        with_height(graph, x),
        kernel_constant(
            graph, weights, with_rows=True, depthwise=depthwise, in_float=scale is not None
        ),
        added if to is None else bias_constant(graph, x, weights, bias),
        sizes=(1, low.shape(layer.output)[1]),
        # TFLite wants equal strides both ways; with a height of one row that costs nothing.
        strides=(layer.stride if depthwise else 1, layer.stride),
        dilations=(1, layer.dilation),
        padding=padding,
        fused=Fused.NONE if scale is not None else fused or Fused.NONE,
        to=None if to is None else coarse_enough(to, x, weights),
    )
    result = without_height(graph, result)
    if to is not None:
        return applied(low, layer, result)
    if scale is not None:
        result = in_units(graph, result, scale, bias, fused or Fused.NONE)
    return result if fused is not None else activate(graph, layer.activation, result)


def kernel_constant(
    graph: Subgraph, weights: Matrix, *, with_rows: bool, depthwise: bool, in_float: bool
) -> Tensor:
    """[out, rows, columns, C / groups], or [1, rows, columns, out] of a depthwise convolution.

    with_rows: the window is one of time, and gets a height of one row.  in_float: int8 weights as
    float32 integers, without their scale.
    """
    values = weights.values[:, None] if with_rows else weights.values
    if depthwise:
        values = values.transpose(3, 1, 2, 0)
    if weights.scale is None:
        return constant(graph, values)
    if in_float:
        return widened(graph, values)
    axis = 3 if depthwise else 0
    return graph.constant(values, Quantization(scale=weights.scale, axis=axis))


def pool1d(low: Lowering, layer: Pool1D, x: Tensor) -> Tensor:
    """x in float32 or int8."""
    graph = low.main
    if layer.padding is Padding.CAUSAL:
        raise low.refuse(layer, "pools with causal padding", "Use padding 'same' or 'valid'")
    pooled = ops.pool(
        graph,
        Op.MAX_POOL_2D if layer.kind is PoolKind.MAX else Op.AVERAGE_POOL_2D,
        with_height(graph, x),
        sizes=(1, low.shape(layer.output)[1]),
        window=(1, layer.window),
        strides=(1, layer.stride),
        padding=WindowPadding(layer.padding is Padding.VALID),
    )
    return without_height(graph, pooled)


def global_pool1d(low: Lowering, layer: GlobalPool1D) -> Tensor:
    graph = low.main
    if layer.kind is PoolKind.MAX:
        x = low.tensors.stored(layer.input)
        return ops.reduce(
            graph, Op.REDUCE_MAX, x, axes=[1], keep_dims=layer.keepdims, to=x.quantization
        )
    x = low.tensors[layer.input]
    if layer.mask is None:
        return ops.reduce(graph, Op.MEAN, x, axes=[1], keep_dims=layer.keepdims)
    valid = ops.expand_dims(graph, low.tensors[layer.mask], axis=2)
    weight = ops.cast(graph, valid, TensorType.FLOAT32)
    kept = ops.select(graph, valid, x, scalar(graph, 0.0))
    total = ops.reduce(graph, Op.SUM, kept, axes=[1], keep_dims=layer.keepdims)
    count = ops.reduce(graph, Op.SUM, weight, axes=[1], keep_dims=layer.keepdims)
    return ops.divide(graph, total, count)


def with_height(graph: Subgraph, x: Tensor) -> Tensor:
    """[B, T, C] -> [B, 1, T, C]."""
    if isinstance(x.shape[0], FreeSize) and isinstance(x.shape[1], FreeSize):
        return ops.expand_dims(graph, x, axis=1)
    return ops.reshape(graph, x, (x.shape[0], 1, *x.shape[1:]))


def without_height(graph: Subgraph, x: Tensor) -> Tensor:
    """[B, 1, T, C] -> [B, T, C]."""
    if isinstance(x.shape[0], FreeSize) and isinstance(x.shape[2], FreeSize):
        return ops.squeeze(graph, x, axis=1)
    return ops.reshape(graph, x, (x.shape[0], *x.shape[2:]))
