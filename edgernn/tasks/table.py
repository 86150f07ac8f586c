"""Samples as a CSV file: one line a step.

Sequences, the steps of one on consecutive lines:

    sequence,label,acceleration_x,acceleration_y
    walk-001,walking,0.12,-9.71
    walk-001,walking,0.10,-9.69
    run-001,running,1.31,-8.02

`sequence` says where one sequence ends and the next begins.  The targets are the columns that the
caller names, else `label` (optional): one answer for the sequence where all its lines say the same,
else one for each step.  `origin` (optional) says where a sequence comes from.  All other columns
are features, in this order.  Shorter sequences are preceded by zeros.

All target columns of numbers together are one output of the model; each column of texts is an
output of its own.

Without `sequence` the file is one series in order of time, and the targets must be named: so many
lines (the window) predict the next ones (the horizon).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import numpy as np

from edgernn.errors import DataError
from edgernn.tasks.class_texts import is_number, texts_numbered
from edgernn.tasks.csv_file import Table, is_float, read_table
from edgernn.tasks.reading import AS_IT_IS, Reading
from edgernn.tasks.samples import (
    AnyArray,
    OtherOutput,
    Samples,
    ending_together,
    with_outputs,
)
from edgernn.tasks.target import NO_ANSWER, Target, normal_form

_SEQUENCE: Final = "sequence"
_LABEL: Final = "label"
_ORIGIN: Final = "origin"
#: Whole numbers with more different values than this are numbers to predict, not classes.
MOST_CLASSES: Final = 20
#: A series is cut into so many stretches, and no window reaches from one into the next: windows
#: that overlap go into one part of the split.
STRETCHES: Final = 40
#: Windows of a series: from more lines than that, not every line begins one.
MOST_WINDOWS: Final = 20_000


def read_csv(path: Path, reading: Reading = AS_IT_IS) -> Samples:
    """Raises DataError, naming the line or the column that is wrong."""
    table = read_table(path)
    _require_names(table)
    targets = _target_columns(table, reading)
    if _SEQUENCE in table.header:
        return _sequences(table, targets, reading)
    if not targets:
        raise DataError(
            f"{path} has no column '{_SEQUENCE}'",
            remedy="The first line names the columns: sequence, label (optional), features; or "
            "name the column to predict (--target) of a series in order of time",
        )
    return _windows(table, targets, reading)


def _require_names(table: Table) -> None:
    if "" in table.header:
        raise DataError(
            f"{table.path}: column {table.header.index('') + 1} has no name",
            remedy="Name it, or remove it (with index=False pandas writes no row numbers)",
        )


def _target_columns(table: Table, reading: Reading) -> tuple[str, ...]:
    for name in reading.target:
        if name not in table.header:
            near = get_close_matches(name, table.header, n=1)
            hint = f"Did you mean '{near[0]}'? " if near else ""
            raise DataError(
                f"{table.path} has no column '{name}'",
                remedy=f"{hint}Its columns are {', '.join(table.header)}",
            )
    labelled = not reading.target and _LABEL in table.header
    return (_LABEL,) if labelled else reading.target


def _sequences(table: Table, targets: tuple[str, ...], reading: Reading) -> Samples:
    path = table.path
    features = [name for name in table.header if name not in {_SEQUENCE, _LABEL, _ORIGIN, *targets}]
    if not features:
        raise DataError(f"{path} has no columns of features")
    numbers = table.numbers(features)
    sequences, groups, names = [], [], []
    for name, group in itertools.groupby(
        range(len(table.body)), key=table.column(_SEQUENCE).__getitem__
    ):
        steps = list(group)
        if name in names:
            raise DataError(
                f"{path}, line {table.lines[steps[0]]}: sequence '{name}' begins a second time",
                remedy="Sort the file so that the steps of a sequence are together",
            )
        sequences.append(numbers[steps])
        groups.append(steps)
        names.append(name)
    x = ending_together(sequences, max(len(sequence) for sequence in sequences))
    origins = names
    if _ORIGIN in table.header:
        origin = table.column(_ORIGIN)
        origins = [origin[steps[0]] for steps in groups]
    if not targets:
        return Samples(name=path.name, x=x, named=True, origins=tuple(origins))
    samples = Samples(name=path.name, x=x, origins=tuple(origins))
    outputs = _outputs(table, targets, reading)
    found = []
    for columns in outputs:
        labels, y, kind, named = _answers(table, columns, groups, x, reading)
        output = "_".join(columns) if len(outputs) > 1 else ""
        found.append(OtherOutput(output=output, y=y, labels=labels, named=named, kind=kind))
    return with_outputs(samples, found)


def _outputs(table: Table, targets: tuple[str, ...], reading: Reading) -> list[tuple[str, ...]]:
    """The columns of each output: each column of classes is one, all columns of numbers are one."""
    if reading.kind in (Target.CLASS, Target.STEPS):
        return [(name,) for name in targets]
    said = {name: {text for text in table.column(name) if text} for name in targets}
    texts = [name for name in targets if not all(is_float(text) for text in said[name])]
    if not texts or reading.kind is not None:
        return [targets]
    numbers = tuple(name for name in targets if name not in texts)
    outputs = [(name,) if name in texts else numbers for name in targets]
    return list(dict.fromkeys(outputs))


def _answers(
    table: Table,
    targets: tuple[str, ...],
    groups: list[list[int]],
    x: AnyArray,
    reading: Reading,
) -> tuple[tuple[str, ...], AnyArray, Target, bool]:
    """(labels, y, its kind, whether it came as texts)"""
    values = [table.column(name) for name in targets]
    each = [[tuple(column[step] for column in values) for step in steps] for steps in groups]
    by_step = any(len(set(answers)) > 1 for answers in each)
    if reading.target == () and by_step:
        raise _two_labels(table, groups, each)
    if _are_classes(values, reading) and len(targets) == 1:
        texts = np.full((len(groups), x.shape[1] if by_step else 1), "", dtype=object)
        for row, answers in enumerate(each):
            said = [answer[0] for answer in answers] if by_step else [answers[0][0]]
            if "" in said and not by_step:
                raise DataError(
                    f"{table.path}, line {table.lines[groups[row][0]]}: no {targets[0]}",
                    remedy="Give every sequence a class, or remove it",
                )
            texts[row, texts.shape[1] - len(said) :] = said
        labels, numbers = texts_numbered(texts.astype(str))
        y = numbers if by_step else numbers[:, 0]
        return labels, y, Target.STEPS if by_step else Target.CLASS, True
    found = table.numbers(targets)
    if not by_step:
        first = found[[steps[0] for steps in groups]]
        y, kind = normal_form(first, x_shape=x.shape, data=str(table.path), target=reading.kind)
        return (targets if kind is Target.LABELS else ()), y, kind, False
    lengths = {len(steps) for steps in groups}
    if len(lengths) > 1:
        raise DataError(
            f"{table.path} has numbers for each step, and sequences of {min(lengths)} to "
            f"{max(lengths)} steps",
            remedy="Cut the sequences to one length, or give one number for each sequence",
        )
    y, kind = normal_form(
        np.stack([found[steps] for steps in groups]),
        x_shape=x.shape,
        data=str(table.path),
        target=reading.kind or Target.NUMBERS,
    )
    return (), y, kind, False


def _two_labels(
    table: Table, groups: list[list[int]], each: list[list[tuple[str, ...]]]
) -> DataError:
    row = next(row for row, answers in enumerate(each) if len(set(answers)) > 1)
    found = sorted({answer[0] for answer in each[row]})
    first, last = (table.lines[groups[row][end]] for end in (0, -1))
    return DataError(
        f"{table.path}, lines {first}..{last}: one sequence with the labels {', '.join(found)}",
        remedy="A class for each step is read with --target label",
    )


def _are_classes(columns: Sequence[Sequence[str]], reading: Reading) -> bool:
    """Texts, and whole numbers of which there are few."""
    if reading.kind is not None:
        return reading.kind in (Target.CLASS, Target.STEPS, Target.TOKEN)
    said = {text for column in columns for text in column if text}
    whole = {text for text in said if is_number(text)}
    if reading.target and len(whole) > MOST_CLASSES:
        return False
    # One gap (NA) among fractions, or among many numbers, makes no classes of them.
    return not any(is_float(text) and not is_number(text) for text in said)


def _windows(table: Table, targets: tuple[str, ...], reading: Reading) -> Samples:
    """A series as windows of past lines and the targets of the next ones."""
    path, lines = table.path, len(table.body)
    columns = [table.column(name) for name in targets]
    classes = _are_classes(columns, reading)
    if classes and (len(targets) > 1 or reading.horizon > 1):
        raise DataError(
            f"{path}: the columns {', '.join(targets)} hold classes, and of a series one class of "
            "the next line can be predicted",
            remedy="Name one column with --target, and leave --horizon out",
        )
    left_out = {name for name in table.header if _is_time(table.column(name))}
    features = [
        name for name in table.header if name not in left_out and not (classes and name in targets)
    ]
    numbers = table.numbers(features)
    size = reading.window + reading.horizon
    if not features or lines < STRETCHES * (size + 1):
        raise DataError(
            f"{path} has {lines} lines, too few for windows of {reading.window} that predict "
            f"{reading.horizon}",
            remedy=f"Give at least {STRETCHES * (size + 1)} lines, or choose a smaller --window",
        )
    stretch = np.minimum(np.arange(lines) * STRETCHES // lines, STRETCHES - 1)
    begins = np.arange(0, lines - size + 1, max(1, lines // MOST_WINDOWS))
    begins = begins[stretch[begins] == stretch[begins + size - 1]]
    x = numbers[begins[:, None] + np.arange(reading.window)]
    ahead = begins[:, None] + reading.window + np.arange(reading.horizon)
    labels: tuple[str, ...] = ()
    if classes:
        labels, found = texts_numbered(np.array(columns[0]))
        y, kind = found[ahead[:, 0]], Target.CLASS
        if (y == NO_ANSWER).any():
            raise DataError(f"{path} has lines without a {targets[0]}", remedy="Fill them")
    else:
        y = table.numbers(targets)[ahead].reshape(len(begins), -1)
        kind = Target.NUMBERS
    return Samples(
        name=path.name,
        x=x,
        y=y,
        labels=labels,
        named=classes,
        origins=tuple(f"stretch {number}" for number in stretch[begins]),
        features=f"the last {reading.window} lines of {', '.join(features)}",
        kind=kind,
    )


def _is_time(texts: Sequence[str]) -> bool:
    """Whether a column holds dates or times, which are no features as they are."""
    if is_float(texts[0]):
        return False
    try:
        datetime.fromisoformat(texts[0].replace("Z", "+00:00"))
    except ValueError:
        return False
    return True
