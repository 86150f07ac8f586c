"""A report as CSV: plain numbers, units in the column names, one line for each cell.

`scores` becomes three columns for each metric: mae, mae_low, mae_high; of a further output NAME,
mae_of_NAME and so on.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import Final

from edgernn.profile.report import Report
from edgernn.profile.rows import Row, rows_of
from edgernn.scoring.metric import METRICS
from edgernn.scoring.truth import Score

_SCORES: Final = "scores"
_ENDS: Final = ("", "_low", "_high")


def as_csv(report: Report) -> str:
    """Every field of every row; what is unknown is empty."""
    out = io.StringIO()
    names = [field.name for field in fields(Row)]
    place = names.index(_SCORES)
    rows = rows_of(report)
    names[place : place + 1] = [
        *(f"{metric.key}{end}" for metric in METRICS.values() for end in _ENDS),
        *(f"{key}{end}" for key in dict.fromkeys(_of_outputs(rows)) for end in _ENDS),
    ]
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        figures = asdict(row)
        del figures[_SCORES]
        writer.writerow(figures | dict(_figures(row)))
    return out.getvalue()


def _of_outputs(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        yield from (_key(one, row) for one in row.scores if one.output != row.scores[0].output)


def _key(one: Score, row: Row) -> str:
    key = METRICS[one.metric].key
    return key if one.output == row.scores[0].output else f"{key}_of_{one.output}"


def _figures(row: Row) -> Iterator[tuple[str, float]]:
    for one in row.scores:
        key = _key(one, row)
        yield key, one.value
        yield f"{key}_low", one.interval.low
        yield f"{key}_high", one.interval.high
