"""The files that a report can be written to: one row for each format, found by its suffix.

A budget's checks as JUnit (.xml) are not here: they need the checks beside the report
(edgernn.report.junit).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edgernn.profile.report import Report
from edgernn.profile.storage import as_json
from edgernn.report.csv import as_csv
from edgernn.report.derived import derived
from edgernn.report.html import as_html
from edgernn.report.markdown import as_markdown


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFormat:
    """How a report becomes the text of a file.

    >>> Path("report.html").write_text(FORMATS[".html"].write(report))
    """

    suffix: str  # with the dot
    name: str  # as people write it
    write: Callable[[Report], str]


def _complete_json(report: Report) -> str:
    """The measurements, and beside them what a reader would have to work out."""
    return as_json(report, derived=derived(report))


_ROWS: Final = (
    ReportFormat(suffix=".json", name="JSON", write=_complete_json),
    ReportFormat(suffix=".html", name="HTML", write=as_html),
    ReportFormat(suffix=".md", name="Markdown", write=as_markdown),
    ReportFormat(suffix=".csv", name="CSV", write=as_csv),
)

#: By suffix.
FORMATS: Final[dict[str, ReportFormat]] = {row.suffix: row for row in _ROWS}
