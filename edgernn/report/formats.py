"""The files that a report can be written to: one row for each format, found by its suffix.

Each row imports its writer when it is used, so that the command line can list the suffixes quickly.
A budget's checks as JUnit (.xml) are not here: they need the checks beside the report
(edgernn.report.junit).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edgernn.profile.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFormat:
    """How a report becomes the text of a file.

    >>> Path("report.html").write_text(FORMATS[".html"].write(report))
    """

    suffix: str  # with the dot
    name: str  # as people write it
    write: Callable[[Report], str]


def _json(report: Report) -> str:
    """The measurements, and beside them what a reader would have to work out."""
    from edgernn.profile.storage import as_json
    from edgernn.report.derived import derived

    return as_json(report, derived=derived(report))


def _html(report: Report) -> str:
    from edgernn.report.html import as_html

    return as_html(report)


def _markdown(report: Report) -> str:
    from edgernn.report.markdown import as_markdown

    return as_markdown(report)


def _csv(report: Report) -> str:
    from edgernn.report.csv import as_csv

    return as_csv(report)


_ROWS: Final = (
    ReportFormat(suffix=".json", name="JSON", write=_json),
    ReportFormat(suffix=".html", name="HTML", write=_html),
    ReportFormat(suffix=".md", name="Markdown", write=_markdown),
    ReportFormat(suffix=".csv", name="CSV", write=_csv),
)

#: By suffix.
FORMATS: Final[dict[str, ReportFormat]] = {row.suffix: row for row in _ROWS}
