"""Executed instructions of an emulated device, in sentences, which never speak of time."""

from __future__ import annotations

from collections.abc import Iterator

from edgernn.profile.instructions import compared_counts
from edgernn.profile.report import Report


def executed(report: Report) -> Iterator[str]:
    """The models of one format on one emulated device, the one with the fewest first."""
    for counts in compared_counts(report):
        fewest, other = counts.fewest, counts.other
        yield (
            f"On {fewest.device} a call of {fewest.item.model} executes {counts.ratio:.2f} × the "
            f"instructions of {other.item.model} ({fewest.item.backend} {fewest.item.scheme})."
        )
