"""Operations that move elements: `x[:, -1, :]`, `keras.ops.stack`, `split`, `reshape`."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any, Final

import numpy as np

from edgernn.export.keras.call import Call, Tensor
from edgernn.export.keras.mask_operations import as_tensor
from edgernn.export.keras.reshaping import reshape
from edgernn.export.keras.symbolic import (
    Joined,
    Spread,
    Translate,
    Unequal,
    Value,
    single_axis,
    spread,
    tensor_of,
    unknown,
)
from edgernn.export.keras.whole_numbers import Whole, of_type, refusal
from edgernn.graph import (
    Affine,
    Cast,
    Concatenate,
    DType,
    Reshape,
    Reverse,
    Shape,
    Slice,
    Transpose,
)


def _get_item(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    key = options.get("slice_spec", options.get("key", args[1] if len(args) > 1 else None))
    edge = tensor_of(call, args[0]).edge
    parts = list(key) if isinstance(key, list | tuple) else [key]
    if any(part is Ellipsis for part in parts):
        position = next(place for place, part in enumerate(parts) if part is Ellipsis)
        taken = sum(part is not None for part in parts) - 1
        missing = call.builder.rank(edge) - taken
        parts[position : position + 1] = [slice(None)] * missing
    axis = 0
    for part in parts:
        result = _widened(call, edge, axis) if part is None else _slice(call, edge, axis, part)
        if result is None:
            return unknown(call, f"indexing with {part!r}")
        edge = result
        axis += 0 if isinstance(part, int) else 1
    return Tensor(edge=edge)


def _slice(call: Call, edge: str, axis: int, part: Any) -> str | None:
    """One axis of an index; None if there is no translation."""
    if isinstance(part, dict):  # SlicingOpLambda
        part = slice(part.get("start"), part.get("stop"), part.get("step"))
    bounds = (part.start, part.stop, part.step) if isinstance(part, slice) else (part,)
    if any(bound is not None and type(bound) is not int for bound in bounds):
        return None
    if part == slice(None):
        return edge
    if axis == 0 or axis >= call.builder.rank(edge):
        return None
    name = call.aside(f"axis{axis}")
    if isinstance(part, int):
        stop = part + 1 if part != -1 else None
        call.add(Slice(
            name=name, input=edge, output=name, axis=axis, start=part, stop=stop, squeeze=True
        ))  # fmt: skip
    elif part == slice(None, None, -1) and axis == 1:
        call.add(Reverse(name=name, input=edge, output=name))
    elif part.step is None or part.step > 0:
        call.add(Slice(
            name=name, input=edge, output=name, axis=axis, start=part.start or 0, stop=part.stop,
            step=part.step or 1,
        ))  # fmt: skip
    else:
        return None
    return name


def _widened(call: Call, edge: str, axis: int) -> str | None:
    """A new axis of size 1 at `axis`; None if a reshape cannot express it."""
    shape = call.builder.shape(edge)
    if axis == 0 or axis > len(shape) or shape[1:].count(None) > 1:
        return None
    target = _open_sizes(shape)
    target.insert(axis - 1, 1)
    name = call.aside("widened")
    call.add(Reshape(name=name, input=edge, output=name, target=tuple(target)))
    return name


def _open_sizes(shape: Shape) -> list[int]:
    """All sizes but the batch, as a reshape's target."""
    return [-1 if size is None else size for size in shape[1:]]


