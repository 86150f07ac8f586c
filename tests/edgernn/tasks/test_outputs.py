"""Answers for several outputs of a model: each loader gives the same, and each output is its own
target."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.tasks.given import as_samples
from edgernn.tasks.goal import goal_of
from edgernn.tasks.notation import architecture_named
from edgernn.tasks.npz import read_npz, write_npz
from edgernn.tasks.reading import AS_IT_IS
from edgernn.tasks.split import split
from edgernn.tasks.target import Target
from edgernn.tasks.task import Recipe

RANDOM = np.random.default_rng(2)
ROWS, STEPS = 120, 4
X = RANDOM.normal(size=(ROWS, STEPS, 2)).astype(np.float32)
LEVELS = np.array(["high", "low"])[RANDOM.integers(0, 2, ROWS)]
LOADS = RANDOM.normal(size=(ROWS, 2)).round(3)
OUTPUTS: dict[str, Any] = {"level": LEVELS, "watts_volts": LOADS}
KINDS = {"level": Target.CLASS, "watts_volts": Target.NUMBERS}


class Frame:
    """What a DataFrame is to us: columns of their own types."""

    def __init__(self, values):
        self._values = values
        self.columns = list(values)

    def __getitem__(self, name):
        return self._values[name]

    def __array__(self, dtype=None, copy=None):
        return np.array(np.stack(list(self._values.values()), axis=1), dtype=dtype, copy=True)


def written(path):
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["sequence", "a", "b", "level", "watts", "volts"])
        for row in range(ROWS):
            for step in range(STEPS):
                lines.writerow([row, *map(repr, X[row, step].tolist()), LEVELS[row], *LOADS[row]])
    return path


def loaded(loader, tmp_path):
    path = tmp_path / "rows.npz"
    match loader:
        case "arrays":
            return as_samples((X, OUTPUTS))
        case "mapping":
            return as_samples({"x": X, "y": OUTPUTS})
        case "npz":
            named: dict[str, Any] = {f"y.{name}": values for name, values in OUTPUTS.items()}
            np.savez(path, x=X, **named)
            return as_samples(path)
        case "written":
            write_npz(path, as_samples((X, OUTPUTS)))
            return as_samples(path)
        case "csv":
            return as_samples(written(tmp_path / "rows.csv"), target="level,watts,volts")
        case _:
            return as_samples(as_samples((X, OUTPUTS)))


@pytest.mark.parametrize("loader", ["arrays", "mapping", "npz", "written", "csv", "samples"])
def test_every_loader_gives_every_output_with_its_own_target(loader, tmp_path):
    samples = loaded(loader, tmp_path)
    np.testing.assert_array_equal(samples.x, X)
    level, load = samples.outputs
    assert {one.output: one.target for one in (level, load)} == KINDS
    assert np.array(level.labels)[level.y].tolist() == LEVELS.tolist()
    np.testing.assert_allclose(load.y, LOADS, rtol=1e-6)


def test_columns_of_a_frame_with_texts_and_numbers_are_outputs_as_of_a_table():
    columns = {"watts": LOADS[:, 0], "level": LEVELS.astype(object), "volts": LOADS[:, 1]}
    load, level = as_samples((X, Frame(columns))).outputs
    assert (load.output, level.output) == ("watts_volts", "level")
    assert (load.target, level.target) == (Target.NUMBERS, Target.CLASS)
    np.testing.assert_allclose(np.asarray(load.y), LOADS, rtol=1e-6)
    assert np.array(level.labels)[level.y].tolist() == LEVELS.tolist()


def test_a_column_named_like_the_numbers_together_is_refused():
    """It would take their place."""
    columns = {"watts": LOADS[:, 0], "volts": LOADS[:, 1], "watts_volts": LEVELS.astype(object)}
    with pytest.raises(DataError, match=r"a column 'watts_volts'\. Give that column another name"):
        as_samples((X, Frame(columns)))


def test_columns_of_numbers_of_several_types_are_one_output():
    frame = Frame({"watts": LOADS[:, 0], "count": np.arange(ROWS)})
    samples = as_samples((X, frame))
    assert samples.others == ()
    assert np.asarray(samples.y).shape == (ROWS, 2)


def test_classes_in_several_columns_are_an_output_each_where_they_are_called_classes(tmp_path):
    lines = [f"{row},{row}.5,{row % 3},{row % 2}" for row in range(ROWS)]
    (tmp_path / "rows.csv").write_text("\n".join(["sequence,a,digit,speaker", *lines]))
    reading = AS_IT_IS.with_target("digit,speaker").with_target("class")
    samples = as_samples(tmp_path / "rows.csv", reading=reading)
    assert [(one.output, one.classes) for one in samples.outputs] == [("digit", 3), ("speaker", 2)]


def test_parts_of_a_split_keep_the_answers_of_their_rows():
    number = np.arange(ROWS)
    samples = as_samples((X, {"a": number % 2, "b": number.astype(np.float32) + 0.5}))
    rows = {bytes(row): index for index, row in enumerate(X)}
    for part in (parts := split(samples)).outputs[1].train, parts.outputs[1].test:
        wanted = [rows[bytes(row)] + 0.5 for row in part.x]
        np.testing.assert_array_equal(part.y, wanted)


def test_labels_of_steps_are_padded_with_the_sequence_in_every_output():
    samples = as_samples((X, {"a": np.zeros(ROWS, int), "b": np.ones((ROWS, STEPS), int)}))
    longer = samples.with_steps(STEPS + 2)
    assert longer.others[0].y[0].tolist() == [-1, -1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("y", "target", "saying"),
    [
        ({}, None, "y is a dict without arrays"),
        ({"a": LEVELS, "b": LOADS}, "class", "several outputs, and the target 'class' is one kind"),
        (
            {"a": LEVELS, "b": LOADS[:5]},
            None,
            r"output 'b': x has shape .* and y has shape \(5, 2\)",
        ),
        ({"a": LEVELS, "b": np.full(ROWS, np.nan)}, None, "output 'b': row 0 of y contains NaN"),
        ({"a": LEVELS, "b": [[1], [2, 3]]}, None, "output 'b': y is not an array"),
    ],
)
def test_outputs_that_make_no_sense_are_refused_by_name(y, target, saying):
    with pytest.raises(DataError, match=saying):
        as_samples((X, y), target=target)


def test_an_archive_says_the_output_that_is_wrong(tmp_path):
    wrong: dict[str, Any] = {"y.a": LEVELS, "y.b": np.full(ROWS, np.inf)}
    np.savez(tmp_path / "a.npz", x=X, **wrong)
    with pytest.raises(DataError, match=r"output 'b': .*row 0 of y contains NaN"):
        read_npz(tmp_path / "a.npz")
    both: dict[str, Any] = {"y": LEVELS, "y.b": LOADS}
    np.savez(tmp_path / "b.npz", x=X, **both)
    with pytest.raises(DataError, match=r"an array y and arrays y\.NAME.*y\.NAME for each"):
        read_npz(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("y", "saying"),
    [
        ({"a/b": LEVELS, "c": LOADS}, "an output of .* is called 'a/b'.*letters, digits"),
        ({"a": LEVELS, "b": np.zeros(ROWS, int)}, "output 'b' are of one class"),
    ],
)
def test_outputs_that_cannot_be_learned_are_refused_by_name(y, saying):
    parts = split(as_samples((X, y)))
    with pytest.raises(DataError, match=saying):
        goal_of(parts, architecture_named("gru"), Recipe())
