"""Scores of models with several outputs: each by the metric of its own target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sklearn

from edgernn.errors import DataError
from edgernn.scoring.predictions import agreement, deviation
from edgernn.scoring.reading import predictions_of
from edgernn.scoring.truth import first_differences, first_scores, require_read, scores, truth_of
from edgernn.tasks.given import as_samples

RANDOM = np.random.default_rng(4)
ROWS = 50
X = RANDOM.normal(size=(ROWS, 3, 2)).astype(np.float32)
Y: dict[str, Any] = {
    "digit": RANDOM.integers(0, 4, ROWS),
    "load": RANDOM.normal(size=(ROWS, 2)).astype(np.float32),
    "tags": RANDOM.integers(0, 2, (ROWS, 3)),
    "raw": RANDOM.integers(0, 2, (ROWS, 4)) * 2.5,
}
SAMPLES = as_samples((X, Y))
TRUTH = truth_of(SAMPLES)


def answered(seed):
    """What some model answers, by output."""
    random = np.random.default_rng(seed)
    return {
        "raw": Y["raw"] + random.normal(size=Y["raw"].shape),
        "digit": random.dirichlet(np.ones(4), ROWS),
        "load": Y["load"] + random.normal(size=Y["load"].shape),
        "tags": random.dirichlet(np.ones(4), (ROWS, 3)),
    }


def predicted(answers):
    cases = [
        {name: values[row : row + 1].astype(np.float32) for name, values in answers.items()}
        for row in range(ROWS)
    ]
    return predictions_of(cases, SAMPLES, "raw")


def test_each_output_is_scored_by_the_metrics_of_its_target():
    answers = answered(0)
    found = {one.name: one.value for one in scores(predicted(answers), TRUTH)}
    digits, tags = answers["digit"].argmax(axis=1), answers["tags"].argmax(axis=2)
    assert found["accuracy of digit"] == sklearn.accuracy_score(Y["digit"], digits)
    assert found["F1 macro of digit"] == pytest.approx(
        sklearn.f1_score(Y["digit"], digits, average="macro"), abs=1e-9
    )
    assert found["MAE of load"] == pytest.approx(
        sklearn.mean_absolute_error(Y["load"], answers["load"]), rel=1e-6
    )
    assert found["R² of raw"] == pytest.approx(sklearn.r2_score(Y["raw"], answers["raw"]), rel=1e-5)
    assert found["accuracy of tags"] == sklearn.accuracy_score(Y["tags"].ravel(), tags.ravel())


def test_the_first_scores_are_one_of_each_output_and_their_differences_add_up():
    a, b = predicted(answered(0)), predicted(answered(1))
    first, second = first_scores(a, TRUTH), first_scores(b, TRUTH)
    assert [one.output for one in first] == list(Y)
    for one, other, found in zip(first, second, first_differences(a, b, TRUTH), strict=True):
        assert found.estimate == pytest.approx(one.value - other.value, abs=1e-9)


def test_agreement_is_that_of_the_output_that_agrees_least():
    exact = answered(0)
    changed = exact | {"digit": np.roll(exact["digit"], 1, axis=1)}
    assert agreement(predicted(exact), predicted(exact)) == 1
    assert agreement(predicted(changed), predicted(exact)) == 0
    moved = exact | {"raw": exact["raw"] + exact["raw"].std()}
    assert deviation(predicted(moved), predicted(exact)) == pytest.approx(1, rel=1e-4)


def test_an_output_that_the_model_has_not_is_named_with_those_that_it_has():
    with pytest.raises(DataError, match="output 'tags', and the model's outputs are raw, digit"):
        predicted({name: values for name, values in answered(0).items() if name != "tags"})


def test_names_of_classes_that_the_output_cannot_have_are_refused():
    samples = as_samples((X, {"load": Y["load"], "mood": np.array(["a", "b"])[Y["digit"] % 2]}))
    answers = answered(0)
    cases = [
        {"load": answers["load"][row : row + 1], "mood": answers["digit"][row : row + 1]}
        for row in range(ROWS)
    ]
    with pytest.raises(DataError, match="has the 2 classes a, b, and output 'mood' has 4"):
        predictions_of(cases, samples, "load")


def test_two_classes_of_a_model_of_three_have_an_accuracy_and_no_auc():
    samples = as_samples((X, Y["digit"] % 2))
    three = np.random.default_rng(5).dirichlet(np.ones(3), ROWS)
    found = predictions_of([{"o": one[None]} for one in three], samples, "o")
    said = {one.metric: one.value for one in scores(found, truth_of(samples))}
    assert said["accuracy"] == sklearn.accuracy_score(samples.y, three.argmax(axis=1))
    assert "AUC" not in said
    with pytest.raises(DataError, match=r"this model has another number.*--metric accuracy or"):
        require_read(found, truth_of(samples, metric="auc"))
    require_read(found, truth_of(samples))
