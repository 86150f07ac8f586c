"""A report for a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from edgernn.profile.judgement import shared_cautions
from edgernn.profile.report import Report
from edgernn.profile.rows import Row, rows_of
from edgernn.report.columns import Column, baseline_lines, named, shown_columns, unmeasured_lines
from edgernn.report.conditions import conditions_line
from edgernn.report.sentences import sentences

#: Wider than any table: lines that go into a file or a pipe are not wrapped.
UNLIMITED = 1_000


def as_text(report: Report) -> str:
    """Plain text, every table on lines as long as it needs."""
    out = io.StringIO()
    print_report(report, Console(file=out, width=UNLIMITED, no_color=True))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def print_report(report: Report, console: Console) -> None:
    """Tables, sentences, conditions, cautions: in the order of a person's questions."""
    rows = rows_of(report)
    if not rows:
        console.print("Nothing was measured.")
        return
    for table in _tables(rows, console):
        console.print(table)
    for block in _below(report, rows):
        console.print(block, soft_wrap=True)


def _tables(rows: Sequence[Row], console: Console) -> Iterator[Table]:
    """One table where it fits, else several, each with the names of its rows."""
    columns = shown_columns(rows)
    names = [column for column in columns if column.names_row]
    part: list[Column] = []
    for column in columns:
        if column.names_row:
            continue
        wider = _table(rows, [*names, *part, column])
        if (
            part
            and console.measure(wider, options=console.options.update(width=UNLIMITED)).maximum
            > console.width
        ):
            yield _table(rows, [*names, *part])
            part = []
        part.append(column)
    yield _table(rows, [*names, *part])


def _table(rows: Sequence[Row], columns: Sequence[Column]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(
            named(column, rows), justify="right" if column.number else "left", no_wrap=True
        )
    for row in rows:
        table.add_row(*(column.text(row) for column in columns))
    titles = [column.title for column in columns]
    if "score" in titles:
        for name, reached in baseline_lines(rows):
            cells = {"model": name, "score": reached}
            table.add_row(*(cells.get(title, "") for title in titles), style="dim")
    return table


def _below(report: Report, rows: Sequence[Row]) -> Iterator[RenderableType]:
    for line in unmeasured_lines(rows):
        yield Text(line, style="red")
    yield ""
    for sentence in sentences(report):
        yield Text(sentence, style="bold")
    yield Text(conditions_line(report), style="dim")
    for caution in shared_cautions(report):
        yield Text.assemble((caution.sentence, "yellow"), " ", (caution.worst.remedy, "italic"))
