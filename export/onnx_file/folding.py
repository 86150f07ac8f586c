"""Operators on numbers that the file fixes, computed by numpy, and on sizes that are partly free.

Exporters compute shapes and reorder weights with operators of the graph, so a reader has to run
them.  A small file can ask for a huge result: every result is counted before it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Final

import numpy as np

from edgernn.errors import ModelFileError
from edgernn.export.onnx_file.node import Node
from edgernn.export.onnx_file.values import Array, Atom, Dims, Fill, Tensor, Value, size_of

MAX_RANK: Final = 8

#: Of a file of few bytes; larger files may fold so many times their own size.
FOLDED_BYTES: Final = 32 << 20
FOLDED_TIMES: Final = 4


class Budget:
    """Bytes that folding may still make."""

    def __init__(self, file_bytes: int) -> None:
        self.left = FOLDED_BYTES + FOLDED_TIMES * file_bytes

    def take(self, shape: Sequence[int], item_bytes: int, node: Node) -> None:
        """Raises ModelFileError where a result would be too large."""
        size = prod(int(length) for length in shape) * item_bytes
        if len(shape) > MAX_RANK or size < 0 or size > self.left:
            raise ModelFileError(
                f"the operator {node.kind} '{node.path}' makes a constant of {size:,} bytes and "
                f"rank {len(shape)}, more than edgernn computes for a file of this size",
                remedy="Store the result as a parameter of the model, and export it again",
            )
        self.left -= size


_TYPES: Final[dict[int, Any]] = {
    1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_,
    10: np.float16, 11: np.float64,
}  # fmt: skip

_BINARY: Final[dict[str, Callable[..., Any]]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Equal": np.equal, "Less": np.less,
    "Greater": np.greater, "And": np.logical_and, "Or": np.logical_or,
}  # fmt: skip
_UNARY: Final[dict[str, Callable[..., Any]]] = {
    "Neg": np.negative, "Abs": np.abs, "Sqrt": np.sqrt, "Not": np.logical_not, "Exp": np.exp,
}  # fmt: skip


#: Operators that are computed while a file is read, on constants and sizes only.
FOLDED: Final = frozenset(
    {"Constant", "ConstantOfShape", "Range", "Shape", "Where", *_BINARY, *_UNARY}
)


def axes_of(node: Node, values: Sequence[Value | None], at: int = 1) -> list[int] | None:
    """Axes, an attribute in old opsets and an argument in new ones; None where none are given."""
    if len(values) > at and values[at] is not None:
        return integers_of(node, values[at])
    return node.integers("axes", ()) if node.has("axes") else None


def integers_of(node: Node, value: Value | None) -> list[int]:
    """The numbers of an argument that must be fixed."""
    if isinstance(value, Dims) and all(isinstance(entry, int) for entry in value.entries):
        return [entry for entry in value.entries if isinstance(entry, int)]
    if not isinstance(value, np.ndarray):
        raise node.unsupported(
            "takes an argument that the model computes", "Make it a number in forward()"
        )
    return [int(item) for item in value.reshape(-1)]


def sizes_of(node: Node, value: Value | None) -> list[int | Atom | None]:
    """A shape, its free entries as atoms."""
    if isinstance(value, Dims):
        return list(value.entries)
    return list(integers_of(node, value))


def folded(node: Node, values: list[Value | None], budget: Budget) -> Value | list[Value] | None:
    """The result where all arguments are constants; None for an operator that is not folded."""
    arrays: list[Any] = values
    match node.kind:
        case "Reshape" | "Transpose" | "Unsqueeze" | "Squeeze" | "Flatten" | "Identity" | "Slice":
            return _moved(node, arrays)
        case "Split":
            axis = node.integer("axis", 0)
            sizes = split_sizes(node, values, arrays[0].shape[axis])
            return list(np.split(arrays[0], np.cumsum(sizes)[:-1], axis=axis))
        case "Shape":
            shape = np.array(arrays[0].shape, np.int64)
            return np.asarray(shape[slice(node.attribute("start", 0), node.attribute("end"))])
        case "Concat":
            axis = node.integer("axis", 0)
            budget.take([sum(a.size for a in arrays)], arrays[0].itemsize, node)
            return np.concatenate(arrays, axis=axis)
        case "Gather":
            axis = node.integer("axis", 0)
            data, at = arrays[0], np.asarray(arrays[1])
            rest = data.size // max(data.shape[axis], 1)
            budget.take([at.size, rest], data.itemsize, node)
            return np.asarray(np.take(data, at, axis=axis))
        case "Cast":
            wanted = _TYPES.get(node.integer("to", 0))
            if wanted is None:
                return None
            budget.take(arrays[0].shape, np.dtype(wanted).itemsize, node)
            return np.asarray(arrays[0].astype(wanted))
        case "ConstantOfShape" | "Expand":
            return _spread(node, arrays, budget)
        case "Where":
            budget.take(np.broadcast_shapes(*(a.shape for a in arrays)), 8, node)
            return np.asarray(np.where(*arrays))
        case "Range":
            start, limit, delta = (a.item() for a in arrays)
            budget.take([max(0, int((limit - start) / delta) + 1)], 8, node)
            return np.arange(start, limit, delta, dtype=arrays[0].dtype)
        case "Div":
            budget.take(np.broadcast_shapes(arrays[0].shape, arrays[1].shape), 8, node)
            whole = arrays[0].dtype.kind in "iu"
            divide = np.floor_divide if whole else np.divide
            return np.asarray(divide(*arrays))
        case kind if kind in _BINARY:
            budget.take(np.broadcast_shapes(arrays[0].shape, arrays[1].shape), 8, node)
            return np.asarray(_BINARY[kind](*arrays[:2]))
        case kind if kind in _UNARY:
            budget.take(arrays[0].shape, 8, node)
            return np.asarray(_UNARY[kind](arrays[0]))
        case _:
            return None


def _moved(node: Node, arrays: list[Any]) -> Array:
    """Views of the first argument: they cost nothing."""
    data: Array = arrays[0]
    match node.kind:
        case "Identity":
            return data
        case "Transpose":
            return data.transpose(node.integers("perm", range(data.ndim)[::-1]))
        case "Flatten":
            axis = node.integer("axis", 1)
            return data.reshape(prod(data.shape[:axis]), -1)
        case "Unsqueeze":
            axes = axes_of(node, arrays) or []
            rank = data.ndim + len(axes)
            return np.expand_dims(data, tuple(axis % rank for axis in axes))
        case "Squeeze":
            given = axes_of(node, arrays)
            return np.squeeze(data, None if given is None else tuple(given))
        case "Slice":
            return data[slices_of(node, arrays, data.ndim)]
        case _:
            target = integers_of(node, arrays[1])
            kept = [
                data.shape[at] if size == 0 and not node.integer("allowzero", 0) else size
                for at, size in enumerate(target)
            ]
            return data.reshape(kept)


def slices_of(node: Node, values: Sequence[Value | None], rank: int) -> tuple[slice, ...]:
    """A slice for each axis; attributes before opset 10, arguments since."""
    result = [slice(None)] * rank
    for axis, start, stop, step in slice_arguments(node, values):
        result[axis % rank] = slice(start, stop, step)
    return tuple(result)


def slice_arguments(
    node: Node, values: Sequence[Value | None]
) -> list[tuple[int, int, int | None, int]]:
    """(axis, start, stop, step); a stop beyond every size is None."""
    if node.has("starts"):
        starts, stops = node.integers("starts", ()), node.integers("ends", ())
        axes = node.integers("axes", range(len(starts)))
        steps = [1] * len(starts)
    else:
        starts, stops = integers_of(node, values[1]), integers_of(node, values[2])
        has = [len(values) > at and values[at] is not None for at in (3, 4)]
        axes = integers_of(node, values[3]) if has[0] else list(range(len(starts)))
        steps = integers_of(node, values[4]) if has[1] else [1] * len(starts)
    if not len(starts) == len(stops) == len(axes) == len(steps) or 0 in steps:
        raise node.damaged("has arguments of unlike length")
    far = 1 << 31
    ends = [
        None if (stop >= far if step > 0 else stop <= -far) else stop
        for stop, step in zip(stops, steps, strict=True)
    ]
    return list(zip(axes, starts, ends, steps, strict=True))


def split_sizes(node: Node, values: Sequence[Value | None], size: int | None) -> list[int]:
    """The sizes of the parts of a Split."""
    if len(values) > 1 and values[1] is not None:
        return integers_of(node, values[1])
    if node.has("split"):
        return node.integers("split", ())
    if size is None:
        raise node.unsupported("splits a free axis", "Give the sizes of the parts")
    count = node.integer("num_outputs", len(node.outputs))
    part = -(-size // count)
    return [min(part, size - part * at) for at in range(count)]


def _spread(node: Node, arrays: list[Any], budget: Budget) -> Array:
    """One number, or an array, repeated; not copied, but later operators look at each element."""
    if node.kind == "Expand":
        shape = np.broadcast_shapes(arrays[0].shape, tuple(integers_of(node, arrays[1])))
        source = arrays[0]
    else:
        value = node.attribute("value")
        source = _tensor(value).reshape(()) if value is not None else np.float32(0)
        shape = tuple(integers_of(node, arrays[0]))
    budget.take(shape, source.dtype.itemsize, node)
    return np.broadcast_to(source, shape)


def _tensor(proto: Any) -> Array:
    import onnx

    return onnx.numpy_helper.to_array(proto)


# -- sizes that are partly free


def with_free_sizes(node: Node, values: list[Value | None]) -> Value | None:
    """The result of an operator on sizes or fills; None where it is something else."""
    first = values[0]
    if node.kind == "Shape" and isinstance(first, Tensor):
        entries = tuple(_entry(axis) for axis in first.view)
        start, end = node.attribute("start", 0), node.attribute("end")
        return _plain(Dims(entries=entries[slice(start, end)]))
    if node.kind in ("ConstantOfShape", "Expand") and any(isinstance(v, Dims) for v in values):
        return _filled(node, values)
    if any(isinstance(value, Tensor) for value in values):
        return None
    if any(isinstance(value, Fill) for value in values):
        return _of_fills(node, values)
    if not any(isinstance(value, Dims) for value in values):
        return None
    return _of_sizes(node, values)


def _entry(axis: Sequence[Atom]) -> int | Atom | None:
    size = size_of(tuple(axis))
    if size is not None:
        return size
    return axis[0] if len(axis) == 1 else None


def _plain(dims: Dims) -> Value:
    """An array where nothing is free."""
    if all(isinstance(entry, int) for entry in dims.entries):
        array = np.array(dims.entries, np.int64)
        return array.reshape(()) if dims.scalar else array
    return dims


def _filled(node: Node, values: list[Value | None]) -> Value | None:
    if node.kind == "ConstantOfShape":
        value = node.attribute("value")
        return Fill(value=float(_tensor(value).reshape(-1)[0]) if value is not None else 0.0)
    source = values[0]
    if isinstance(source, Fill):
        return source
    if isinstance(source, np.ndarray) and source.size and bool((source == source.flat[0]).all()):
        return Fill(value=float(source.flat[0]))
    return None


def _of_fills(node: Node, values: list[Value | None]) -> Value | None:
    fills = [value for value in values if isinstance(value, Fill)]
    match node.kind:
        case "Concat" if len(fills) == len(values) and len({f.value for f in fills}) == 1:
            return fills[0]
        case (
            "Identity" | "Cast" | "Transpose" | "Unsqueeze" | "Squeeze" | "Slice" | "Gather"
            | "Expand" | "Reshape"
        ) if isinstance(values[0], Fill):  # fmt: skip
            return fills[0]
        case _:
            return None


def _entries(value: Value | None) -> list[int | Atom | None] | None:
    if isinstance(value, Dims):
        return list(value.entries)
    if isinstance(value, np.ndarray) and value.dtype.kind in "iub" and value.ndim <= 1:
        return [int(item) for item in value.reshape(-1)]
    return None


def _is_scalar(value: Value | None) -> bool:
    return (
        value.scalar
        if isinstance(value, Dims)
        else isinstance(value, np.ndarray) and value.ndim == 0
    )


def _of_sizes(node: Node, values: list[Value | None]) -> Value | None:
    lists = [_entries(value) for value in values if value is not None]
    if None in lists and node.kind != "Gather":
        return None
    first = lists[0] or []
    match node.kind:
        case "Identity" | "Cast":
            return values[0]
        case "Concat":
            return _plain(Dims(entries=tuple(entry for one in lists for entry in one or [])))
        case "Unsqueeze" | "Squeeze" | "Reshape":
            return _plain(Dims(entries=tuple(first), scalar=node.kind == "Squeeze"))
        case "Gather":
            at = values[1]
            if not isinstance(at, np.ndarray):
                return None
            chosen = tuple(first[int(position)] for position in at.reshape(-1))
            return _plain(Dims(entries=chosen, scalar=at.ndim == 0))
        case "Slice":
            ((_, start, stop, step),) = slice_arguments(node, values)
            return _plain(Dims(entries=tuple(first[start:stop:step])))
        case "Where" | "Equal" | "Mul" | "Add" | "Sub" | "Div":
            length = max(len(one or []) for one in lists)
            rows = [(one or []) * (length if len(one or []) == 1 else 1) for one in lists]
            results = tuple(_computed(node.kind, entries) for entries in zip(*rows, strict=True))
            return _plain(Dims(entries=results, scalar=all(map(_is_scalar, values))))
        case _:
            return None


def _computed(kind: str, entries: tuple[int | Atom | None, ...]) -> int | Atom | None:
    """One number of a shape; None where it depends on a free size in a way that is not kept."""
    if kind == "Where":
        test, then, other = entries
        return (then if test else other) if isinstance(test, int) else None
    left, right = entries
    if kind == "Equal":
        if isinstance(left, int) and isinstance(right, int):
            return int(left == right)
        # A size is never negative: Expand's -1 is asked for like this.
        known = left if isinstance(left, int) else right
        return 0 if isinstance(known, int) and known < 0 else None
    if isinstance(left, int) and isinstance(right, int):
        if kind == "Div":
            return left // right if right else None
        return {"Mul": left * right, "Add": left + right, "Sub": left - right}[kind]
    neutral = 1 if kind in ("Mul", "Div") else 0
    if right == neutral:
        return left
    return right if left == neutral and kind in ("Mul", "Add") else None
