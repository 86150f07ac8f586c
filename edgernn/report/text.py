"""A report for a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import accumulate
from textwrap import wrap
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edgernn.profile.judgement import shared_cautions
from edgernn.profile.report import Report
from edgernn.profile.rows import Row, rows_of
from edgernn.report.columns import Column, baseline_lines, named, shown_columns, unmeasured_lines
from edgernn.report.conditions import conditions_line
from edgernn.report.sentences import sentences

#: Of text that goes into a file or a pipe.
WIDTH: Final = 100
#: Wider than any table.
UNLIMITED: Final = 1_000
_GAP: Final = 2  # between columns
_NARROWEST_WRAPPED: Final = 10  # a column of words


def as_text(report: Report, wide: bool = False) -> str:
    """Plain text of at most 100 columns; with `wide`, one table with all figures.

    >>> print(as_text(report), end="")
    """
    out = io.StringIO()
    console = Console(file=out, width=UNLIMITED if wide else WIDTH, no_color=True)
    _print(report, console, wide=wide, text_width=WIDTH)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def print_report(report: Report, console: Console, wide: bool = False) -> None:
    """Tables, sentences, conditions, cautions: in the order of a person's questions.

    The table holds what decides between artefacts; with `wide`, all figures, in several tables
    where the console is narrow.  Text wraps at words.
    """
    _print(report, console, wide=wide, text_width=console.width)


def _print(report: Report, console: Console, *, wide: bool, text_width: int) -> None:
    rows = rows_of(report)
    if not rows:
        console.print("Nothing was measured.")
        return
    for table in _tables(rows, console, wide=wide):
        console.print(table)
    for block in _below(report, rows):
        for line in _wrapped(block, text_width):
            console.print(line, soft_wrap=True)


def _tables(rows: Sequence[Row], console: Console, *, wide: bool) -> Iterator[Table]:
    """One table where it fits, else several, each with the names of its rows."""
    columns = shown_columns(rows, wide=wide)
    names = [column for column in columns if column.names_row]
    part: list[Column] = []
    for column in columns:
        if column.names_row:
            continue
        wider = _least_width(rows, [*names, *part, column], wide=wide)
        if part and wider > console.width:
            yield _table(rows, [*names, *part], wide=wide)
            part = []
        part.append(column)
    yield _table(rows, [*names, *part], wide=wide)


def _least_width(rows: Sequence[Row], columns: Sequence[Column], *, wide: bool) -> int:
    gaps = _GAP * (len(columns) - 1)
    return sum(_least(rows, column, wide=wide) for column in columns) + gaps


def _least(rows: Sequence[Row], column: Column, *, wide: bool) -> int:
    """The narrowest that a column may become."""
    texts = [named(column, rows), *map(column.text, rows)]
    if wide and column.title == "model":
        texts += [name for name, _ in baseline_lines(rows)]
    widest = max(map(cell_len, texts))
    return widest if wide or not column.wraps else min(widest, _NARROWEST_WRAPPED)


def _table(rows: Sequence[Row], columns: Sequence[Column], *, wide: bool) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False, show_edge=False, collapse_padding=True)
    for column in columns:
        table.add_column(
            named(column, rows),
            justify="right" if column.number else "left",
            no_wrap=wide or not column.wraps,
            min_width=_least(rows, column, wide=wide),
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(column.text(row) for column in columns))
    titles = [column.title for column in columns]
    if "score" in titles:
        for name, reached in baseline_lines(rows):
            cells = {"model": name, "score": reached}
            table.add_row(*(cells.get(title, "") for title in titles), style="dim")
    return table


def _below(report: Report, rows: Sequence[Row]) -> Iterator[Text]:
    for line in unmeasured_lines(rows):
        yield Text(line, style="red")
    yield Text()
    for sentence in sentences(report):
        yield Text(sentence, style="bold")
    yield Text(conditions_line(report), style="dim")
    for caution in shared_cautions(report):
        yield Text.assemble((caution.sentence, "yellow"), " ", (caution.worst.remedy, "italic"))


def _wrapped(text: Text, width: int) -> Iterator[Text]:
    """Its lines, broken between words; a path longer than a line stays whole, to be copied."""
    lines = wrap(
        text.plain, width, break_long_words=False, break_on_hyphens=False, expand_tabs=False
    )
    starts = accumulate(len(line) + 1 for line in lines[:-1])
    for line in text.divide(starts):
        line.rstrip()
        yield line