def _expand_dims(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    axis = single_axis(options.get("axis"))
    spread_mask = spread(call, args[0], axis)
    if spread_mask is not None:
        return spread_mask
    if not isinstance(args[0], Tensor) or type(axis) is not int:
        return unknown(call)
    edge = args[0].edge
    widened = _widened(call, edge, axis % (call.builder.rank(edge) + 1))
    return unknown(call) if widened is None else Tensor(edge=widened)


def _concatenate(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    parts = args[0] if args else None
    axis = options.get("axis", -1)
    if not isinstance(parts, list) or not parts or type(axis) is not int:
        return unknown(call)
    if all(isinstance(part, Spread) for part in parts):
        return Joined(parts=tuple(parts), axis=axis)
    parts = [as_tensor(call, part) for part in parts]
    if not all(isinstance(part, Tensor) for part in parts) or axis == 0:
        return unknown(call)
    edges = tuple(part.edge for part in parts)
    call.add(Concatenate(name=call.name, inputs=edges, output=call.name, axis=axis))
    return Tensor(edge=call.name)


def _stack(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    parts, axis = args[0], options.get("axis", 0)
    if not isinstance(parts, list) or not parts or type(axis) is not int:
        return unknown(call)
    edges = [tensor_of(call, part).edge for part in parts]
    axis %= call.builder.rank(edges[0]) + 1
    widened = [_widened(call, edge, axis) for edge in edges]
    known = tuple(edge for edge in widened if edge is not None)
    if len(known) != len(widened):
        return unknown(call, f"Stack along axis {axis}")
    call.add(Concatenate(name=call.name, inputs=known, output=call.name, axis=axis))
    return Tensor(edge=call.name)


def _split(call: Call, args: list[Any], options: dict[str, Any]) -> Value | list[Value]:
    """Keras 3 stores a count or the positions of the cuts, TensorFlow a count or the sizes."""
    edge = tensor_of(call, args[0]).edge
    shape = call.builder.shape(edge)
    axis = options.get("axis", 0)
    total = shape[axis] if type(axis) is int and -len(shape) <= axis < len(shape) else None
    if total is None or axis % len(shape) == 0:
        return unknown(call, f"Split of axis {axis}")
    given = options.get("indices_or_sections", options.get("num_or_size_splits"))
    if type(given) is int and given > 0 and total % given == 0:
        places = list(range(total // given, total, total // given))
    elif isinstance(given, list) and given and all(type(size) is int for size in given):
        summed = [sum(given[: count + 1]) for count in range(len(given) - 1)]
        places = summed if "num_or_size_splits" in options else given
    else:
        return unknown(call)
    edges = [0, *places, total]
    if any(start >= stop for start, stop in itertools.pairwise(edges)):
        return unknown(call)
    results: list[Value] = []
    for start, stop in itertools.pairwise(edges):
        name = call.aside("part")
        call.add(Slice(
            name=name, input=edge, output=name, axis=axis % len(shape), start=start, stop=stop
        ))  # fmt: skip
        results.append(Tensor(edge=name))
    return results


def _squeeze(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    edge = tensor_of(call, args[0]).edge
    axis, shape = single_axis(options.get("axis")), call.builder.shape(edge)
    if type(axis) is not int or not -len(shape) <= axis < len(shape):
        return unknown(call)
    if axis % len(shape) == 0 or shape[axis] != 1:
        return unknown(call)
    call.add(Slice(
        name=call.name, input=edge, output=call.name, axis=axis % len(shape), stop=1, squeeze=True
    ))  # fmt: skip
    return Tensor(edge=call.name)


def _flip(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    edge = tensor_of(call, args[0]).edge
    if single_axis(options.get("axis")) not in (1, 1 - call.builder.rank(edge)):
        return unknown(call)
    call.add(Reverse(name=call.name, input=edge, output=call.name))
    return Tensor(edge=call.name)


def _transpose(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    edge = tensor_of(call, args[0]).edge
    order = options.get("axes", options.get("perm"))
    if not isinstance(order, list | tuple) or not all(type(axis) is int for axis in order):
        return unknown(call)
    rank = call.builder.rank(edge)
    permutation = tuple(axis % rank for axis in order)
    call.add(Transpose(name=call.name, input=edge, output=call.name, permutation=permutation))
    return Tensor(edge=call.name)


def _cast(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    """A cast between float types adds nothing; a cast of an input to integers makes it tokens."""
    tensor = tensor_of(call, args[0])
    wanted = str(options.get("dtype"))
    if wanted.startswith(("float", "bfloat")):
        return Tensor(edge=_as_floats(call, call.builder.as_numbers(tensor.edge, call.layer)))
    if wanted == "bool":
        is_mask = call.builder.dtype(tensor.edge) is DType.BOOL
        return tensor if is_mask else Unequal(edge=tensor.edge, value=0.0)
    if wanted.startswith(("int", "uint")) and call.builder.dtype(tensor.edge) is DType.BOOL:
        call.add(Cast(name=call.name, input=tensor.edge, output=call.name))
        call.builder.note_whole(call.name, Whole(dtype=wanted, low=0, high=1))
        return Tensor(edge=call.name)
    if wanted.startswith(("int", "uint")):
        call.builder.as_tokens(tensor.edge, call.layer)
        known, asked = call.builder.wholes.get(tensor.edge), of_type(wanted)
        if known is not None and asked is not None and not asked.holds(known):
            raise refusal(call.layer, f"casts {known.dtype} to {wanted}")
        if known is None:
            call.builder.note_whole(tensor.edge, asked)
        elif asked is not None and asked.dtype != known.dtype:  # the same numbers in another type
            axis = call.builder.rank(tensor.edge) - 1
            call.add(Slice(name=call.name, input=tensor.edge, output=call.name, axis=axis))
            call.builder.note_whole(call.name, replace(known, dtype=wanted))
            return Tensor(edge=call.name, mask=tensor.mask)
        return tensor
    return unknown(call, f"Cast to {wanted}")


def _as_floats(call: Call, edge: str) -> str:
    """A new edge where Keras had whole numbers: from here on it computes in floats."""
    if edge not in call.builder.wholes:
        return edge
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    call.add(Affine(name=call.name, input=edge, output=call.name, scale=one, offset=zero))
    return call.name


def _same(_call: Call, args: list[Any], _: dict[str, Any]) -> Value:
    return args[0]  # type: ignore[no-any-return]


SHAPES: Final[dict[str, Translate]] = {
    "GetItem": _get_item,
    "ExpandDims": _expand_dims,
    "Squeeze": _squeeze,
    "Concatenate": _concatenate,
    "Stack": _stack,
    "Split": _split,
    "Reshape": reshape,
    "Flip": _flip,
    "Transpose": _transpose,
    "Cast": _cast,
    "Identity": _same,
    "ConvertToTensor": _same,
    "StopGradient": _same,
}
