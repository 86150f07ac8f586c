"""Layers that move elements and compute nothing."""

from __future__ import annotations

import numpy as np

from edgernn.graph import AnyArray, Repeat, Reshape, Slice, Transpose, Upsample1D, ZeroPad1D


def reshape(layer: Reshape, x: AnyArray) -> AnyArray:
    return x.reshape(x.shape[0], *_known_target(layer, x))


def _known_target(layer: Reshape, x: AnyArray) -> tuple[int, ...]:
    """The target without -1: numpy cannot find it in an empty batch."""
    total = int(np.prod(x.shape[1:]))
    known = int(np.prod([size for size in layer.target if size != -1]))
    return tuple(total // known if size == -1 else size for size in layer.target)


def transpose(layer: Transpose, x: AnyArray) -> AnyArray:
    return x.transpose(layer.permutation)


def reverse(x: AnyArray) -> AnyArray:
    return x[:, ::-1]


def repeat(layer: Repeat, x: AnyArray) -> AnyArray:
    return np.repeat(x[:, None, :], layer.times, axis=1)


def upsample1d(layer: Upsample1D, x: AnyArray) -> AnyArray:
    return np.repeat(x, layer.times, axis=layer.axis)


def zero_pad1d(layer: ZeroPad1D, x: AnyArray) -> AnyArray:
    around = [(0, 0)] * x.ndim
    around[layer.axis] = layer.left, layer.right
    return np.pad(x, around)


def sliced(layer: Slice, x: AnyArray) -> AnyArray:
    if layer.squeeze:
        return np.asarray(x.take(layer.start, axis=layer.axis))
    index = [slice(None)] * x.ndim
    index[layer.axis] = slice(layer.start, layer.stop, layer.step)
    return x[tuple(index)]


def fold_time(x: AnyArray) -> AnyArray:
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def unfold_time(x: AnyArray, like: AnyArray) -> AnyArray:
    return x.reshape(like.shape[0], like.shape[1], *x.shape[1:])
