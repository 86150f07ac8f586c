"""Sizes of results, computed from those of the operands; free sizes stay free."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from edgernn.export.tflite.builder import FreeSize


def broadcast(*shapes: Sequence[int]) -> tuple[int, ...]:
    """numpy's rule; a free size stays free."""
    rank = max(len(shape) for shape in shapes)
    padded = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(
        max((shape[axis] for shape in padded), key=lambda size: (size, isinstance(size, FreeSize)))
        for axis in range(rank)
    )


def product(sizes: Sequence[int]) -> int:
    """Free if one of them is."""
    free = any(isinstance(size, FreeSize) for size in sizes)
    return FreeSize(prod(sizes)) if free else prod(sizes)


def total(sizes: Sequence[int]) -> int:
    free = any(isinstance(size, FreeSize) for size in sizes)
    return FreeSize(sum(sizes)) if free else sum(sizes)


def free_like(source: int, size: int) -> int:
    return FreeSize(size) if isinstance(source, FreeSize) else size
