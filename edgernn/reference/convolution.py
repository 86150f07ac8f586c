"""Windows over the time axis: convolution and pooling."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_never

from edgernn.errors import DataError
from edgernn.graph import (
    AnyArray,
    Conv1D,
    FloatArray,
    GlobalPool1D,
    Padding,
    Pool1D,
    PoolKind,
    as_float32,
    window_padding,
)
from edgernn.reference.activation import activate


def conv1d(layer: Conv1D, x: FloatArray) -> FloatArray:
    """[B, T, C] -> [B, T', out]."""
    kernel = as_float32(layer.kernel)
    taken = windows(layer, x)  # [B, T', window, C]
    batch, steps, window, channels = taken.shape
    inner, outer = channels // layer.groups, kernel.shape[2] // layer.groups
    grouped = taken.reshape(batch * steps, window, layer.groups, inner)
    columns = grouped.transpose(2, 0, 1, 3).reshape(layer.groups, batch * steps, window * inner)
    per_group = kernel.reshape(window, inner, layer.groups, outer)
    rows = per_group.transpose(2, 0, 1, 3).reshape(layer.groups, window * inner, outer)
    result = (columns @ rows).transpose(1, 0, 2).reshape(batch, steps, layer.groups * outer)
    if layer.bias is not None:
        result = result + as_float32(layer.bias)
    return activate(layer.activation, result)


def windows(layer: Conv1D, x: AnyArray) -> AnyArray:
    """The window of each output step of a convolution, [B, T', window, C]; padding is zeros."""
    span = (layer.kernel.shape[0] - 1) * layer.dilation + 1
    left, right = edges_of(layer.padding, x.shape[1], span, layer.stride)
    padded = np.pad(x, ((0, 0), (left, right), (0, 0)))
    return _strided(padded, span, layer.stride)[:, :, :: layer.dilation]


def pool1d(layer: Pool1D, x: FloatArray) -> FloatArray:
    """[B, T, C] -> [B, T', C]; padding steps are ignored."""
    return pooled(x, layer.kind, layer.window, layer.stride, layer.padding)


def pooled(x: FloatArray, kind: PoolKind, window: int, stride: int, padding: Padding) -> FloatArray:
    """Maxima or averages of windows over axis 1 of [B, T, C]."""
    left, right = edges_of(padding, x.shape[1], window, stride)
    around = ((0, 0), (left, right), (0, 0))
    match kind:
        case PoolKind.MAX:
            padded = np.pad(x, around, constant_values=-np.inf)
            return np.asarray(_strided(padded, window, stride).max(axis=2))
        case PoolKind.AVERAGE:
            sums = _sum_in_order(_strided(np.pad(x, around), window, stride), axis=2)
            real = np.pad(np.ones((1, x.shape[1], 1), np.float32), around)
            counts = _strided(real, window, stride).sum(axis=2)
            return np.asarray(sums / counts)
        case _:
            assert_never(kind)


def global_pool1d(
    layer: GlobalPool1D, x: FloatArray, mask: npt.NDArray[np.bool_] | None
) -> FloatArray:
    """[B, T, C] -> [B, C].  The average of a row without a valid step is NaN, as in Keras."""
    match layer.kind:
        case PoolKind.MAX:
            return np.asarray(x.max(axis=1, keepdims=layer.keepdims))
        case PoolKind.AVERAGE:
            if mask is None:
                valid: AnyArray = np.ones((1, x.shape[1], 1), np.bool_)
            else:
                valid = mask[:, :, None]
            total = _sum_in_order(np.where(valid, x, np.float32(0)), axis=1)
            count = valid.astype(np.float32).sum(axis=1)
            with np.errstate(invalid="ignore"):
                average = np.asarray(total / count)
            return average[:, None, :] if layer.keepdims else average
        case _:
            assert_never(layer.kind)


def edges_of(padding: Padding, time: int, span: int, stride: int) -> tuple[int, int]:
    """Steps that the padding adds before and behind."""
    match padding:
        case Padding.VALID:
            return 0, 0
        case Padding.SAME:
            return window_padding(time, span, stride)
        case Padding.CAUSAL:
            return span - 1, 0
        case _:
            assert_never(padding)


def _sum_in_order(x: FloatArray, axis: int) -> FloatArray:
    """The sum from the first element to the last: numpy's own sum may pair them in any order."""
    running = np.add.accumulate(x, axis=axis)
    return np.asarray(running.take(-1, axis=axis))


def _strided(x: AnyArray, span: int, stride: int) -> AnyArray:
    """Views of `span` steps in a row, one every `stride`: [B, T, C] -> [B, T', span, C]."""
    if x.shape[1] < span:
        raise DataError(
            f"a window of {span} steps does not fit into a sequence of {x.shape[1]}",
            remedy="Pad the sequence or leave it out",
        )
    views = np.lib.stride_tricks.sliding_window_view(x, span, axis=1)
    return views[:, ::stride].transpose(0, 1, 3, 2)
