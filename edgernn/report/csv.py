"""A report as CSV: plain numbers, units in the column names, one line for each cell."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, fields

from edgernn.profile.report import Report
from edgernn.profile.rows import Row, rows_of


def as_csv(report: Report) -> str:
    """Every field of every row; what is unknown is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows_of(report))
    return out.getvalue()
