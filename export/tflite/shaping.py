"""Layers that move elements and compute nothing."""

from __future__ import annotations

import numpy as np
from typing_extensions import assert_never

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.builder import FreeSize, Tensor
from edgernn.export.tflite.edges import Lowering
from edgernn.export.tflite.options import Profile
from edgernn.graph import (
    ApplyMask,
    FoldTime,
    Moving,
    Repeat,
    Reshape,
    Reverse,
    Slice,
    Transpose,
    UnfoldTime,
    Upsample1D,
    ZeroPad1D,
)


def lowered(low: Lowering, layer: Moving) -> Tensor:
    graph = low.main
    x = low.tensors.stored(layer.input)
    match layer:
        case Reshape():
            return _reshape(low, layer, x)
        case Transpose():
            return ops.transpose(graph, x, layer.permutation)
        case Reverse():
            return reversed_steps(low, x)
        case Repeat():
            row = ops.reshape(graph, x, (x.shape[0], 1, x.shape[1]))
            if low.options.profile is Profile.MICRO:
                first = graph.constant(np.zeros(layer.times, np.int32))
                return ops.gather(graph, row, first, axis=1)
            return ops.tile(graph, row, axis=1, times=layer.times)
        case Upsample1D():
            return _upsample(low, layer, x)
        case ZeroPad1D():
            return ops.pad(graph, x, axis=layer.axis, left=layer.left, right=layer.right)
        case Slice():
            return ops.strided_slice(
                graph,
                x,
                axis=layer.axis % x.rank,
                start=layer.start,
                stop=layer.stop,
                step=layer.step,
                squeeze_axis=layer.squeeze,
            )
        case FoldTime():
            return ops.reshape(graph, x, (ops.product(x.shape[:2]), *x.shape[2:]))
        case UnfoldTime():
            like = low.tensors.stored(layer.like)
            shape = (*like.shape[:2], *x.shape[1:])
            return ops.reshape(graph, x, shape, like={axis: (like, axis) for axis in (0, 1)})
        case ApplyMask():
            return _masked(low, layer, x)
        case _:
            assert_never(layer)


def _masked(low: Lowering, layer: ApplyMask, x: Tensor) -> Tensor:
    graph, valid = low.main, low.tensors[layer.mask]
    if low.options.profile is Profile.MICRO:  # whose operator does not support bool
        marks = ops.expand_dims(graph, ops.mask_as_int8(graph, valid), axis=2)
        valid = ops.mask_of_int8(graph, marks)
    else:
        valid = ops.expand_dims(graph, valid, axis=2)
    return ops.select(graph, valid, x, ops.zero(graph, like=x))


def reversed_steps(low: Lowering, x: Tensor) -> Tensor:
    """x [B, T, ...] from its last step to its first; tflite-micro has no operator for that."""
    steps = x.shape[1]
    if low.options.profile is Profile.MICRO and not isinstance(steps, FreeSize):
        backwards = low.main.constant(np.arange(steps, dtype=np.int32)[::-1].copy())
        return ops.gather(low.main, x, backwards, axis=1)
    return ops.reverse(low.main, x, axis=1)


def _reshape(low: Lowering, layer: Reshape, x: Tensor) -> Tensor:
    shape = low.shape(layer.output)
    free = [axis for axis, size in enumerate(shape) if isinstance(size, FreeSize)]
    if len(free) <= 1:
        return ops.reshape(low.main, x, shape)
    if len(free) == 2 and free[0] == 0:
        # The batch keeps its place, so the other free size is computed: -1.
        return ops.reshape(low.main, x, shape, like={0: (x, 0)})
    raise low.refuse(
        layer,
        f"has a result with {len(free) - 1} sizes that are only known at run time",
        "Fix the model's input length, so that at most one size is left open",
    )


def _upsample(low: Lowering, layer: Upsample1D, x: Tensor) -> Tensor:
    """Copies lie side by side along the axis behind, where a reshape makes them steps."""
    behind = layer.axis + 1
    source = x if behind < x.rank else ops.expand_dims(low.main, x, axis=behind)
    side_by_side = ops.concatenation(low.main, [source] * layer.times, axis=behind)
    kept = {axis: (x, axis) for axis in range(x.rank) if axis != layer.axis}
    return ops.reshape(low.main, side_by_side, low.shape(layer.output), like=kept)
