"""What a name of an ONNX graph stands for while the graph is read.

ONNX moves axes all the time; our layers want the batch first.  A `Tensor` therefore keeps two
lists of axes over the same elements: those that the edge of our graph has, and those that the ONNX
file sees.  Both are written in atoms, the smallest pieces that any reshape made of an axis, so that
Transpose, Squeeze, Unsqueeze and most Reshapes change the second list only and compute nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Atom:
    """An axis, or a part of one.  `size` is None where it is free; `batch` marks the rows.

    frozen: the size that the file has, where the reader was asked to free the axis.
    """

    size: int | None
    batch: bool = False
    frozen: int | None = None

    def same(self, other: Atom) -> bool:
        return self is other or (self.batch and other.batch)


#: One axis as a product of atoms, the slowest first.  No atom: an axis of size 1.
Axis: TypeAlias = tuple[Atom, ...]
Axes: TypeAlias = tuple[Axis, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tensor:
    """A value that the model computes: the edge that has it, and how the ONNX file sees it."""

    edge: str
    axes: Axes  # of the edge; the batch is first and alone
    view: Axes  # of the ONNX value

    def seen_as(self, view: Axes) -> Tensor:
        return replace(self, view=view)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dims:
    """Sizes that depend on free axes: integers, atoms, and None for what is not known."""

    entries: tuple[int | Atom | None, ...]
    scalar: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One number in a shape that only the run knows, such as the zeros of a first state."""

    value: float


Value: TypeAlias = Array | Tensor | Dims | Fill


def bare(axis: Axis) -> Axis:
    """The axis without pieces of size 1 that are not the batch: they hold nothing."""
    return tuple(atom for atom in axis if atom.batch or atom.size != 1)


def is_batch(axis: Axis) -> bool:
    pieces = bare(axis)
    return len(pieces) == 1 and pieces[0].batch


def same_axis(left: Axis, right: Axis) -> bool:
    here, there = bare(left), bare(right)
    return len(here) == len(there) and all(a.same(b) for a, b in zip(here, there, strict=True))


def size_of(axis: Axis) -> int | None:
    """None where a piece is free."""
    sizes = [atom.size for atom in axis]
    return None if None in sizes else prod(size for size in sizes if size is not None)


def axis_of(size: int | None, frozen: int | None = None) -> Axis:
    """A new axis."""
    return () if size == 1 else (Atom(size, frozen=frozen if size is None else None),)


def distinct(axes: Axes) -> Axes:
    """The axes of a product of two values, each piece in one of them only.

    q k^T [B, T, T] has the steps twice: Transpose has to move the one and not the other.
    """
    seen: set[int] = set()
    result: list[Axis] = []
    for axis in axes:
        again = [id(atom) in seen and not atom.batch for atom in axis]
        seen.update(map(id, axis))
        result.append(
            tuple(
                Atom(atom.size, frozen=atom.frozen) if twice else atom
                for atom, twice in zip(axis, again, strict=True)
            )
        )
    return tuple(result)


def frozen_size(axis: Axis) -> int | None:
    """The size in the file of a whole axis that was freed."""
    pieces = bare(axis)
    return pieces[0].frozen if len(pieces) == 1 else None


def is_constant(value: Value | None) -> bool:
    return isinstance(value, np.ndarray)
