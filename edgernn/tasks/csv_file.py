"""A CSV file as a table of texts: its columns by name, each line as wide as the first."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edgernn.errors import DataError
from edgernn.regular_file import opened
from edgernn.tasks.samples import FloatArray

_FEATURES: Final = (
    "Features and numbers to predict are numbers: remove the column, or name it with --target if "
    "it is to be predicted"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The cells as texts.  Names of columns are without white space around them."""

    path: Path
    header: list[str]
    body: list[list[str]]
    lines: list[int]  # where in the file each of them is

    def column(self, name: str) -> list[str]:
        """Its cells, without white space around them."""
        return [cell.strip() for cell in self.cells(name)]

    def cells(self, name: str) -> list[str]:
        place = self.header.index(name)
        return [line[place] for line in self.body]

    def numbers(self, columns: Sequence[str], *, remedy: str = _FEATURES) -> FloatArray:
        """[lines, columns], all finite.

        Raises DataError, which names the line; with this remedy for a column of texts.
        """
        places = [self.header.index(name) for name in columns]
        found = np.empty((len(self.body), len(columns)), dtype=np.float32)
        for row, line in enumerate(self.body):
            try:
                with np.errstate(over="ignore"):  # becomes inf, which is refused below
                    found[row] = [float(line[place]) for place in places]
            except ValueError as error:
                wrong = next(place for place in places if not is_float(line[place]))
                raise _no_number(self, row, wrong, remedy) from error
            if not np.isfinite(found[row]).all():
                wrong = places[int(np.argmin(np.isfinite(found[row])))]
                raise DataError(
                    f"{self.path}, line {self.lines[row]}: '{line[wrong].strip()}' in column "
                    f"'{self.header[wrong]}' is not a finite number",
                    remedy="Repair it, or remove the line",
                )
        return found


def _no_number(table: Table, row: int, place: int, remedy: str) -> DataError:
    """What is wrong with a cell, and what helps."""
    text, column = table.body[row][place].strip(), table.header[place]
    if not text:
        remedy = "Fill the gap, or remove the line"
    elif re.fullmatch(r"[-+]?[0-9.]*,[0-9]+", text):
        remedy = "Write numbers with a decimal point, and thousands without a comma"
    elif 2 * sum(is_float(line[place]) for line in table.body) > len(table.body):
        remedy = f"Most of '{column}' are numbers: fill this gap, or remove the line"
    said = f"'{text}' in column '{column}' is no number" if text else f"no number in '{column}'"
    return DataError(f"{table.path}, line {table.lines[row]}: {said}", remedy=remedy)


def read_table(path: Path) -> Table:
    """The table of at least one line below its names.

    Raises DataError for what is no CSV in UTF-8, and names the line that is wider or narrower.
    """
    try:
        with opened(path) as content:
            text = content.read().decode("utf-8-sig")
            separator = _separator(text)
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
            lines = [(reader.line_num, line) for line in reader if line]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        remedy = "Save it as CSV in UTF-8, with double quotes around texts of several lines"
        if "field limit" in str(error):
            remedy = "Cut its longest text off, or give the data as .npz"
        raise DataError(f"{path} is not a CSV file ({error})", remedy=remedy) from error
    header = [name.strip() for name in lines[0][1]] if lines else []
    for number, line in lines[1:]:
        if len(line) != len(header):
            raise DataError(
                f"{path}, line {number}: {len(line)} columns, not {len(header)}",
                remedy=f"Fill gaps up, and put double quotes around what contains {separator!r}",
            )
    if twice := [name for name in header if name and header.count(name) > 1]:
        raise DataError(
            f"{path} has several columns '{twice[0]}'", remedy="Give each column a name of its own"
        )
    if header and len(lines) < 2:
        raise DataError(f"{path} has no lines")
    body = [line for _, line in lines[1:]]
    return Table(path=path, header=header, body=body, lines=[one for one, _ in lines[1:]])


def _separator(text: str) -> str:
    """Of the columns: a comma, a semicolon or a tab, whichever is most often between the names."""
    first = re.sub('"[^"]*"', "", text.lstrip().partition("\n")[0])
    return max(",;\t", key=first.count)


def is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
