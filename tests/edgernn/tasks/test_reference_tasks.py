"""The reference data are what they are said to be: shapes, classes, parts that share no row."""

from __future__ import annotations

import inspect
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from edgernn.tasks import TASKS, Split, load
from edgernn.tasks.split import CALIBRATION_ROWS
from tests.edgernn.tasks.reference_data import splits_of


@pytest.mark.parametrize("task", TASKS)
def test_the_parts_have_the_sizes_and_classes_that_the_task_states(task):
    splits = splits_of(task)
    said = TASKS[task]
    assert len(splits.train) == said.rows.train
    assert len(splits.validation) == said.rows.validation
    assert len(splits.test) == said.rows.test
    assert len(splits.calibration) == min(CALIBRATION_ROWS, said.rows.train)
    for part in (splits.train, splits.validation, splits.calibration, splits.test):
        assert part.x.shape[1:] == said.shape
        assert part.classes == said.classes
        assert part.name.startswith(f"{task}:")
        assert part.features


@pytest.mark.parametrize("task", ["digits", "japanese-vowels", "languages"])
def test_no_row_is_in_two_parts_but_calibration_rows_are_training_rows(task):
    splits = splits_of(task)
    rows = {
        split: {row.tobytes() for row in splits.part(split).x}
        for split in (Split.TRAIN, Split.VALIDATION, Split.TEST)
    }
    for one, other in itertools.combinations(rows.values(), 2):
        assert not one & other
    assert {row.tobytes() for row in splits.calibration.x} <= rows[Split.TRAIN]


@pytest.mark.parametrize(
    ("task", "trivial", "linear"),
    [
        ("digits", 0.117, 0.92),
        ("japanese-vowels", 0.238, 0.976),
        ("next-byte", 22.0, 11.63),
        ("bike", 122.0, 91.6),
        ("bike-daily", 2755, 1960),
        ("electricity", 97.7, 81.2),
        ("reviews", 0.501, 0.811),
        ("watch", 0.161, 0.504),
        ("languages", 0.108, 0.727),
        ("pronunciation", 0.436, 0.382),
    ],
)
def test_the_baselines_reach_what_is_known_of_them(task, trivial, linear):
    baselines = splits_of(task).test.baselines
    assert baselines is not None
    assert baselines.trivial == pytest.approx(trivial, rel=0.01)
    assert baselines.linear == pytest.approx(linear, rel=0.01)


def test_a_forecast_of_the_season_alone_is_the_trivial_baseline():
    test = splits_of("bike").test
    assert test.y is not None
    assert test.baselines is not None
    naive = float(np.abs(test.x[:, -7, :24] - test.y).mean())
    assert naive == pytest.approx(test.baselines.trivial, rel=1e-5)


def test_nobody_of_the_watch_is_in_two_parts():
    splits = splits_of("watch")
    people = [set(part.origins) for part in (splits.train, splits.validation, splits.test)]
    assert sum(map(len, people)) == len(set().union(*people))


def test_sequences_end_with_their_row():
    x = splits_of("digits").train.x
    assert x[:, -1].any(axis=1).all()
    assert not x[:, 0].any(axis=1).all()


def test_the_counter_counts():
    test = splits_of("counter").test
    assert np.array_equal(test.classified, np.minimum(test.x.sum(axis=(1, 2)), 127) // 16)


def test_a_part_is_loaded_by_its_name():
    splits = splits_of("digits")
    loaded = load("digits:calibration")
    assert loaded.name == "digits:calibration"
    assert np.array_equal(loaded.x, splits.calibration.x)


def test_reading_data_imports_neither_tensorflow_nor_keras():
    script = (
        "import sys; import edgernn.tasks, edgernn.tasks.training; "
        "edgernn.tasks.load('counter:test'); "
        "print(sorted({'tensorflow', 'keras', 'jax', 'torch'} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ
    )
    assert loaded.stdout.strip() == "[]"


@pytest.mark.long
@pytest.mark.parametrize(
    ("task", "wanted"),
    [
        ("pronunciation", (109_389, 3_000, 5_000)),
        ("reviews", (27_530, 2_000, 4_000)),
        ("watch", (1_307, 419, 643)),
    ],
)
def test_all_rows_of_a_task_are_more_than_those_of_a_few_minutes(task, wanted):
    splits_of(task)  # skips where the data are missing
    read = TASKS[task].sized
    assert read is not None
    found = read(lambda _sentence: None, full=True)
    sizes = (len(found.train), len(found.validation), len(found.test))
    assert sizes == wanted
    assert len(found.train) > TASKS[task].rows.train


@pytest.mark.parametrize("task", TASKS)
def test_a_task_states_the_sizes_that_it_can_be_read_in(task):
    row = TASKS[task]
    assert (row.sized is None) == (not row.sizes)
    if row.sized is not None:
        parameters = inspect.signature(row.sized).parameters
        assert [name for name in ("steps", "full") if name in parameters] == list(row.sizes)
