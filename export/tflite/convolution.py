"""Windows over time as TFLite's two-dimensional operators with a height of one row."""

from __future__ import annotations

import numpy as np

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.activation import activate, fusable
from edgernn.export.tflite.builder import FreeSize, Subgraph, Tensor
from edgernn.export.tflite.schema import Fused, Op, TensorType, WindowPadding
from edgernn.export.tflite.values import Lowering
from edgernn.export.tflite.weights import constant, floats
from edgernn.graph import Conv1D, GlobalPool1D, Padding, Pool1D, PoolKind, as_float32


def conv1d(low: Lowering, layer: Conv1D) -> Tensor:
    graph = low.main
    x = low.tensors[layer.input]
    window, _, channels_out = layer.kernel.shape
    padding = WindowPadding.VALID
    if layer.padding is Padding.CAUSAL:
        x = ops.pad(graph, x, axis=1, left=(window - 1) * layer.dilation, right=0)
    elif layer.padding is Padding.SAME:
        padding = WindowPadding.SAME
    bias = np.zeros(channels_out, np.float32) if layer.bias is None else as_float32(layer.bias)
    fused = fusable(layer.activation)
    kernel = floats(layer.kernel)  # [window, C / groups, out]
    depthwise = layer.groups > 1 and layer.groups == x.shape[2]
    if depthwise:
        weights = kernel.transpose(1, 0, 2)[:, None]  # [1, 1, window, out]
    else:
        weights = kernel.transpose(2, 0, 1)[:, None]  # [out, 1, window, C / groups]
    operator = ops.depthwise_convolution if depthwise else ops.convolution
    result = operator(
        graph,
        with_height(graph, x),
        constant(graph, weights),
        graph.constant(bias),
        steps=low.shape(layer.output)[1],
        stride=layer.stride,
        dilation=layer.dilation,
        padding=padding,
        fused=fused or Fused.NONE,
    )
    result = without_height(graph, result)
    return result if fused is not None else activate(graph, layer.activation, result)


def pool1d(low: Lowering, layer: Pool1D) -> Tensor:
    graph = low.main
    if layer.padding is Padding.CAUSAL:
        raise low.refuse(layer, "pools with causal padding", "Use padding 'same' or 'valid'")
    pooled = ops.pool(
        graph,
        Op.MAX_POOL_2D if layer.kind is PoolKind.MAX else Op.AVERAGE_POOL_2D,
        with_height(graph, low.tensors[layer.input]),
        steps=low.shape(layer.output)[1],
        window=layer.window,
        stride=layer.stride,
        padding=WindowPadding(layer.padding is Padding.VALID),
    )
    return without_height(graph, pooled)


def global_pool1d(low: Lowering, layer: GlobalPool1D) -> Tensor:
    graph = low.main
    x = low.tensors[layer.input]
    if layer.kind is PoolKind.MAX or layer.mask is None:
        op = Op.REDUCE_MAX if layer.kind is PoolKind.MAX else Op.MEAN
        return ops.reduce(graph, op, x, axes=[1], keep_dims=layer.keepdims)
    valid = ops.expand_dims(graph, low.tensors[layer.mask], axis=2)
    weight = ops.cast(graph, valid, TensorType.FLOAT32)
    kept = ops.select(graph, valid, x, graph.constant(np.array(0.0, np.float32)))
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
