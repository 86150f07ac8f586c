"""Windows over rows and columns: convolution and pooling of [B, H, W, C]."""

from __future__ import annotations

import numpy as np

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.activation import activate, fusable
from edgernn.export.tflite.builder import FreeSize, Tensor
from edgernn.export.tflite.convolution import kernel_constant
from edgernn.export.tflite.dense import applied, result_quantization
from edgernn.export.tflite.edges import Lowering
from edgernn.export.tflite.float_product import in_units
from edgernn.export.tflite.int8_product import bias_constant, coarse_enough
from edgernn.export.tflite.precision import quantization_of, stays_in_float
from edgernn.export.tflite.schema import Fused, Op, WindowPadding
from edgernn.export.tflite.weights import Matrix
from edgernn.graph import Conv2D, Padding, Pool2D, PoolKind, as_float32, window_padding


def conv2d(low: Lowering, layer: Conv2D) -> Tensor:
    graph = low.main
    to = result_quantization(low, layer)
    quantized_x = quantization_of(low, layer.input)
    if to is not None and quantized_x is not None:
        x = low.tensors.int8(layer.input, quantized_x)
    else:
        to, x = None, low.tensors[layer.input]
    depthwise = layer.groups > 1 and layer.groups == x.shape[3]
    x, padding = _padded(low, layer, x)
    weights = Matrix.of(layer.kernel)  # [out, rows, columns, C / groups]
    channels_out = layer.kernel.shape[3]
    bias = np.zeros(channels_out, np.float32) if layer.bias is None else as_float32(layer.bias)
    scale = weights.scale if stays_in_float(low, layer) else None
    added = graph.constant(bias if scale is None else np.zeros_like(bias))
    fused = fusable(layer.activation)
    operator = ops.depthwise_convolution if depthwise else ops.convolution
    _, rows, columns, _ = low.shape(layer.output)
    result = operator(
        graph,
        x,
        kernel_constant(
            graph, weights, with_rows=False, depthwise=depthwise, in_float=scale is not None
        ),
        added if to is None else bias_constant(graph, x, weights, bias),
        sizes=(rows, columns),
        strides=layer.strides,
        dilations=layer.dilations,
        padding=padding,
        fused=Fused.NONE if scale is not None else fused or Fused.NONE,
        to=None if to is None else coarse_enough(to, x, weights),
    )
    if to is not None:
        return applied(low, layer, result)
    if scale is not None:
        result = in_units(graph, result, scale, bias, fused or Fused.NONE)
    return result if fused is not None else activate(graph, layer.activation, result)


def _padded(low: Lowering, layer: Conv2D, x: Tensor) -> tuple[Tensor, WindowPadding]:
    """The operator pads both axes or none: one alone is padded before it."""
    if layer.paddings == (Padding.SAME, Padding.SAME):
        return x, WindowPadding.SAME
    for axis, span, stride, padding in zip(
        (1, 2), layer.spans, layer.strides, layer.paddings, strict=True
    ):
        if padding is Padding.VALID:
            continue
        left, right = span - 1, 0
        if padding is Padding.SAME:
            size = x.shape[axis]
            if isinstance(size, FreeSize) and stride != 1:
                raise low.refuse(
                    layer,
                    "pads with strides one of two axes whose size only the run will tell",
                    "Give the model's input a fixed width",
                )
            left, right = window_padding(size, span, stride)
            if isinstance(size, FreeSize):
                left, right = (span - 1) // 2, span // 2
        x = ops.pad(low.main, x, axis=axis, left=left, right=right)
    return x, WindowPadding.VALID


def pool2d(low: Lowering, layer: Pool2D, x: Tensor) -> Tensor:
    """x in float32 or int8."""
    if layer.paddings[0] is not layer.paddings[1] or layer.paddings[0] is Padding.CAUSAL:
        raise low.refuse(
            layer, "pads rows and columns by unlike rules", "Use padding 'same' or 'valid'"
        )
    _, rows, columns, _ = low.shape(layer.output)
    return ops.pool(
        low.main,
        Op.MAX_POOL_2D if layer.kind is PoolKind.MAX else Op.AVERAGE_POOL_2D,
        x,
        sizes=(rows, columns),
        window=layer.window,
        strides=layer.strides,
        padding=WindowPadding(layer.paddings[0] is Padding.VALID),
    )
