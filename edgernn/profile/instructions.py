"""Compares counts of instructions that an emulated device executed.

Counts of two models in one runtime and scheme have about the ratio of their times on the device;
counts of different runtimes do not, since instructions take different times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgernn.profile.comparison import doing_the_same, format_key
from edgernn.profile.report import Cell, Report
from edgernn.stats import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Two models of one format on one emulated device."""

    fewest: Cell
    other: Cell

    @property
    def ratio(self) -> float:
        """Instructions of a call of the first over those of the other: at most 1."""
        return _count(self.fewest) / _count(self.other)


def compared_counts(report: Report) -> Iterator[Counts]:
    """For each format on each device, the model with the fewest instructions and the others."""
    counted = [cell for cell in report.cells if cell.instructions]
    for key in dict.fromkeys(format_key(cell) for cell in counted):
        group = sorted((cell for cell in counted if format_key(cell) == key), key=_count)
        for fewest, *others in doing_the_same(group):
            for other in others:
                if other.item.model != fewest.item.model:
                    yield Counts(fewest=fewest, other=other)


def _count(cell: Cell) -> float:
    return median(cell.instructions)
