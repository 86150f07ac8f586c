"""What is right about labelled rows, and how right predictions are."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.scoring.metric import METRICS
from edgernn.scoring.packed import Packed
from edgernn.scoring.predictions import Predictions
from edgernn.scoring.truth import Truth, difference, require_labels, score, scores, truth_of
from edgernn.tasks.samples import Baselines
from edgernn.tasks.target import Target


def truth(classes):
    return Truth(name="t", sha256="", metric="accuracy", classes=tuple(classes), rows=len(classes))


NUMBERS = Truth(
    name="data",
    sha256="0",
    metric="MAE",
    rows=3,
    target=Target.NUMBERS,
    numbers=Packed.of(np.array([[0.0], [1], [2]])),
)


def off_by(*errors):
    return Predictions(numbers=Packed.of(np.array([[0.0], [1], [2]]) + np.array([errors]).T))


def test_accuracy_carries_its_exact_interval():
    predictions = Predictions(classes=(0,) * 96 + (1,) * 4)
    found = score(predictions, truth([0] * 100))
    assert found.value == 0.96
    assert found.interval == pytest.approx((0.9007428432873397, 0.9889955060138118))


def test_the_mean_absolute_error_carries_a_bootstrap_interval():
    found = score(off_by(0.5, -1, 1.5), NUMBERS)
    assert (found.metric, found.value, found.rows) == ("MAE", 1.0, 3)
    assert 0.5 <= found.interval.low < 1.0 < found.interval.high <= 1.5


def test_all_metrics_of_the_target_are_scored_and_those_without_a_value_left_out():
    found = {one.metric: one.value for one in scores(off_by(0.5, -1, 1.5), NUMBERS)}
    assert found == pytest.approx({"MAE": 1.0, "RMSE": math.sqrt(3.5 / 3), "R²": 1 - 3.5 / 2})
    constant = replace(NUMBERS, numbers=Packed.of(np.ones((3, 1))))
    assert [one.metric for one in scores(off_by(0, 1, 2), constant)] == ["MAE", "RMSE"]


def test_a_metric_that_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="'mood' is no metric; known are accuracy, F1 macro"):
        replace(NUMBERS, metric="mood")


def test_numbers_are_judged_by_their_error(sequences):
    known = truth_of(replace(sequences, y=np.array([0.5, 1.0, 2.0])))
    assert (known.metric, known.classes, known.rows) == ("MAE", (), 3)
    assert truth_of(sequences).metric == "accuracy"


def test_two_models_are_compared_on_the_same_rows():
    right, wrong = (0,) * 10, (0,) * 4 + (1,) * 6
    found = difference(Predictions(classes=right), Predictions(classes=wrong), truth([0] * 10))
    assert found.estimate == pytest.approx(0.6)
    assert found.p_value == pytest.approx(2 / 64)


def test_two_regressions_are_compared_on_the_same_rows():
    found = difference(off_by(0.5, -1, 1.5), off_by(1, -1.5, 2), NUMBERS)
    assert found.estimate == pytest.approx(-0.5)
    assert found.significant


def test_the_truth_keeps_classes_baselines_and_a_hash_of_all(sequences):
    known = truth_of(replace(sequences, baselines=Baselines(trivial=0.6, linear=0.8)))
    assert (known.classes, known.rows, known.trivial, known.linear) == ((0, 1, 1), 3, 0.6, 0.8)
    changed = sequences.x.copy()
    changed[0, 0, 0] += 1
    assert truth_of(replace(sequences, x=changed)).sha256 != known.sha256
    assert truth_of(replace(sequences, labels=("a", "b"))).sha256 != known.sha256
    assert truth_of(replace(sequences, lengths=None)).sha256 != known.sha256
    assert truth_of(replace(sequences, y=np.array([1, 1, 1]))).sha256 != known.sha256


def test_rows_without_labels_have_no_score_and_an_accuracy_is_refused(sequences):
    bare = replace(sequences, y=None)
    known = truth_of(bare)
    assert (known.metric, known.judge, known.judges, known.rows) == (None, None, (), 3)
    with pytest.raises(DataError, match="data has no labels: accuracy cannot be measured"):
        require_labels(bare, "accuracy")
    with pytest.raises(DataError, match="the metric mae does not fit"):
        truth_of(sequences, metric="mae")
    assert truth_of(sequences, metric="f1_macro").judge is METRICS["F1 macro"]
