"""Room beyond the rows that calibration saw, for edges whose numbers have no end of their own.

Fresh rows go beyond the largest number of a few dozen: 24 rows gave up to 2.33, the next 60 up to
2.77.  An 8-bit activation would cut that off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import sqrt
from typing import Final

import numpy as np

from edgernn.graph import (
    AnyArray,
    CalibrationMethod,
    DType,
    Graph,
    Range,
    Ranges,
    is_bounded,
    producer,
)
from edgernn.reference import execute, with_free_batch
from edgernn.reference.arguments import with_zero_states
from edgernn.units import percent

#: The share of a range that is added for few rows, and for any number of them.
_FOR_FEW: Final = 0.25
_ALWAYS: Final = 0.05
_FEW_ROWS: Final = 24

#: Rows on which it is asked whether they stay within the ranges.
_MOST_ROWS: Final = 32

#: The share of numbers cut off from which on a sentence says so.
_WORTH_SAYING: Final = 1e-3

#: Sentences about edges; the others follow from the first ones.
_MOST_SENTENCES: Final = 3


def headroom(rows: int) -> float:
    """The share of a range that is added beyond what so many rows gave.

    >>> headroom(24), headroom(600)
    (0.25, 0.09)
    """
    return _ALWAYS + (_FOR_FEW - _ALWAYS) * sqrt(min(1.0, _FEW_ROWS / max(rows, 1)))


def with_headroom(graph: Graph, ranges: Ranges) -> Ranges:
    """The ranges with room at their ends, where numbers have no end of their own.

    Methods that leave out the largest numbers seen do so deliberately: their ranges stay.
    """
    if ranges.method is not CalibrationMethod.MINMAX:
        return ranges
    share = headroom(ranges.samples)
    edges = {
        name: entry if name not in graph.specs or is_bounded(graph, name) else _wider(entry, share)
        for name, entry in ranges.edges.items()
    }
    return replace(ranges, edges=edges)


def _wider(entry: Range, share: float) -> Range:
    """An end at zero stays there: it is that of a relu."""
    if entry.low <= 0 <= entry.high:
        return replace(entry, low=entry.low * (1 + share), high=entry.high * (1 + share))
    room = share * (entry.high - entry.low) / 2
    return replace(entry, low=entry.low - room, high=entry.high + room)


def beyond(graph: Graph, ranges: Ranges, rows: Mapping[str, AnyArray]) -> Iterator[str]:
    """A sentence for each of the first edges that `rows` lead out of its range and its headroom."""
    few = {name: array[:_MOST_ROWS] for name, array in rows.items()}
    values = execute(with_free_batch(graph), with_zero_states(graph, few))
    wide = with_headroom(graph, ranges)
    said = 0
    for name, value in values.items():
        is_float = graph.specs[name].dtype is DType.FLOAT32
        if not is_float or name not in wide.edges or is_bounded(graph, name):
            continue
        entry, seen = wide.edges[name], ranges.edges[name]
        outside = (value < entry.low) | (value > entry.high)
        if outside.mean() < _WORTH_SAYING or said == _MOST_SENTENCES:
            continue
        said += 1
        layer = producer(graph, name)
        what = f"input '{name}' holds" if layer is None else f"layer '{layer.name}' gives"
        yield (
            f"{what} {float(value.min()):.3g} to {float(value.max()):.3g} in rows that calibration "
            f"did not see, beyond its {seen.low:.3g} to {seen.high:.3g} and the headroom of "
            f"{percent(headroom(ranges.samples), 0)}: {percent(float(np.mean(outside)), 2)} of the "
            "numbers are cut off; calibrate with more typical rows"
        )
