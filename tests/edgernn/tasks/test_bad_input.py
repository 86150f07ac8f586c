"""Answers that cannot be right: one clear sentence, in whatever form they come."""

from __future__ import annotations

import csv
import wave
from typing import Any

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.scoring.reading import predictions_of
from edgernn.scoring.truth import truth_of
from edgernn.tasks.given import as_samples
from edgernn.tasks.goal import goal_of
from edgernn.tasks.notation import architecture_named
from edgernn.tasks.split import split
from edgernn.tasks.task import Recipe

ROWS, STEPS, RATE_HZ = 120, 5, 8000
X = np.random.default_rng(0).normal(size=(ROWS, STEPS, 2)).astype(np.float32)
LOADERS = ("arrays", "mapping", "lists", "frame", "npz", "csv")
LEVELS = np.array(["high", "low"])[np.arange(ROWS) % 2]
NUMBERS = np.linspace(0.1, 0.9, ROWS)


class Frame:
    """What numpy.asarray takes a DataFrame for: texts are objects."""

    def __init__(self, values):
        self._values = values

    def __array__(self, dtype=None, copy=None):
        values = self._values.astype(object) if self._values.dtype.kind == "U" else self._values
        return np.array(values, dtype=dtype, copy=True if copy is None else copy)


def loaded(loader, y, tmp_path, target=None):
    match loader:
        case "arrays":
            return as_samples((X, y), target=target)
        case "mapping":
            return as_samples({"x": X, "y": y}, target=target)
        case "lists":
            return as_samples((X.tolist(), y.tolist()), target=target)
        case "frame":
            return as_samples((Frame(X), Frame(y)), target=target)
        case "npz":
            np.savez(tmp_path / "rows.npz", x=X, y=y)
            return as_samples(tmp_path / "rows.npz", target=target)
        case _:
            return as_samples(written(tmp_path / "rows.csv", y), target="y")


def written(path, y):
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["sequence", "a", "b", "y"])
        for row, step in np.ndindex(ROWS, STEPS):
            said = y[row, step] if y.ndim > 1 else y[row]
            lines.writerow([row, *X[row, step].tolist(), said])
    return path


def spoken(folder, classes):
    """Recordings of a tenth of a second, `ROWS` in all."""
    for row in range(ROWS):
        path = folder / f"class{row % classes}" / f"{row}.wav"
        path.parent.mkdir(exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(np.arange(800, dtype="<i2").tobytes())
    return folder


def learned(samples):
    return goal_of(split(samples), architecture_named("gru"), Recipe())


@pytest.mark.parametrize("loader", LOADERS)
def test_a_number_that_is_none_is_named_with_its_row(loader, tmp_path):
    y = NUMBERS.copy()
    y[7] = np.nan
    says = (
        r"line 37: 'nan' in column 'y' is not a finite number"
        if loader == "csv"
        else "row 7 of y contains NaN"
    )
    with pytest.raises(DataError, match=says):
        loaded(loader, y, tmp_path)


@pytest.mark.parametrize("loader", LOADERS)
def test_one_class_only_cannot_be_learned(loader, tmp_path):
    samples = loaded(loader, np.full(ROWS, "high"), tmp_path)
    with pytest.raises(DataError, match=r"all rows of .* are of one class.*at least two classes"):
        learned(samples)


@pytest.mark.parametrize("loader", LOADERS)
def test_more_classes_than_rows_cannot_be_learned(loader, tmp_path):
    samples = loaded(loader, np.array([f"name {row}" for row in range(ROWS)]), tmp_path)
    with pytest.raises(DataError, match=f"{ROWS} classes and 84 rows to train on.*several rows"):
        learned(samples)


@pytest.mark.parametrize("classes", [1, ROWS])
def test_recordings_of_one_class_or_of_one_each_cannot_be_learned(classes, tmp_path):
    saying = "one class" if classes == 1 else f"{ROWS} classes and 84 rows"
    with pytest.raises(DataError, match=saying):
        learned(as_samples(spoken(tmp_path, classes)))


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("y", "output", "saying"),
    [
        (np.arange(ROWS) % 4, (3,), "is of class 3, and output 'o' has the classes 0 to 2"),
        (NUMBERS, (3,), "output 'o' has 3 values a row, y has 1.*as many target values"),
        (np.arange(ROWS * STEPS).reshape(ROWS, STEPS) % 2, (2,), "y has 5 steps.*at each step"),
    ],
    ids=["class", "numbers", "steps"],
)
def test_targets_that_do_not_fit_the_outputs_are_refused(loader, y, output, saying, tmp_path):
    samples = loaded(loader, y, tmp_path)
    cases = [{"o": np.full((1, *output), 0.5, np.float32)}] * ROWS
    # A number of a class is an output's: only what all the classes are called differs.
    with pytest.raises(DataError, match=saying):
        predictions_of(cases, samples, "o")


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("y", "metric", "saying"),
    [
        (LEVELS, "mae", "the metric mae does not fit data of the target 'class'.*accuracy"),
        (NUMBERS, "accuracy", "the metric accuracy does not fit data of the target 'numbers'.*mae"),
        (NUMBERS, "beauty", "there is no metric 'beauty'.*accuracy, f1_macro, f1"),
    ],
)
def test_a_metric_that_does_not_fit_is_refused_with_those_that_do(
    loader, y, metric, saying, tmp_path
):
    with pytest.raises(DataError, match=saying):
        truth_of(loaded(loader, y, tmp_path), metric=metric)


