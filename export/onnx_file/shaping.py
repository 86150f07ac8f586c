"""Operators that move, cut and join values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgernn.export.onnx_file.builder import Builder, ordered
from edgernn.export.onnx_file.dense import embedding
from edgernn.export.onnx_file.elementwise import computed
from edgernn.export.onnx_file.folding import (
    axes_of,
    sizes_of,
    slice_arguments,
    split_sizes,
)
from edgernn.export.onnx_file.layout import (
    reshaped,
    squeezed,
    taken,
    transposed,
    unsqueezed,
    with_axis,
)
from edgernn.export.onnx_file.node import Node
from edgernn.export.onnx_file.values import (
    Atom,
    Axes,
    Tensor,
    Value,
    axis_of,
    bare,
    frozen_size,
    is_batch,
    same_axis,
    size_of,
)
from edgernn.graph import Concatenate, Repeat, Reverse


def moved(_builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """Transpose, Squeeze, Unsqueeze, Reshape, Flatten, Identity: another view of the same edge."""
    x = computed(node, values[0])
    rank = len(x.view)
    match node.kind:
        case "Transpose":
            return [transposed(x, node.integers("perm", range(rank)[::-1]))]
        case "Squeeze":
            return [squeezed(x, axes_of(node, values), node)]
        case "Unsqueeze":
            return [unsqueezed(x, axes_of(node, values) or [])]
        case "Flatten":
            return [_flat(x, node.integer("axis", 1) % (rank + 1), node)]
        case "Reshape":
            allow_zero = bool(node.integer("allowzero", 0))
            return [reshaped(x, sizes_of(node, values[1]), node, allow_zero=allow_zero)]
        case "Dropout":
            training = values[2] if len(values) > 2 else None
            if isinstance(training, np.ndarray) and training.any():
                raise node.unsupported("is in training mode", "Call model.eval() first")
            return [x]
        case _:
            return [x]


def _flat(x: Tensor, axis: int, node: Node) -> Tensor:
    if not 0 < axis <= len(x.view):
        raise node.unsupported("mixes the rows of the batch", "Use flatten(1)")
    front: tuple[Atom, ...] = tuple(atom for one in x.view[:axis] for atom in one)
    back: tuple[Atom, ...] = tuple(atom for one in x.view[axis:] for atom in one)
    return x.seen_as((front, back))


def gathered(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """Rows of a table by token, or one element along an axis (x[:, -1])."""
    data, at = values[:2]
    if isinstance(data, np.ndarray) and isinstance(at, Tensor):
        return [embedding(builder, node, data, at)]
    if not isinstance(data, Tensor) or not isinstance(at, np.ndarray):
        raise node.unsupported(
            "takes elements at places that the model computes", "Take them at fixed places"
        )
    axis, places = node.integer("axis", 0), [int(place) for place in at.reshape(-1)]
    if at.ndim == 0:
        return [taken(builder, data, axis, places[0], None, node, squeeze=True)]
    if at.ndim == 1 and len(places) == 1 and places[0] != -1:
        return [taken(builder, data, axis, places[0], places[0] + 1, node)]
    if (
        at.ndim == 1
        and places == list(range(places[0], places[0] + len(places)))
        and places[0] >= 0
    ):
        return [taken(builder, data, axis, places[0], places[-1] + 1, node)]
    if at.ndim == 1 and places == [-1]:
        return [taken(builder, data, axis, -1, None, node)]
    raise node.unsupported(
        f"takes the elements {places}", "Take one element, or a range of neighbours"
    )


def sliced(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """start:stop:step along some axes; the whole axis backwards is a Reverse."""
    x = computed(node, values[0])
    for axis, start, stop, step in slice_arguments(node, values):
        if step > 0:
            if (start, stop, step) != (0, None, 1):
                x = taken(builder, x, axis, start, stop, node, step=step)
            continue
        size = size_of(bare(x.view[axis % len(x.view)]))
        begins_last = start == -1 or start >= (1 << 31) or (size is not None and start >= size - 1)
        if step != -1 or stop is not None or not begins_last:
            raise node.unsupported("takes elements backwards", "Flip whole axes only")
        x = _flipped(builder, node, x, axis % len(x.view))
    return [x]


def _flipped(builder: Builder, node: Node, x: Tensor, axis: int) -> Tensor:
    others = [at for at in range(len(x.view)) if at != axis]
    batch = [at for at in others if is_batch(x.view[at])]
    if len(batch) != 1:
        raise node.unsupported("flips the batch", "Flip axes of a row only")
    rest = [at for at in ordered(x, others) if at != batch[0]]
    wanted = tuple(x.view[at] for at in (batch[0], axis, *rest))
    name = builder.unique(node.role)
    edge = builder.arranged(x, wanted, node)
    edge = builder.add(Reverse(name=name, input=edge, output=name), node)
    return Tensor(edge=edge, axes=wanted, view=x.view)


def split(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """Parts of one axis."""
    x = computed(node, values[0])
    axis = node.integer("axis", 0) % len(x.view)
    if frozen_size(x.view[axis]) is not None:
        raise node.unsupported("cuts the axis of time into parts", "Leave the axis fixed")
    parts: list[Value] = []
    begin = 0
    for size in split_sizes(node, values, size_of(bare(x.view[axis]))):
        parts.append(taken(builder, x, axis, begin, begin + size, node))
        begin += size
    return parts


def joined(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """Concat: along an axis of its own, or as a new one beside the features (states of layers)."""
    tensors = [computed(node, value) for value in values]
    rank = len(tensors[0].view)
    axis = node.integer("axis", 0) % rank
    if len({len(tensor.view) for tensor in tensors}) != 1:
        raise node.damaged("joins values of unlike rank")
    if any(is_batch(tensor.view[axis]) for tensor in tensors):
        raise node.unsupported("joins rows of the batch", "Join features or steps of time")
    first = tensors[0]
    others = [at for at in ordered(first, range(rank)) if at != axis and bare(first.view[at])]
    others.sort(key=lambda at: not is_batch(first.view[at]))
    whole = all(bare(tensor.view[axis]) for tensor in tensors)
    order = ordered(first, [*others, axis]) if whole else others
    order.sort(key=lambda at: not is_batch(first.view[at]))
    edges, sizes = [], []
    for tensor in tensors:
        wanted: list[tuple[Atom, ...]] = [tensor.view[at] for at in order]
        if not whole:  # beside the features: [L, B, H] is stored as [B, L * H]
            wanted[-1] = (*bare(tensor.view[axis]), *bare(wanted[-1]))
        edges.append(builder.arranged(tensor, tuple(wanted), node))
        sizes.append(size_of(bare(tensor.view[axis])))
    place = order.index(axis) if whole else len(order) - 1
    if place == 0:
        raise node.unsupported("joins what has no other axis", "Give the values two axes")
    name = builder.unique(node.role)
    layer = Concatenate(name=name, inputs=tuple(edges), output=name, axis=place)
    edge = builder.add(layer, node)
    known = [size for size in sizes if size is not None]
    new = axis_of(sum(known) if len(known) == len(sizes) else None)
    axes: list[tuple[Atom, ...]] = [first.view[at] for at in order]
    axes[place] = new if whole else (*new, *bare(axes[place]))
    return [Tensor(edge=edge, axes=tuple(axes), view=with_axis(first, axis, new))]


def expanded(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """Expand: nothing, or a row repeated as steps."""
    x = _of_rows(node, values[0])
    target = sizes_of(node, values[1])
    view: Axes = ((),) * (len(target) - len(x.view)) + x.view
    return [_repeated(builder, node, x.seen_as(view), [1] * (len(view) - len(target)) + target)]


def tiled(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """Tile: a row repeated as steps."""
    x = _of_rows(node, values[0])
    times = sizes_of(node, values[1])
    if len(times) != len(x.view):
        raise node.damaged(f"repeats {len(times)} axes of {len(x.view)}")
    if any(one != 1 and bare(axis) for one, axis in zip(times, x.view, strict=True)):
        raise node.unsupported("repeats an axis of several elements", "Join the parts with cat")
    return [_repeated(builder, node, x, times)]


def _of_rows(node: Node, value: Value | None) -> Tensor:
    if isinstance(value, np.ndarray):
        raise node.unsupported(
            "repeats numbers of the file for each row of the batch, as a learned first state does",
            "Give the first state as an argument of forward, or begin with zeros",
        )
    return computed(node, value)


def _repeated(
    builder: Builder, node: Node, x: Tensor, target: Sequence[int | Atom | None]
) -> Tensor:
    """One axis of size 1 may grow, beside the batch and the features."""
    grown = []
    for at, (axis, size) in enumerate(zip(x.view, target, strict=True)):
        known = size_of(bare(axis)) or frozen_size(axis)
        if size not in (1, known) and not (isinstance(size, Atom) and same_axis((size,), axis)):
            grown.append(at)
    if not grown:
        return x
    (at, *more), times = grown, target[grown[0]]
    rest = [other for other in range(len(x.view)) if other != at and bare(x.view[other])]
    rest.sort(key=lambda other: not is_batch(x.view[other]))
    if more or bare(x.view[at]) or not isinstance(times, int) or times < 1 or len(rest) != 2:
        raise node.unsupported(
            "repeats a value along an axis", "Let arithmetic broadcast it instead"
        )
    wanted = (x.view[rest[0]], x.view[rest[1]])
    edge, name = builder.arranged(x, wanted, node), builder.unique(node.role)
    new = axis_of(times)
    edge = builder.add(Repeat(name=name, input=edge, output=name, times=times), node)
    return Tensor(edge=edge, axes=(wanted[0], new, wanted[1]), view=with_axis(x, at, new))
