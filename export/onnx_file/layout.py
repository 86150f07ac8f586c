"""Operators that move axes: they change how a value is seen, and mostly compute nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgernn.export.onnx_file.builder import Builder, ordered, separate
from edgernn.export.onnx_file.node import Node
from edgernn.export.onnx_file.values import (
    Atom,
    Axes,
    Axis,
    Tensor,
    axis_of,
    bare,
    frozen_size,
    is_batch,
    same_axis,
    size_of,
)


class BatchElsewhere(Exception):
    """The model takes this input with its batch on another axis: read the file again with that."""

    def __init__(self, atom: Atom) -> None:
        self.atom = atom
        super().__init__()


def transposed(tensor: Tensor, permutation: Sequence[int]) -> Tensor:
    return tensor.seen_as(tuple(tensor.view[axis] for axis in permutation))


def squeezed(tensor: Tensor, axes: Sequence[int] | None, node: Node) -> Tensor:
    rank = len(tensor.view)
    if axes is None:
        gone = {at for at, axis in enumerate(tensor.view) if not bare(axis)}
    else:
        gone = {axis % rank for axis in axes}
    for at in gone:
        if any(atom.batch for atom in tensor.view[at]):
            raise node.unsupported(
                "removes the axis of the batch", "Keep the batch: squeeze other axes only"
            )
        if bare(tensor.view[at]):
            raise node.damaged(f"squeezes an axis of size {size_of(tensor.view[at])}")
    return tensor.seen_as(tuple(axis for at, axis in enumerate(tensor.view) if at not in gone))


def unsqueezed(tensor: Tensor, axes: Sequence[int]) -> Tensor:
    rank = len(tensor.view) + len(axes)
    view: list[Axis] = list(tensor.view)
    for axis in sorted(axis % rank for axis in axes):
        view.insert(axis, ())
    return tensor.seen_as(tuple(view))


def reshaped(
    tensor: Tensor, target: Sequence[int | Atom | None], node: Node, *, allow_zero: bool = False
) -> Tensor:
    """Seen in another shape: 0 keeps an axis, -1 (or one unknown size) takes what is left."""
    entries: list[int | Atom] = []
    for at, entry in enumerate(target):
        if entry == 0 and not allow_zero:
            if at >= len(tensor.view):
                raise node.damaged(f"keeps axis {at} of {len(tensor.view)}")
            kept = bare(tensor.view[at])
            size = size_of(kept)
            if size is None:
                if len(kept) != 1:
                    raise _lost(node)
                entries.append(kept[0])
            else:
                entries.append(kept[0] if is_batch(kept) else size)
        else:
            entries.append(-1 if entry is None else entry)
    unknown = [at for at, entry in enumerate(entries) if isinstance(entry, int) and entry < 0]
    if len(unknown) > 1:
        raise _lost(node)
    split = unknown[0] if unknown else len(entries)
    work = _Pieces(tensor, node)
    front = [work.taken(entry, last=False) for entry in entries[:split]]
    back = [work.taken(entry, last=True) for entry in reversed(entries[split + 1 :])]
    middle = tuple(work.left)
    view = [*front, *([middle] if unknown else []), *reversed(back)]
    if not unknown and any(atom.batch or atom.size != 1 for atom in middle):
        raise _lost(node)
    return replace(work.tensor, view=tuple(view))


def _lost(node: Node) -> Exception:
    return node.unsupported(
        "reshapes to a shape that edgernn cannot follow",
        "Keep the batch and the time axes as they are in Reshape, view and flatten",
    )


class _Pieces:
    """The atoms of a value, taken from the front or the back; one is split where sizes ask it."""

    def __init__(self, tensor: Tensor, node: Node) -> None:
        self.tensor = tensor
        self.node = node
        self.left = [atom for axis in tensor.view for atom in bare(axis)]
        self._split: dict[int, Axis] = {}

    def taken(self, entry: int | Atom, *, last: bool) -> Axis:
        """So many elements, as an axis."""
        if isinstance(entry, Atom):
            if self.left and self.left[-1 if last else 0].same(entry):
                return (self.left.pop(-1 if last else 0),)
            if entry.size is None:
                raise _lost(self.node)
            entry = entry.size
        pieces: list[Atom] = []
        size = 1
        if entry == 1:
            at = -1 if last else 0
            return (self.left.pop(at),) if self.left and self.left[at].size == 1 else ()
        while size < entry:
            if not self.left:
                raise self.node.damaged(f"reshapes to {entry} elements more than there are")
            atom = self.left.pop(-1 if last else 0)
            if atom.size is None:
                if atom.frozen == entry and size == 1:
                    return (atom,)
                raise _lost(self.node)
            wanted = entry // size
            if atom.size > wanted:
                outer, rest = divmod(atom.size, wanted)
                if rest or atom.batch or entry % size:
                    raise _lost(self.node)
                sizes = (outer, wanted) if last else (wanted, outer)
                halves = (Atom(sizes[0]), Atom(sizes[1]))
                self._split[id(atom)] = halves
                self._replace(atom, halves)
                self.left.insert(len(self.left) if last else 0, halves[0 if last else 1])
                atom = halves[1 if last else 0]
            pieces.insert(0 if last else len(pieces), atom)
            size *= atom.size or 1
        if size != entry:
            raise _lost(self.node)
        return tuple(pieces)

    def _replace(self, atom: Atom, halves: Axis) -> None:
        def parted(axes: Axes) -> Axes:
            return tuple(
                tuple(part for piece in axis for part in (halves if piece is atom else (piece,)))
                for axis in axes
            )

        self.tensor = replace(
            self.tensor, axes=parted(self.tensor.axes), view=parted(self.tensor.view)
        )


def canonical(tensor: Tensor, last: int) -> Axes:
    """Axes for a layer over the view's axis `last`: batch, the others one by one, `last` whole."""
    rest = ordered(tensor, [at for at in range(len(tensor.view)) if at != last])
    leading = [axis for at in rest for axis in separate(tensor.view[at])]
    leading.sort(key=lambda axis: not axis[0].batch)
    return (*leading, tensor.view[last])


