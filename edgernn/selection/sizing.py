"""Contenders whose files are as large as that of the first, by bisection over their units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edgernn.errors import TrainingFailed
from edgernn.selection.contender import Contender

#: Sizes within this share of each other count as equal.
TOLERANCE: Final = 0.05
_MOST_UNITS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """A contender and the bytes of its file."""

    contender: Contender
    bytes: int
    wanted: int

    @property
    def is_equal(self) -> bool:
        return abs(self.bytes / self.wanted - 1) <= TOLERANCE


def with_bytes(architecture: str, wanted: int, bytes_of: Callable[[Contender], int]) -> Sized:
    """The width whose file is nearest to `wanted` bytes.

    Sizes rise with units, in steps: the native format pads a layer to 16 units.
    Raises TrainingFailed where even one unit is too large by more than the tolerance.
    """
    known: dict[int, int] = {}

    def size(units: int) -> int:
        if units not in known:
            known[units] = bytes_of(Contender(architecture=architecture, units=units))
        return known[units]

    low, high = 1, 16
    while size(high) < wanted and high < _MOST_UNITS:
        low, high = high, 2 * high
    while high - low > 1 and size(low) < size(high):
        middle = (low + high) // 2
        if size(middle) <= wanted:
            low = middle
        else:
            high = middle
    # Of equal sizes the widest: padding costs bytes and gives nothing.
    units = min(known, key=lambda one: (abs(known[one] - wanted), -one))
    found = Sized(
        contender=Contender(architecture=architecture, units=units),
        bytes=known[units],
        wanted=wanted,
    )
    if units == 1 and found.bytes > wanted * (1 + TOLERANCE):
        raise TrainingFailed(
            f"{architecture} with one unit has {found.bytes:,} bytes, more than {wanted:,}",
            remedy="Give more --units, or leave bytes out of --equal",
        )
    return found
