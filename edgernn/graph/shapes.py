"""Shape inference: what each layer writes, given what it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from typing_extensions import assert_never

from edgernn.dtype import DType
from edgernn.graph import layers as ly
from edgernn.graph.recurrent import Gru, Lstm, Recurrent, SimpleRnn
from edgernn.graph.tensor import Shape, TensorSpec


class ShapeError(ValueError):
    """Two shapes do not fit; the text names both."""


class WrongType(ShapeError):
    """A layer takes numbers where there are tokens or a mask, or the other way round."""


def infer(layer: ly.Layer, reads: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """Specs of `layer.writes`, given those of `layer.reads`.

    Raises ShapeError where a rank, a size or an element type does not fit.
    """
    match layer:
        case ly.Embedding():
            _expect(layer, reads[0], DType.INT32)
            return (TensorSpec(shape=(*reads[0].shape, layer.table.shape[1])),)
        case SimpleRnn() | Gru() | Lstm():
            return _recurrent(layer, reads)
        case ly.Dense():
            _expect(layer, reads[0])
            _expect_size(layer, reads[0].shape[-1], layer.kernel.shape[0], "input features")
            return (TensorSpec(shape=(*reads[0].shape[:-1], layer.kernel.shape[1])),)
        case ly.Conv1D():
            batch, time, channels = _sequence(layer, reads[0])
            _expect_size(layer, channels, layer.kernel.shape[1] * layer.groups, "channels")
            window = (layer.kernel.shape[0] - 1) * layer.dilation + 1
            steps = _window_steps(time, window, layer.stride, layer.padding)
            return (TensorSpec(shape=(batch, steps, layer.kernel.shape[2])),)
        case ly.Conv2D():
            batch, rows, columns, channels = _image(layer, reads[0])
            _expect_size(layer, channels, layer.kernel.shape[2] * layer.groups, "channels")
            sizes = _window_sizes((rows, columns), layer.spans, layer.strides, layer.paddings)
            return (TensorSpec(shape=(batch, *sizes, layer.kernel.shape[3])),)
        case ly.Pool2D():
            batch, rows, columns, channels = _image(layer, reads[0])
            sizes = _window_sizes((rows, columns), layer.window, layer.strides, layer.paddings)
            return (TensorSpec(shape=(batch, *sizes, channels)),)
        case ly.Pool1D():
            batch, time, channels = _sequence(layer, reads[0])
            steps = _window_steps(time, layer.window, layer.stride, layer.padding)
            return (TensorSpec(shape=(batch, steps, channels)),)
        case ly.GlobalPool1D():
            batch, _, channels = _sequence(layer, reads[0])
            return (
                TensorSpec(shape=(batch, 1, channels) if layer.keepdims else (batch, channels)),
            )
        case ly.Affine():
            _expect(layer, reads[0])
            scaled = _broadcast(layer, [reads[0].shape, layer.scale.shape, layer.offset.shape])
            return (TensorSpec(shape=scaled),)
        case ly.LayerNorm() | ly.Activate() | ly.PRelu():
            _expect(layer, reads[0])
            if isinstance(layer, ly.LayerNorm) and layer.axes == 1 and layer.gamma is not None:
                _expect_size(layer, reads[0].shape[-1], layer.gamma.shape[-1], "features")
            if isinstance(layer, ly.PRelu):
                _broadcast(layer, [reads[0].shape, layer.alpha.shape])
            return (reads[0],)
        case ly.Reshape():
            return (TensorSpec(shape=_reshaped(layer, reads[0].shape), dtype=reads[0].dtype),)
        case ly.Transpose():
            if sorted(layer.permutation) != list(range(reads[0].rank)):
                raise ShapeError(
                    f"layer '{layer.name}' orders axes {layer.permutation} of {reads[0].shape}"
                )
            moved = tuple(reads[0].shape[axis] for axis in layer.permutation)
            return (TensorSpec(shape=moved, dtype=reads[0].dtype),)
        case ly.Reverse():
            return (reads[0],)
        case ly.Repeat():
            _expect_rank(layer, reads[0], 2)
            batch, features = reads[0].shape
            return (TensorSpec(shape=(batch, layer.times, features), dtype=reads[0].dtype),)
        case ly.Upsample1D():
            return (_grown(layer, reads[0], lambda size: size * layer.times),)
        case ly.ZeroPad1D():
            return (_grown(layer, reads[0], lambda size: size + layer.left + layer.right),)
        case ly.Slice():
            return (TensorSpec(shape=_sliced(layer, reads[0].shape), dtype=reads[0].dtype),)
        case ly.FoldTime():
            batch, time, *rest = reads[0].shape
            folded = None if batch is None or time is None else batch * time
            return (TensorSpec(shape=(folded, *rest), dtype=reads[0].dtype),)
        case ly.UnfoldTime():
            batch, time = reads[1].shape[:2]
            return (TensorSpec(shape=(batch, time, *reads[0].shape[1:]), dtype=reads[0].dtype),)
        case ly.Concatenate():
            return (TensorSpec(shape=_concatenated(layer, reads), dtype=reads[0].dtype),)
        case ly.Merge():
            merged = _broadcast(layer, [spec.shape for spec in reads])
            return (TensorSpec(shape=merged, dtype=reads[0].dtype),)
        case ly.Dot():
            return (TensorSpec(shape=_dotted(layer, reads[0].shape, reads[1].shape)),)
        case ly.Attention():
            query, value = reads[0].shape, reads[1].shape
            return (TensorSpec(shape=(query[0], query[1], value[2])),)
        case ly.NotEqual():
            _expect(layer, reads[0], DType.INT32)
            return (TensorSpec(shape=reads[0].shape, dtype=DType.BOOL),)
        case ly.AnyNotEqual():
            return (TensorSpec(shape=reads[0].shape[:-1], dtype=DType.BOOL),)
        case ly.Cast():
            if reads[0].dtype is DType.FLOAT32:
                raise WrongType(f"layer '{layer.name}' takes tokens or a mask, not numbers")
            return (TensorSpec(shape=reads[0].shape),)
        case ly.Compare():
            _expect(layer, reads[0])
            return (TensorSpec(shape=reads[0].shape, dtype=DType.BOOL),)
        case ly.Where():
            _expect(layer, reads[0], DType.BOOL)
            chosen = _broadcast(layer, [spec.shape for spec in reads])
            return (TensorSpec(shape=chosen, dtype=reads[1].dtype),)
        case ly.ApplyMask():
            _expect(layer, reads[1], DType.BOOL)
            return (reads[0],)
        case _:
            assert_never(layer)


def _recurrent(layer: Recurrent, reads: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    batch, time, features = _sequence(layer, reads[0])
    _expect_size(layer, features, layer.features, "input features")
    for spec in reads[1:]:
        _expect_rank(layer, spec, 2)
        if spec.dtype is not DType.BOOL:
            _expect_size(layer, spec.shape[1], layer.units, "units of the initial state")
    state = TensorSpec(shape=(batch, layer.units))
    output = TensorSpec(shape=(batch, time, layer.units)) if layer.return_sequences else state
    return (output, state, state) if isinstance(layer, Lstm) else (output, state)


def window_padding(time: int, window: int, stride: int) -> tuple[int, int]:
    """(left, right) steps that Padding.SAME adds around `time` steps; `window` is dilated."""
    missing = max((-(-time // stride) - 1) * stride + window - time, 0)
    return missing // 2, missing - missing // 2


def _window_steps(time: int | None, window: int, stride: int, padding: ly.Padding) -> int | None:
    if time is None:
        return None
    if padding is ly.Padding.VALID:
        if time < window:
            raise ShapeError(f"a window of {window} steps does not fit into {time}")
        return (time - window) // stride + 1
    return -(-time // stride)


def _sequence(layer: ly.Layer, spec: TensorSpec) -> tuple[int | None, int | None, int | None]:
    _expect(layer, spec)
    _expect_rank(layer, spec, 3)
    batch, time, features = spec.shape
    return batch, time, features


def _image(layer: ly.Layer, spec: TensorSpec) -> Shape:
    _expect(layer, spec)
    _expect_rank(layer, spec, 4)
    return spec.shape


def _window_sizes(
    sizes: Shape,
    spans: tuple[int, int],
    strides: tuple[int, int],
    paddings: tuple[ly.Padding, ly.Padding],
) -> list[int | None]:
    """Rows and columns after a window of `spans`."""
    return [_window_steps(*axis) for axis in zip(sizes, spans, strides, paddings, strict=True)]


def _grown(
    layer: ly.Upsample1D | ly.ZeroPad1D, spec: TensorSpec, grow: Callable[[int], int]
) -> TensorSpec:
    if not 0 < layer.axis < spec.rank:
        raise ShapeError(f"layer '{layer.name}' has no axis {layer.axis} in {spec.shape}")
    size = spec.shape[layer.axis]
    taken = None if size is None else grow(size)
    shape = (*spec.shape[: layer.axis], taken, *spec.shape[layer.axis + 1 :])
    return TensorSpec(shape=shape, dtype=spec.dtype)


def _expect(layer: ly.Layer, spec: TensorSpec, dtype: DType = DType.FLOAT32) -> None:
    if spec.dtype is not dtype:
        raise WrongType(f"layer '{layer.name}' takes {dtype.value}, not {spec.dtype.value}")


def _expect_rank(layer: ly.Layer, spec: TensorSpec, rank: int) -> None:
    if spec.rank != rank:
        raise ShapeError(f"layer '{layer.name}' takes a tensor of rank {rank}, not {spec.shape}")


def _expect_size(layer: ly.Layer, found: int | None, wanted: int, what: str) -> None:
    if found is not None and found != wanted:
        raise ShapeError(f"layer '{layer.name}' takes {wanted} {what}, not {found}")


def _reshaped(layer: ly.Reshape, shape: Shape) -> Shape:
    rest = shape[1:]
    if None in rest:
        # -1 stands for what only the run will tell; a lone None may be named by position.
        return (shape[0], *(None if size == -1 else size for size in layer.target))
    total = prod(size for size in rest if size is not None)
    known = prod(size for size in layer.target if size != -1)
    fits = known == total if -1 not in layer.target else known > 0 and total % known == 0
    if not fits:
        raise ShapeError(f"layer '{layer.name}' cannot reshape {rest} to {layer.target}")
    return (shape[0], *(total // known if size == -1 else size for size in layer.target))


def _sliced(layer: ly.Slice, shape: Shape) -> Shape:
    axis = layer.axis % len(shape)
    before, size, after = shape[:axis], shape[axis], shape[axis + 1 :]
    if layer.squeeze:
        return (*before, *after)
    if size is None:
        taken = _open_slice_length(layer)
    else:
        taken = len(range(*slice(layer.start, layer.stop, layer.step).indices(size)))
    return (*before, taken, *after)


def _open_slice_length(layer: ly.Slice) -> int | None:
    """A slice of a free dimension is free too, but for the last n of it: x[:, -n:]."""
    if layer.start < 0 and layer.stop is None:
        return len(range(0, -layer.start, layer.step))
    return None


def _concatenated(layer: ly.Concatenate, reads: Sequence[TensorSpec]) -> Shape:
    axis = layer.axis % reads[0].rank
    if len({spec.rank for spec in reads}) != 1 or len({spec.dtype for spec in reads}) != 1:
        raise ShapeError(f"layer '{layer.name}' joins unlike tensors: {[s.shape for s in reads]}")
    joined: list[int | None] = []
    for position in range(reads[0].rank):
        sizes = [spec.shape[position] for spec in reads]
        if position != axis:
            joined.append(_same_size(layer, sizes))
        else:
            known = [size for size in sizes if size is not None]
            joined.append(sum(known) if len(known) == len(sizes) else None)
    return tuple(joined)


def _same_size(layer: ly.Layer, sizes: Sequence[int | None]) -> int | None:
    known = {size for size in sizes if size is not None}
    if len(known) > 1:
        raise ShapeError(f"layer '{layer.name}' meets sizes {sorted(known)} in one dimension")
    return known.pop() if known else None


def _broadcast(layer: ly.Layer, shapes: Sequence[Shape]) -> Shape:
    rank = max(len(shape) for shape in shapes)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    sizes: list[int | None] = []
    for position in range(rank):
        here = [shape[position] for shape in padded]
        sizes.append(
            _same_size(layer, [size for size in here if size != 1]) if set(here) != {1} else 1
        )
    return tuple(sizes)


def _dotted(layer: ly.Dot, left: Shape, right: Shape) -> Shape:
    _same_size(layer, [left[layer.left_axis], right[layer.right_axis]])
    kept = [size for axis, size in enumerate(left) if axis not in (0, layer.left_axis)]
    kept += [size for axis, size in enumerate(right) if axis not in (0, layer.right_axis)]
    return (left[0], *kept) if kept else (left[0], 1)
