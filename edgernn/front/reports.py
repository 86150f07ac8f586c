"""A report as people use it from Python: printed, written, checked against a budget."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgernn import atomic
from edgernn.errors import DataError, DeviceError, WrongOption
from edgernn.front.arguments import checked_arguments
from edgernn.front.budgets import Checked, checked_against
from edgernn.front.notebook import html_lines, html_table
from edgernn.profile import report as values
from edgernn.profile.rows import Row, rows_of
from edgernn.profile.storage import read_report
from edgernn.report.columns import named, shown_columns
from edgernn.report.formats import FORMATS
from edgernn.report.sentences import sentences
from edgernn.report.text import as_text


def report_format(path: Path) -> str:
    """The suffix of a report's file.  Raises WrongOption for one that no format has."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        hint = "A .xml file needs a budget: `profile --budget`" if suffix == ".xml" else ""
        raise WrongOption(
            f"no report is written as '{path.name}'",
            remedy=hint or f"End its name in {', '.join(FORMATS)}",
        )
    return suffix


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Report:
    """What a profile measured.  `print` shows the table that decides, and sentences about it.

    values: every measurement, as edgernn.profile.report has it.
    failures: by device, why it could not be measured or not to the end.
    """

    values: values.Report
    failures: Mapping[str, DeviceError] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Report:
        """The report in a .json file.  Raises DataError, also where there is no such file.

        >>> print(edgernn.Report.read("report.json"))
        """
        try:
            return cls(values=read_report(Path(path)))
        except FileNotFoundError as error:
            raise DataError(f"there is no file {path}", remedy="Check the path") from error

    @property
    def rows(self) -> tuple[Row, ...]:
        """One row of figures for each file on each device; names of fields carry the units.

        >>> [(row.file, row.p50_ms, row.score) for row in report.rows]
        """
        return rows_of(self.values)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the figures mean: comparisons with their intervals."""
        return sentences(self.values)

    @checked_arguments
    def write(self, *paths: str | os.PathLike[str]) -> None:
        """Writes files in the format of their suffix (.html, .json, …), each whole or not at all.

        Raises WrongOption for another suffix, before anything is written; OutputError.

        >>> report.write("report.html", "report.json")
        """
        files = {Path(path): report_format(Path(path)) for path in paths}
        for path, suffix in files.items():
            atomic.write_bytes(path, FORMATS[suffix].write(self.values).encode())

    @checked_arguments
    def check(
        self,
        budget: str | os.PathLike[str] | Mapping[str, float | Mapping[str, float]],
        *,
        allow_skipped: bool = False,
    ) -> Checked:
        """Compares with limits: a budget.toml, limits by name, or limits by device and name.

        A device is named as in `device=`, or as in the report.

        Times that cannot be trusted (an emulator, a disturbed machine) are skipped with a reason.
        allow_skipped: a budget of which nothing could be checked counts as kept.
        Raises DataError for a limit that does not exist, that nothing can keep or exceed, or for a
        device that was not measured.

        >>> assert report.check({"p95_ms": 5, "accuracy_drop": 0.005}).kept
        """
        return checked_against(self.values, self.failures, budget, allow_skipped=allow_skipped)

    def text(self, *, wide: bool = False) -> str:
        """The printed form; `wide` has all columns."""
        failed = "".join(f"{device}: {error}\n" for device, error in self.failures.items())
        return f"{as_text(self.values, wide)}{failed}"

    def __str__(self) -> str:
        return self.text().rstrip("\n")

    def __repr__(self) -> str:
        devices = ", ".join(dict.fromkeys(row.device for row in self.rows))
        return f"<edgernn.Report: {len(self.rows)} rows, {devices}>"

    def _repr_html_(self) -> str:
        rows = self.rows
        columns = shown_columns(rows, wide=False)
        head = [named(column, rows) for column in columns]
        table = html_table(head, [[column.text(row) for column in columns] for row in rows])
        failed = [f"{device}: {error}" for device, error in self.failures.items()]
        return table + html_lines([*self.sentences, *failed])
