"""Where the results of `edgernn profile` go: standard output and the files that were named."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgernn.profile.report import Report


class Sinks:
    """Where results go: the JSON file after each process, all the rest at the end."""

    def __init__(self, *, json_file: str | None, files: Mapping[str, Path | None]) -> None:
        self._json_path = Path(json_file) if json_file and json_file != "-" else None
        self._json_only = json_file == "-"
        self._files = files

    def require_writable(self, *more: Path | None) -> None:
        """Before an hour of measuring, not after it.  Raises OutputError."""
        from edgernn import atomic
        from edgernn.errors import OutputError

        paths = [path for path in (self._json_path, *self._files.values(), *more) if path]
        for number, path in enumerate(paths):
            if path.resolve() in (other.resolve() for other in paths[:number]):
                raise OutputError(
                    f"two reports are to be written to {path}", remedy="Give each a file of its own"
                )
            atomic.require_writable(path)

    def save(self, report: Report) -> None:
        from edgernn import atomic
        from edgernn.profile.storage import as_json

        if self._json_path is not None:
            atomic.write_bytes(self._json_path, as_json(report).encode())

    def finish(self, report: Report) -> None:
        """Prints first: a file that cannot be written must not cost the table."""
        from edgernn import atomic
        from edgernn.profile.storage import as_json
        from edgernn.report.derived import derived

        document = as_json(report, derived=derived(report))
        if self._json_only:
            click.echo(document, nl=False)
        else:
            _print(report)
        if self._json_path is not None:
            atomic.write_bytes(self._json_path, document.encode())
        for kind, path in self._files.items():
            if path is not None:
                exporter = importlib.import_module(f"edgernn.report.{kind}")
                text: str = getattr(exporter, f"as_{kind}")(report)
                atomic.write_bytes(path, text.encode())


def _print(report: Report) -> None:
    from rich.console import Console

    from edgernn.report.text import as_text, print_report

    if sys.stdout.isatty():
        print_report(report, Console())
    else:
        click.echo(as_text(report), nl=False)