def over_last(builder: Builder, tensor: Tensor, axis: int, node: Node) -> tuple[str, Axes]:
    """An edge whose last axis is the view's `axis`, and its axes."""
    wanted = canonical(tensor, axis % len(tensor.view))
    return builder.arranged(tensor, wanted, node), wanted


def with_axis(tensor: Tensor, axis: int, new: Axis) -> Axes:
    at = axis % len(tensor.view)
    return (*tensor.view[:at], new, *tensor.view[at + 1 :])


def taken(
    builder: Builder, tensor: Tensor, axis: int, start: int, stop: int | None, node: Node, *,
    step: int = 1, squeeze: bool = False,
) -> Tensor:  # fmt: skip
    """start:stop:step along one axis of the view; with `squeeze` one element, without its axis."""
    at = axis % len(tensor.view)
    pieces = bare(tensor.view[at])
    view = (*tensor.view[:at], *tensor.view[at + 1 :]) if squeeze else tensor.view
    size = size_of(pieces)
    if size is not None:
        if squeeze:
            if not -size <= start < size:
                raise node.damaged(f"takes element {start} of {size}")
            start %= size
            stop = start + 1
        chosen = range(*slice(start, stop, step).indices(size))
        start, stop = chosen.start, chosen.stop
        if len(chosen) == 0:
            raise node.damaged(f"takes nothing of an axis of {size}")
        if len(chosen) == size and not any(atom.batch for atom in pieces):
            return tensor.seen_as(view)
    elif (frozen := frozen_size(pieces)) is not None:
        start, stop = _of_free(frozen, start, stop, node, squeeze=squeeze)
        if not squeeze and (start, stop, step) == (0, None, 1):
            return tensor.seen_as(view)
    if any(atom.batch for atom in pieces):
        raise _batch_is_cut(builder, tensor, node)
    place = _place(tensor, pieces)
    if place is None and not (len(pieces) == 1 and _leads(tensor, pieces[0])):
        wanted = canonical(tensor, at)
        edge = builder.arranged(tensor, wanted, node)
        tensor = Tensor(edge=edge, axes=wanted, view=tensor.view)
        place = len(wanted) - 1
    if place is not None:
        edge = builder.sliced(tensor.edge, place, start, stop, node, step=step, squeeze=squeeze)
        new = () if squeeze else builder.axis(edge, place)
        kept = () if squeeze else (new,)
        axes = (*tensor.axes[:place], *kept, *tensor.axes[place + 1 :])
        return Tensor(edge=edge, axes=axes, view=view if squeeze else with_axis(tensor, at, new))
    return _outer(builder, tensor, at, (start, stop, step), node, squeeze=squeeze)


def _of_free(
    frozen: int, start: int, stop: int | None, node: Node, *, squeeze: bool
) -> tuple[int, int | None]:
    """The same part of an axis that the file fixed at `frozen`: its last step is the last one.

    Raises UnsupportedLayer for any other fixed place: a loop over steps takes each of them.
    """
    first = start in (0, -frozen)
    whole = stop is None or stop >= frozen
    is_fixed = not first and 0 < start < frozen - 1 if squeeze else not whole and (stop or 0) > 0
    if is_fixed and not (first and stop == 1):
        raise node.unsupported(
            f"takes steps at fixed places ({start if squeeze else stop} of {frozen})",
            "Take the first step, or count from the end",
        )
    if start == frozen - 1:
        start = -1
    elif first:
        start = 0
    return start, stop if squeeze or not whole else None


def _outer(
    builder: Builder, tensor: Tensor, at: int, chosen: tuple[int, int | None, int], node: Node, *,
    squeeze: bool,
) -> Tensor:  # fmt: skip
    """A part of the slowest piece of an edge's axis: the state of one layer, or one direction."""
    start, stop, step = chosen
    atom = bare(tensor.view[at])[0]
    place = next(p for p, axis in enumerate(tensor.axes) if bare(axis)[:1] == (atom,))
    inner = bare(tensor.axes[place])[1:]
    width = size_of(inner)
    if width is None or stop is None or step != 1:
        raise node.unsupported(
            "takes every other part of a state", "Take the parts one by one, then join them"
        )
    edge = builder.sliced(tensor.edge, place, start * width, stop * width, node)
    new = axis_of(stop - start)
    axes = (*tensor.axes[:place], (*new, *inner), *tensor.axes[place + 1 :])
    view = (*tensor.view[:at], *tensor.view[at + 1 :]) if squeeze else with_axis(tensor, at, new)
    return Tensor(edge=edge, axes=axes, view=view)


def _place(tensor: Tensor, pieces: Axis) -> int | None:
    return next((at for at, axis in enumerate(tensor.axes) if same_axis(axis, pieces)), None)


def _leads(tensor: Tensor, atom: Atom) -> bool:
    return any(bare(axis)[:1] == (atom,) for axis in tensor.axes)


def _batch_is_cut(builder: Builder, tensor: Tensor, node: Node) -> Exception:
    """An input that is cut along its first axis has the batch elsewhere: states are [L, B, H]."""
    if tensor.edge in builder.inputs and len(tensor.axes) == 3:
        other = bare(tensor.view[1]) or tensor.view[1]
        if other:
            return BatchElsewhere(other[0])
    return node.unsupported(
        "takes a part of the batch", "Export the model for whole batches, and cut outside of it"
    )
