"""Operators that move elements or read sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from edgernn.export.tflite import schema
from edgernn.export.tflite.builder import FreeSize, Subgraph, Tensor
from edgernn.export.tflite.operators.append import append, integer_version
from edgernn.export.tflite.operators.sizes import broadcast, free_like, total
from edgernn.export.tflite.schema import Op, TensorType


def gather(graph: Subgraph, x: Tensor, indices: Tensor, *, axis: int) -> Tensor:
    """The entries of one axis at the indices (int32, of any rank)."""
    version = {TensorType.INT8: 2, TensorType.BOOL: 3, TensorType.INT16: 4}.get(x.type, 1)
    return append(
        graph,
        Op.GATHER,
        [x, indices],
        (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]),
        options=schema.gather(axis),
        version=version,
        to=x.quantization,
    )


def split(graph: Subgraph, x: Tensor, parts: int) -> list[Tensor]:
    """Equal parts along the last axis."""
    axis = x.rank - 1
    shape = (*x.shape[:-1], x.shape[-1] // parts)
    outputs = [graph.tensor(shape, x.type, quantization=x.quantization) for _ in range(parts)]
    graph.add(
        Op.SPLIT,
        [graph.constant(np.array(axis, np.int32)), x],
        outputs,
        options=schema.split(parts),
        version=integer_version(x),
    )
    return outputs


def concatenation(graph: Subgraph, parts: Sequence[Tensor], *, axis: int) -> Tensor:
    first = parts[0]
    axis %= first.rank
    joined = total([part.shape[axis] for part in parts])
    others = [broadcast(*([part.shape[at]] for part in parts))[0] for at in range(first.rank)]
    return append(
        graph,
        Op.CONCATENATION,
        parts,
        (*others[:axis], joined, *others[axis + 1 :]),
        options=schema.concatenation(axis),
        version=integer_version(first),
        to=first.quantization,
    )


def transpose(graph: Subgraph, x: Tensor, permutation: Sequence[int]) -> Tensor:
    if list(permutation) == list(range(x.rank)):
        return x
    version = {TensorType.INT8: 2, TensorType.BOOL: 3}.get(x.type, 1)
    return append(
        graph,
        Op.TRANSPOSE,
        [x, graph.constant(np.array(permutation, np.int32))],
        [x.shape[axis] for axis in permutation],
        options=schema.transpose(),
        version=4 if x.rank > 4 else version,
        to=x.quantization,
    )


def reverse(graph: Subgraph, x: Tensor, *, axis: int) -> Tensor:
    version = {TensorType.INT8: 3, TensorType.BOOL: 2}.get(x.type, 1)
    axes = graph.constant(np.array([axis], np.int32))
    return append(graph, Op.REVERSE_V2, [x, axes], x.shape, version=version, to=x.quantization)


def pad(graph: Subgraph, x: Tensor, *, axis: int, left: int, right: int) -> Tensor:
    """Zeros before and after one axis."""
    if left == right == 0:
        return x
    amounts = np.zeros((x.rank, 2), np.int32)
    amounts[axis] = left, right
    size = x.shape[axis]
    return append(
        graph,
        Op.PAD,
        [x, graph.constant(amounts)],
        (*x.shape[:axis], free_like(size, size + left + right), *x.shape[axis + 1 :]),
        version=4 if x.rank > 4 else integer_version(x),
        to=x.quantization,
    )


def tile(graph: Subgraph, x: Tensor, *, axis: int, times: int) -> Tensor:
    multiples = np.ones(x.rank, np.int32)
    multiples[axis] = times
    size = x.shape[axis]
    return append(
        graph,
        Op.TILE,
        [x, graph.constant(multiples)],
        (*x.shape[:axis], free_like(size, size * times), *x.shape[axis + 1 :]),
        version=3 if x.type is TensorType.INT8 else 1,
        to=x.quantization,
    )


def expand_dims(graph: Subgraph, x: Tensor, *, axis: int) -> Tensor:
    axis = axis % (x.rank + 1)
    return append(
        graph,
        Op.EXPAND_DIMS,
        [x, graph.constant(np.array(axis, np.int32))],
        (*x.shape[:axis], 1, *x.shape[axis:]),
        to=x.quantization,
    )


def squeeze(graph: Subgraph, x: Tensor, *, axis: int) -> Tensor:
    return append(
        graph,
        Op.SQUEEZE,
        [x],
        (*x.shape[:axis], *x.shape[axis + 1 :]),
        options=schema.squeeze([axis]),
        to=x.quantization,
    )


def strided_slice(
    graph: Subgraph,
    x: Tensor,
    *,
    axis: int,
    start: int = 0,
    stop: int | None = None,
    step: int = 1,
    squeeze_axis: bool = False,
) -> Tensor:
    """x[..., start:stop:step, ...] along one axis; x[..., start, ...] with `squeeze_axis`."""
    begin, end, strides = (np.full(x.rank, fill, np.int32) for fill in (0, 0, 1))
    begin[axis], strides[axis] = start, step
    other_axes = ((1 << x.rank) - 1) & ~(1 << axis)
    end_mask = other_axes
    if squeeze_axis:
        end[axis] = start + 1
    elif stop is None:
        end_mask |= 1 << axis
    else:
        end[axis] = stop
    kept: list[int] = []
    if not squeeze_axis:
        size = x.shape[axis]
        taken = len(range(*slice(start, stop, step).indices(size)))
        fixed = isinstance(size, FreeSize) and start < 0 and stop is None
        kept = [taken if fixed else free_like(size, taken)]
    return append(
        graph,
        Op.STRIDED_SLICE,
        [x, graph.constant(begin), graph.constant(end), graph.constant(strides)],
        (*x.shape[:axis], *kept, *x.shape[axis + 1 :]),
        options=schema.strided_slice(
            begin_mask=other_axes,
            end_mask=end_mask,
            shrink_axis_mask=1 << axis if squeeze_axis else 0,
        ),
        version={TensorType.INT8: 2, TensorType.BOOL: 3}.get(x.type, 1),
        to=x.quantization,
    )


def dynamic_update_slice(graph: Subgraph, x: Tensor, update: Tensor, start: Tensor) -> Tensor:
    """x with `update` written at `start` (int32 [rank])."""
    return append(graph, Op.DYNAMIC_UPDATE_SLICE, [x, update, start], x.shape, to=x.quantization)


def reshape(
    graph: Subgraph,
    x: Tensor,
    shape: Sequence[int],
    *,
    like: Mapping[int, tuple[Tensor, int]] | None = None,
) -> Tensor:
    """x in another shape.

    One size may be free.  Further free sizes are read at run time: `like` maps such an axis to a
    tensor and its axis of the same size.
    """
    free = [axis for axis, size in enumerate(shape) if isinstance(size, FreeSize)]
    if len(free) <= 1:
        target = graph.constant(_fixed_sizes(shape))
    else:
        sources = like or {}
        parts = [
            _size_vector(graph, *sources[axis])
            if axis in free and axis in sources
            else graph.constant(_fixed_sizes([size]))
            for axis, size in enumerate(shape)
        ]
        target = concatenation(graph, parts, axis=0)
    return append(
        graph, Op.RESHAPE, [x, target], shape, options=schema.reshape(), to=x.quantization
    )


def _fixed_sizes(shape: Sequence[int]) -> npt.NDArray[np.int32]:
    return np.array([-1 if isinstance(size, FreeSize) else size for size in shape], np.int32)


def _size_vector(graph: Subgraph, x: Tensor, axis: int) -> Tensor:
    return strided_slice(graph, shape_of(graph, x), axis=0, start=axis, stop=axis + 1)


def zeros_like(graph: Subgraph, x: Tensor) -> Tensor:
    return append(graph, Op.ZEROS_LIKE, [x], x.shape)


def shape_of(graph: Subgraph, x: Tensor) -> Tensor:
    """The sizes of x at run time, int32 [rank]."""
    return append(graph, Op.SHAPE, [x], (x.rank,), type_=TensorType.INT32, options=schema.shape())


def size_of(graph: Subgraph, x: Tensor, axis: int) -> Tensor:
    """One size of x, int32 []: a constant if it is known."""
    size = x.shape[axis]
    if not isinstance(size, FreeSize):
        return graph.constant(np.array(size, np.int32))
    return gather(graph, shape_of(graph, x), graph.constant(np.array(axis, np.int32)), axis=0)


def number_range(graph: Subgraph, stop: Tensor, stop_size: int) -> Tensor:
    """0, 1, ... stop - 1 as int32; `stop_size` is the value of stop in the file."""
    zero, one = (graph.constant(np.array(value, np.int32)) for value in (0, 1))
    return append(graph, Op.RANGE, [zero, stop, one], (stop_size,))
