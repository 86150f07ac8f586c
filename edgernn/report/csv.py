"""A report as CSV: plain numbers, units in the column names, one line for each cell.

`scores` becomes three columns for each metric: mae, mae_low, mae_high.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import Final

from edgernn.profile.report import Report
from edgernn.profile.rows import Row, rows_of
from edgernn.scoring.metric import METRICS

_SCORES: Final = "scores"


def as_csv(report: Report) -> str:
    """Every field of every row; what is unknown is empty."""
    out = io.StringIO()
    names = [field.name for field in fields(Row)]
    place = names.index(_SCORES)
    names[place : place + 1] = [
        f"{metric.key}{end}" for metric in METRICS.values() for end in ("", "_low", "_high")
    ]
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    for row in rows_of(report):
        figures = asdict(row)
        del figures[_SCORES]
        writer.writerow(figures | dict(_figures(row)))
    return out.getvalue()


def _figures(row: Row) -> Iterator[tuple[str, float]]:
    for one in row.scores:
        key = METRICS[one.metric].key
        yield key, one.value
        yield f"{key}_low", one.interval.low
        yield f"{key}_high", one.interval.high