def test_recordings_are_judged_as_classes(tmp_path):
    samples = as_samples(spoken(tmp_path, 4))
    with pytest.raises(DataError, match="the metric rmse does not fit data of the target 'class'"):
        truth_of(samples, metric="rmse")
    with pytest.raises(DataError, match=r"has no columns, so --target cannot name one"):
        as_samples(tmp_path, target="load")
    cases = [{"o": np.full((1, 3), 0.5, np.float32)}] * ROWS
    with pytest.raises(DataError, match=r"4 classes class0, .*, and output 'o' has 3"):
        predictions_of(cases, samples, "o")


def test_rows_of_several_lengths_are_refused_with_what_to_do(tmp_path):
    rows = [one[: 3 + index % 2].tolist() for index, one in enumerate(X)]
    with pytest.raises(DataError, match=r"x is not an array.*one shape: fill shorter ones up"):
        as_samples((rows, LEVELS))
    mixed = np.array([np.array(row) for row in rows], dtype=object)
    with pytest.raises(DataError, match=r"x has the type object"):
        as_samples((mixed, LEVELS))
    np.savez(tmp_path / "rows.npz", x=mixed, y=LEVELS)
    with pytest.raises(DataError, match=r"x holds pickled objects.*are not read"):
        as_samples(tmp_path / "rows.npz")
    lines = [f"{row},{step},{row + step / 10}" for row in range(9) for step in range(3 + row % 2)]
    (tmp_path / "rows.csv").write_text("\n".join(["sequence,a,y", *lines]))
    with pytest.raises(DataError, match=r"sequences of 3 to 4 steps.*Cut the sequences"):
        as_samples(tmp_path / "rows.csv", target="y")


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path):
    path = written(tmp_path / "rows.csv", LEVELS)
    with pytest.raises(DataError, match=r"no column 'z'.*Its columns are sequence, a, b, y"):
        as_samples(path, target="z")
    with pytest.raises(DataError, match=r"no column 'seqence'.*Did you mean 'sequence'"):
        as_samples(path, target="y,seqence")


@pytest.mark.parametrize("part", ["y", "lengths"])
def test_more_or_fewer_answers_than_rows_are_refused_with_both_shapes(part, tmp_path):
    given: dict[str, Any] = {"x": X, "y": LEVELS, part: np.ones(ROWS - 1, int)}
    with pytest.raises(DataError, match=rf"{part} has shape \({ROWS - 1},\)"):
        as_samples(given)
    np.savez(tmp_path / "rows.npz", **given)
    with pytest.raises(DataError, match=rf"{part} has shape \({ROWS - 1},\)"):
        as_samples(tmp_path / "rows.npz")
