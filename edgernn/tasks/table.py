"""Samples as a CSV file: one line a step, the steps of a sequence on consecutive lines.

    sequence,label,acceleration_x,acceleration_y
    walk-001,walking,0.12,-9.71
    walk-001,walking,0.10,-9.69
    run-001,running,1.31,-8.02

`sequence` says where one sequence ends and the next begins, `label` (optional) is its class, a
name or, where all are whole numbers, that of an output; all other columns are features, in this
order.  Shorter sequences are preceded by zeros.
"""

from __future__ import annotations

import csv
import io
import itertools
from pathlib import Path
from typing import Final

import numpy as np

from edgernn.errors import DataError
from edgernn.regular_file import opened
from edgernn.tasks.class_texts import numbered
from edgernn.tasks.samples import FloatArray, Samples, ending_together

_SEQUENCE: Final = "sequence"
_LABEL: Final = "label"


def read_csv(path: Path) -> Samples:
    """Raises DataError, naming the line that is wrong."""
    try:
        with opened(path) as content:
            file = io.TextIOWrapper(content, newline="", encoding="utf-8-sig")
            lines = list(csv.reader(file, strict=True))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a CSV file ({error})") from error
    header, *body = lines or [[]]
    if _SEQUENCE not in header:
        raise DataError(
            f"{path} has no column '{_SEQUENCE}'",
            remedy="The first line names the columns: sequence, label (optional), features",
        )
    columns = [index for index, name in enumerate(header) if name not in {_SEQUENCE, _LABEL}]
    if not columns or not body:
        raise DataError(f"{path} has no {'lines' if columns else 'columns of features'}")
    numbers = _numbers(path, header, body, columns)
    key = header.index(_SEQUENCE)
    sequences, classes = [], []
    names: dict[str, None] = {}
    for name, group in itertools.groupby(range(len(body)), lambda line: body[line][key]):
        steps = list(group)
        if name in names:
            raise DataError(
                f"{path}, line {steps[0] + 2}: sequence '{name}' begins a second time",
                remedy="Sort the file so that the steps of a sequence are together",
            )
        sequences.append(numbers[steps])
        names[name] = None
        if _LABEL in header:
            classes.append(_one_label(path, body, steps, header.index(_LABEL)))
    x = ending_together(sequences, max(len(sequence) for sequence in sequences))
    labels, y = numbered(classes) if classes else ((), None)
    return Samples(
        name=path.name,
        x=x,
        y=y,
        labels=labels,
        named=True,
        origins=tuple(names),
    )


def _numbers(
    path: Path, header: list[str], body: list[list[str]], columns: list[int]
) -> FloatArray:
    """[lines, features]"""
    numbers = np.empty((len(body), len(columns)), dtype=np.float32)
    for row, line in enumerate(body):
        if len(line) != len(header):
            raise DataError(f"{path}, line {row + 2}: {len(line)} columns, not {len(header)}")
        try:
            with np.errstate(over="ignore"):  # becomes inf, which is refused below
                numbers[row] = [float(line[column]) for column in columns]
        except ValueError as error:
            raise DataError(f"{path}, line {row + 2}: {error}") from error
        if not np.isfinite(numbers[row]).all():
            raise DataError(f"{path}, line {row + 2}: not a finite number")
    return numbers


def _one_label(path: Path, body: list[list[str]], steps: list[int], column: int) -> str:
    found = {body[step][column].strip() for step in steps}
    if len(found) > 1:
        raise DataError(
            f"{path}, lines {steps[0] + 2}..{steps[-1] + 2}: one sequence with the labels "
            f"{', '.join(sorted(found))}"
        )
    return found.pop()
