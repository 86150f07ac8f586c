"""Where the results of `edgernn profile` go: standard output and the files of -o."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgernn.profile.report import Report


class Sinks:
    """Where results go: the .json file after each process, all the rest at the end."""

    def __init__(self, files: Sequence[Path], *, as_json: bool, wide: bool) -> None:
        self._files = files
        self._as_json = as_json
        self._wide = wide

    @property
    def json_file(self) -> Path | None:
        """The report that --resume continues."""
        return next((path for path in self._files if path.suffix.lower() == ".json"), None)

    def require_writable(self) -> None:
        """Before an hour of measuring, not after it.  Raises OutputError, WrongOption."""
        from edgernn import atomic
        from edgernn.errors import OutputError
        from edgernn.front.reports import report_format

        for number, path in enumerate(self._files):
            if path.suffix.lower() != ".xml":
                report_format(path)
            if path.resolve() in (other.resolve() for other in self._files[:number]):
                raise OutputError(
                    f"two reports are to be written to {path}", remedy="Give each its own file"
                )
            atomic.require_writable(path)

    def save(self, report: Report) -> None:
        from edgernn import atomic
        from edgernn.profile.storage import as_json

        if self.json_file is not None:
            atomic.write_bytes(self.json_file, as_json(report).encode())

    def finish(self, report: Report) -> None:
        """Prints first: a file that cannot be written must not cost the table."""
        from edgernn import atomic
        from edgernn.report.formats import FORMATS

        if self._as_json:
            click.echo(FORMATS[".json"].write(report), nl=False)
        else:
            _print(report, wide=self._wide)
        for path in self._files:
            if row := FORMATS.get(path.suffix.lower()):
                atomic.write_bytes(path, row.write(report).encode())


def _print(report: Report, *, wide: bool) -> None:
    from rich.console import Console

    from edgernn.report.text import as_text, print_report

    if sys.stdout.isatty():
        print_report(report, Console(), wide)
    else:
        click.echo(as_text(report, wide), nl=False)
