"""The crossed estimator finds real gaps, and no gap where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.selection.crossed import crossed_difference
from edgernn.stats import holm

ACCURACY = 3.9  # in standard logistic units, before the difficulty of rows: about 94 %


def trainings(random, seeds, rows, *, gap=0.0, spread=0.25):
    """Right or wrong of two architectures on shared rows: `gap` and `spread` in logistic units."""
    difficulty = random.normal(0, 2.2, rows)
    return [
        (
            ACCURACY
            + difficulty
            + random.normal(-shift, spread, seeds)[:, None]
            + random.logistic(0, 0.6, (seeds, rows))
            > 0
        ).astype(float)
        for shift in (0.0, gap)
    ]


@pytest.mark.parametrize(
    ("seeds", "rows", "spread"), [(5, 1000, 0.25), (5, 1000, 0.05), (3, 300, 0.4), (10, 500, 0.1)]
)
def test_equal_architectures_differ_significantly_in_at_most_7_of_100_comparisons(
    seeds, rows, spread
):
    random = np.random.default_rng(1)
    found = sum(
        crossed_difference(*trainings(random, seeds, rows, spread=spread)).p_value < 0.05
        for _ in range(1000)
    )
    assert found / 1000 <= 0.07


def test_a_gap_of_one_and_a_half_points_is_found_in_four_of_five_comparisons():
    random = np.random.default_rng(2)
    effects = [
        crossed_difference(*trainings(random, 5, 1000, gap=0.3, spread=0.05)) for _ in range(200)
    ]
    assert np.mean([effect.estimate for effect in effects]) == pytest.approx(0.015, abs=0.002)
    assert np.mean([effect.interval.low > 0 for effect in effects]) >= 0.8


def test_the_interval_covers_the_true_gap_in_95_of_100_comparisons():
    random = np.random.default_rng(3)
    effects = [crossed_difference(*trainings(random, 5, 800)) for _ in range(300)]
    covered = [effect.interval.low <= 0.0 <= effect.interval.high for effect in effects]
    assert 0.92 <= np.mean(covered) <= 0.99


def test_errors_are_compared_as_accuracies_are():
    random = np.random.default_rng(4)
    rows = random.gamma(2.0, 10.0, 500)
    a = rows + random.normal(0, 1.0, (4, 500)) + 5.0
    b = rows + random.normal(0, 1.0, (6, 500))
    effect = crossed_difference(a, b)
    assert effect.estimate == pytest.approx(a.mean() - b.mean())
    assert effect.interval.low < effect.estimate < effect.interval.high
    assert effect.interval.low > 4.5
    assert (effect.seeds, effect.rows) == (4, 500)


def test_the_order_of_the_two_changes_the_sign_only():
    a, b = trainings(np.random.default_rng(5), 4, 200)
    forward, back = crossed_difference(a, b), crossed_difference(b, a)
    assert forward.estimate == -back.estimate
    assert forward.interval.low == pytest.approx(-back.interval.high)
    assert forward.p_value == pytest.approx(back.p_value)


def test_trainings_that_agree_on_each_row_have_no_difference():
    right = np.tile([1.0, 0.0, 1.0, 1.0], (3, 1))
    effect = crossed_difference(right, right)
    assert (effect.estimate, effect.p_value) == (0.0, 1.0)
    assert effect.interval == (0.0, 0.0)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.ones((3, 5)), np.ones((3, 6)), "share no two rows"),
        (np.ones(5), np.ones(5), "share no two rows"),
    ],
)
def test_scores_that_cannot_be_compared_are_refused(a, b, message):
    with pytest.raises(ValueError, match=message):
        crossed_difference(a, b)


def test_p_values_of_several_comparisons_are_adjusted():
    # as R's p.adjust(c(.01, .04, .03, .005), "holm")
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
