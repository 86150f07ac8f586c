"""Each metric against scikit-learn, and its interval and paired difference against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from sklearn import metrics as sklearn

from edgernn import measures
from edgernn.stats import ROW_RESAMPLES, bootstrap

RANDOM = np.random.default_rng(7)
ROWS = 60
ONES = np.ones(ROWS, dtype=int)
TRUTH = RANDOM.integers(0, 5, ROWS)
CHOSEN = np.where(RANDOM.random(ROWS) < 0.6, TRUTH, RANDOM.integers(0, 6, ROWS))
OTHER = np.where(RANDOM.random(ROWS) < 0.7, TRUTH, RANDOM.integers(0, 5, ROWS))
BINARY = RANDOM.integers(0, 2, ROWS)
SCORES = np.round(0.3 * BINARY + RANDOM.random(ROWS), 1)  # with ties
OTHER_SCORES = np.round(0.2 * BINARY + RANDOM.random(ROWS), 1)
LABELS = RANDOM.integers(0, 2, (ROWS, 4))
CHOSEN_LABELS = np.where(RANDOM.random(LABELS.shape) < 0.7, LABELS, 1 - LABELS)
OTHER_LABELS = np.where(RANDOM.random(LABELS.shape) < 0.8, LABELS, 1 - LABELS)
NUMBERS = 1000 + RANDOM.normal(size=(ROWS, 3))
PREDICTED = NUMBERS + RANDOM.normal(size=NUMBERS.shape)
OTHER_NUMBERS = NUMBERS + 0.8 * RANDOM.normal(size=NUMBERS.shape)
LIKELIHOODS = RANDOM.uniform(0.01, 1, ROWS)


def f1(truth, chosen):
    return sklearn.f1_score(truth, chosen, average="macro", zero_division=0)


def root_mean_squared(truth, predicted):
    return math.sqrt(sklearn.mean_squared_error(truth, predicted))


#: ours, scikit-learn's, what is right, two models' answers
CASES = {
    "accuracy": (
        lambda y, p: measures.accuracy(y, p, ONES),
        sklearn.accuracy_score,
        *(TRUTH, CHOSEN, OTHER),
    ),
    "F1 macro": (lambda y, p: measures.f1_macro(y, p, ONES), f1, TRUTH, CHOSEN, OTHER),
    "F1 macro of labels": (
        measures.f1_macro_of_labels,
        f1,
        *(LABELS, CHOSEN_LABELS, OTHER_LABELS),
    ),
    "F1": (measures.f1_positive, sklearn.f1_score, BINARY, SCORES > 0.6, OTHER_SCORES > 0.5),
    "AUC": (measures.area_under_curve, sklearn.roc_auc_score, BINARY, SCORES, OTHER_SCORES),
    "MAE": (
        measures.mean_absolute_error,
        sklearn.mean_absolute_error,
        *(NUMBERS, PREDICTED, OTHER_NUMBERS),
    ),
    "RMSE": (
        measures.root_mean_squared_error,
        root_mean_squared,
        *(NUMBERS, PREDICTED, OTHER_NUMBERS),
    ),
    "R2": (
        measures.coefficient_of_determination,
        sklearn.r2_score,
        *(NUMBERS, PREDICTED, OTHER_NUMBERS),
    ),
    "perplexity": (
        lambda _, p: measures.perplexity(p, ONES),
        lambda _, p: float(np.exp(sklearn.log_loss([1] * len(p), p, labels=[0, 1]))),
        *(ONES, LIKELIHOODS, LIKELIHOODS**0.9),
    ),
}
parametrized = pytest.mark.parametrize(
    ("ours", "theirs", "truth", "first", "second"), CASES.values(), ids=CASES.keys()
)


@parametrized
def test_the_value_is_that_of_scikit_learn(ours, theirs, truth, first, second):
    for predicted in (first, second):
        found = measures.value(ours(truth, predicted), ROWS)
        assert found == pytest.approx(theirs(truth, predicted), abs=1e-9, rel=1e-9)


@parametrized
def test_the_interval_is_the_percentile_bootstrap_of_scipy(ours, theirs, truth, first, second):
    assert len(second) == ROWS
    resamples = 50
    found = bootstrap(ROWS, ours(truth, first), resamples=resamples)
    expected = scipy_bootstrap(lambda rows: theirs(truth[rows], first[rows]), resamples)
    assert found == pytest.approx(expected, abs=1e-9, rel=1e-9)
    assert found.low <= measures.value(ours(truth, first), ROWS) <= found.high


@parametrized
def test_the_difference_of_two_models_is_that_of_scipy(ours, theirs, truth, first, second):
    resamples = 50
    a, b = ours(truth, first), ours(truth, second)
    found = bootstrap(ROWS, lambda weights: a(weights) - b(weights), resamples=resamples)

    def statistic(rows):
        return theirs(truth[rows], first[rows]) - theirs(truth[rows], second[rows])

    assert found == pytest.approx(scipy_bootstrap(statistic, resamples), abs=1e-9, rel=1e-9)


def scipy_bootstrap(statistic, resamples):
    found = scipy_stats.bootstrap(
        (np.arange(ROWS),),
        statistic,
        n_resamples=resamples,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return (found.confidence_interval.low, found.confidence_interval.high)


def test_steps_of_a_row_are_drawn_together():
    sizes = np.array([1, 3, 2])
    truth, chosen = np.array([0, 1, 1, 2, 2, 0]), np.array([0, 1, 0, 2, 1, 1])
    weights = np.array([[1.0, 1, 1], [2, 0, 1]])
    rows = [[0, 1, 2, 3, 4, 5], [0, 0, 4, 5]]
    for ours, theirs in ((measures.accuracy, sklearn.accuracy_score), (measures.f1_macro, f1)):
        expected = [theirs(truth[chosen_rows], chosen[chosen_rows]) for chosen_rows in rows]
        assert ours(truth, chosen, sizes)(weights) == pytest.approx(expected, abs=1e-12)


def test_a_choice_of_rows_of_one_class_has_no_area_under_the_curve():
    counted = measures.area_under_curve(np.array([0, 1, 1]), np.array([0.1, 0.9, 0.2]))
    assert np.isnan(counted(np.array([[0.0, 1, 2]]))).all()
    interval = bootstrap(3, counted)
    assert interval.low == interval.high == 1.0


def test_a_value_that_never_changes_does_not_count_in_r2():
    truth = np.array([[1.0, 5], [2, 5], [4, 5]])
    predicted = np.array([[1.5, 5], [2, 5], [4, 6]])
    found = measures.value(measures.coefficient_of_determination(truth, predicted), 3)
    assert found == pytest.approx(sklearn.r2_score(truth[:, 0], predicted[:, 0]))
    constant = measures.coefficient_of_determination(truth[:, 1:], predicted[:, 1:])
    assert math.isnan(measures.value(constant, 3))


def test_a_likelihood_of_zero_leaves_the_perplexity_finite():
    counted = measures.perplexity(np.array([0.0, 1.0]), np.ones(2, int))
    assert measures.value(counted, 2) == pytest.approx(1e5)


def test_edits_are_counted_for_each_token_of_the_truth():
    truth, said = [[1, 2, 3], [4]], [[1, 3], [4, 5]]
    assert measures.value(measures.edit_distance_rate(truth, said), 2) == pytest.approx(2 / 4)


@given(st.lists(st.integers(0, 3), max_size=7), st.lists(st.integers(0, 3), max_size=7))
def test_the_edit_distance_is_that_of_the_recursive_definition(a, b):
    def distance(m, n):
        if not m or not n:
            return len(m) + len(n)
        if m[0] == n[0]:
            return distance(m[1:], n[1:])
        return 1 + min(distance(m[1:], n), distance(m, n[1:]), distance(m[1:], n[1:]))

    assert measures.edit_distance(a[:5], b[:5]) == distance(a[:5], b[:5])


def test_intervals_are_the_same_in_chunks_and_at_once():
    rows = 2_000  # 2,000 resamples of them do not fit into one chunk
    x = np.random.default_rng(1).normal(size=rows)
    drawn = np.random.default_rng(0).integers(0, rows, (ROW_RESAMPLES, rows))
    expected = np.percentile(x[drawn].mean(axis=1), [2.5, 97.5])
    assert bootstrap(rows, lambda w: w @ x / rows) == pytest.approx(tuple(expected), abs=1e-12)
