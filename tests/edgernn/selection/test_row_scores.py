"""A number for each test row; their mean is the metric."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.scoring.packed import Packed
from edgernn.scoring.predictions import Predictions
from edgernn.scoring.truth import score, truth_of
from edgernn.selection.row_scores import per_row, row_metric
from edgernn.tasks.given import as_samples

X = np.random.default_rng(0).normal(size=(6, 4, 2)).astype(np.float32)


def test_classes_are_right_or_wrong():
    samples = as_samples((X, np.array([0, 1, 2, 0, 1, 2])))
    found = Predictions(classes=(0, 1, 0, 0, 2, 2))
    scores = per_row(found, samples)
    assert scores == (1.0, 1.0, 0.0, 1.0, 0.0, 1.0)
    assert np.mean(scores) == pytest.approx(score(found, truth_of(samples)).value)
    assert row_metric(samples).name == "accuracy"


def test_steps_count_as_the_share_of_a_row():
    y = np.array([[0, 1, -1, -1], [1, 1, 1, 0]] * 3)
    samples = as_samples((X, y))
    found = Predictions(classes=(0, 0, 1, 1, 0, 0) * 3, sizes=())
    assert per_row(found, samples) == (0.5, 0.75) * 3


def test_numbers_count_as_their_mean_absolute_error():
    y = np.random.default_rng(1).normal(size=(6, 3))
    samples = as_samples((X, y))
    found = Predictions(numbers=Packed.of(y + np.array([0.5, -0.25, 0.0])))
    assert per_row(found, samples) == pytest.approx((0.25,) * 6, abs=1e-6)
    assert row_metric(samples).name == "MAE"


def test_other_targets_and_data_without_labels_are_refused():
    with pytest.raises(DataError, match="has no labels, and contenders are compared by"):
        row_metric(as_samples(X))
    labels = np.array([[0, 1, 1], [1, 1, 0]] * 3)
    with pytest.raises(DataError, match="targets of the kind 'labels'"):
        row_metric(as_samples((X, labels)))
