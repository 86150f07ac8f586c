"""What is right about labelled rows, and how right predictions are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.scoring.predictions import Predictions
from edgernn.scoring.truth import Truth, difference, score, truth_of
from edgernn.tasks.samples import Baselines


def truth(classes):
    return Truth(name="t", sha256="", metric="accuracy", classes=tuple(classes), rows=len(classes))


NUMBERS = replace(truth(()), metric="mean absolute error")


def test_accuracy_carries_its_exact_interval():
    predictions = Predictions(classes=(0,) * 96 + (1,) * 4)
    found = score(predictions, truth([0] * 100))
    assert found.value == 0.96
    assert found.interval == pytest.approx((0.9007428432873397, 0.9889955060138118))


def test_the_mean_absolute_error_carries_a_bootstrap_interval():
    found = score(Predictions(errors=(0.5, 1.0, 1.5)), replace(NUMBERS, rows=3))
    assert (found.metric, found.value, found.rows) == ("mean absolute error", 1.0, 3)
    assert 0.5 <= found.interval.low < 1.0 < found.interval.high <= 1.5


def test_a_metric_that_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="'mood' is no metric; known are accuracy, mean abs"):
        replace(NUMBERS, metric="mood")


def test_numbers_are_judged_by_their_error(sequences):
    known = truth_of(replace(sequences, y=np.array([0.5, 1.0, 2.0])))
    assert (known.metric, known.classes, known.rows) == ("mean absolute error", (), 3)
    assert truth_of(sequences).metric == "accuracy"


def test_two_models_are_compared_on_the_same_rows():
    right, wrong = (0,) * 10, (0,) * 4 + (1,) * 6
    found = difference(Predictions(classes=right), Predictions(classes=wrong), truth([0] * 10))
    assert found.estimate == pytest.approx(0.6)
    assert found.p_value == pytest.approx(2 / 64)


def test_two_regressions_are_compared_on_the_same_rows():
    a, b = Predictions(errors=(1.0, 2.0, 3.0) * 10), Predictions(errors=(1.5, 2.5, 3.5) * 10)
    found = difference(a, b, NUMBERS)
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


def test_rows_without_labels_have_no_accuracy(sequences):
    with pytest.raises(DataError, match="no labels"):
        truth_of(replace(sequences, y=None))
