"""Kinds of option values: times with a unit, lists of CPUs, files of a report."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from edgernn.report.formats import FORMATS

F = TypeVar("F", bound=Callable[..., Any])

#: Suffixes of the files of -o: report formats, and JUnit for the checks of a budget.
REPORT_SUFFIXES: Final = (*FORMATS, ".xml")


class Duration(click.ParamType[float]):
    """A time like 10ms, 0.5s, 2min or 8h, in seconds."""

    name = "duration"
    _SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}  # noqa: RUF012

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(us|ms|s|min|h)\s*", str(value))
        if found is None or float(found[1]) <= 0:
            self.fail(f"'{value}' is not a time; write 10ms, 0.5s or 1min", param, ctx)
        return float(found[1]) * self._SECONDS[found[2]]


class CpuList(click.ParamType[tuple[int, ...]]):
    """CPU numbers: 3, or 0,2, or 0-3."""

    name = "cpus"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        numbers: list[int] = []
        for part in str(value).split(","):
            found = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
            if found is None or (found[2] and int(found[2]) < int(found[1])):
                self.fail(f"'{value}' is not a list of CPUs; write 3, 0,2 or 0-3", param, ctx)
            numbers += range(int(found[1]), int(found[2] or found[1]) + 1)
        return tuple(dict.fromkeys(numbers))


class ReportFile(click.ParamType[Path]):
    """A file to write; its suffix decides the format.  Not -, which means standard output."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if str(value) == "-":
            self.fail("--json prints the report; give the name of a file here", param, ctx)
        path = Path(value)
        if path.suffix.lower() not in REPORT_SUFFIXES:
            self.fail(f"'{path}' ends in none of {', '.join(REPORT_SUFFIXES)}", param, ctx)
        return path

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]


def former_option(name: str) -> Callable[[F], F]:
    """An option of earlier versions: hidden, it answers with today's spelling."""

    def refuse(_context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            raise click.UsageError(f"{name} is now -o: write `-o {value}`, the suffix decides")

    return click.option(
        name, name.lstrip("-"), hidden=True, metavar="FILE", expose_value=False, callback=refuse
    )
