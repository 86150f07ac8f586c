"""Windows over rows and columns: convolution and pooling of [B, H, W, C]."""

from __future__ import annotations

import numpy as np

from edgernn.errors import DataError
from edgernn.graph import AnyArray, Conv2D, FloatArray, Pool2D, as_float32
from edgernn.reference.activation import activate
from edgernn.reference.convolution import edges_of, pooled


def conv2d(layer: Conv2D, x: FloatArray) -> FloatArray:
    """[B, H, W, C] -> [B, H', W', out]."""
    kernel = as_float32(layer.kernel)
    inner, outer = kernel.shape[2], kernel.shape[3] // layer.groups
    taken = windows2d(layer, x)
    parts = [
        taken[..., group * inner : (group + 1) * inner].reshape(*taken.shape[:3], -1)
        @ kernel[..., group * outer : (group + 1) * outer].reshape(-1, outer)
        for group in range(layer.groups)
    ]
    result = np.concatenate(parts, axis=-1)
    if layer.bias is not None:
        result = result + as_float32(layer.bias)
    return activate(layer.activation, result)


def windows2d(layer: Conv2D, x: AnyArray) -> AnyArray:
    """What each output sees, [B, H', W', rows, columns, C]; padding is zeros."""
    around = [
        edges_of(padding, size, span, stride)
        for padding, size, span, stride in zip(
            layer.paddings, x.shape[1:3], layer.spans, layer.strides, strict=True
        )
    ]
    padded = np.pad(x, ((0, 0), *around, (0, 0)))
    sizes = padded.shape[1:3]
    if sizes[0] < layer.spans[0] or sizes[1] < layer.spans[1]:
        raise DataError(
            f"a window of {layer.spans[0]} x {layer.spans[1]} does not fit into "
            f"{sizes[0]} x {sizes[1]}",
            remedy="Pad the input or leave it out",
        )
    views = np.lib.stride_tricks.sliding_window_view(padded, layer.spans, axis=(1, 2))
    rows, columns = layer.strides
    down, across = layer.dilations
    return views[:, ::rows, ::columns, :, ::down, ::across].transpose(0, 1, 2, 4, 5, 3)


def pool2d(layer: Pool2D, x: FloatArray) -> FloatArray:
    """[B, H, W, C] -> [B, H', W', C]: each row's columns first, then the rows.

    An average of averages is the average, since all rows of a window have equally many columns.
    """
    batch, rows, columns, channels = x.shape
    lines = x.reshape(batch * rows, columns, channels)
    (down, across), (step_down, step_across) = layer.window, layer.strides
    lines = pooled(lines, layer.kind, across, step_across, layer.paddings[1])
    narrow = lines.shape[1]
    image = lines.reshape(batch, rows, narrow * channels)
    image = pooled(image, layer.kind, down, step_down, layer.paddings[0])
    return image.reshape(batch, image.shape[1], narrow, channels)
