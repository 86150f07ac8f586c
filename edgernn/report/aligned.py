"""Plain text tables, and the sentences below them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Final

from edgernn.printable import printable, shown

#: Of lines of text, in columns.
WIDTH: Final = 100


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines in which the cells of a column begin below each other."""
    rows = [[shown(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()


def wrapped(sentences: Iterable[str], width: int = WIDTH) -> Iterator[str]:
    """Lines broken between words; a path longer than a line stays whole, to be copied."""
    for sentence in sentences:
        yield from wrap(printable(sentence), width, break_long_words=False, break_on_hyphens=False)
