"""Executed instructions of an emulated device: what may be said of them, which is never a time.

Counts of two models in one runtime and scheme have about the ratio of their times on the device;
between runtimes they have not, since instructions differ in what they cost.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgernn.profile.comparison import doing_the_same, fed
from edgernn.profile.report import Cell, Report
from edgernn.stats import median


def executed(report: Report) -> Iterator[str]:
    """The models of one format on one emulated device, the one with the fewest first."""
    counted = [cell for cell in report.cells if cell.instructions]
    for key in dict.fromkeys(_format(cell) for cell in counted):
        group = sorted((cell for cell in counted if _format(cell) == key), key=_count)
        device, backend, scheme = key[:3]
        for fewest, *others in doing_the_same(group):
            for other in others:
                if other.item.model != fewest.item.model:
                    yield (
                        f"On {device} a call of {fewest.item.model} executes "
                        f"{_count(fewest) / _count(other):.2f} × the instructions of "
                        f"{other.item.model} ({backend} {scheme})."
                    )


def _format(cell: Cell) -> tuple[str, ...]:
    item = cell.item
    return (cell.device, item.backend, item.scheme, str(item.streaming), fed(cell))


def _count(cell: Cell) -> float:
    return median(cell.instructions)
