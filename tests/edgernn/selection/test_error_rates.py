"""How often verdicts are wrong: simulated trainings whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.selection.crossed import crossed_difference
from edgernn.selection.verdict import Outcome, verdicts

ROWS, SEEDS, TRIALS = 1000, 5, 200
WORTH = 0.005


def trainings(random, difficulty, ability, *, seed_deviation):
    """[SEEDS, ROWS]: rows are easy or hard for everyone; a seed is lucky on all of them."""
    luck = random.normal(0, seed_deviation, SEEDS)[:, None]
    logit = difficulty[None, :] + ability + luck
    return (random.random((SEEDS, ROWS)) < 1 / (1 + np.exp(-logit))).astype(float)


def accuracy_of(ability, difficulty):
    return float((1 / (1 + np.exp(-(difficulty + ability)))).mean())


def outcomes(gap, *, seed_deviation, seed):
    random = np.random.default_rng(seed)
    found = []
    for _ in range(TRIALS):
        difficulty = random.normal(7.0, 3.0, ROWS)
        low, high = 0.0, 8.0  # the ability that makes the second better by `gap`
        wanted = accuracy_of(0.0, difficulty) + gap
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (
                (middle, high) if accuracy_of(middle, difficulty) < wanted else (low, middle)
            )
        first = trainings(random, difficulty, 0.0, seed_deviation=seed_deviation)
        second = trainings(random, difficulty, low, seed_deviation=seed_deviation)
        (verdict,) = verdicts(
            [crossed_difference(second, first)], worth=WORTH, higher_is_better=True
        )
        found.append(verdict.outcome)
    return found


@pytest.mark.parametrize("seed_deviation", [0.0, 0.15, 0.4])
def test_equal_architectures_are_called_better_in_7_percent_of_comparisons_at_most(
    seed_deviation,
):
    found = outcomes(0.0, seed_deviation=seed_deviation, seed=1)
    better, worse = (found.count(one) for one in (Outcome.BETTER, Outcome.WORSE))
    assert better / TRIALS <= 0.07
    assert (better + worse) / TRIALS <= 0.09  # 5 % are expected; 200 trials scatter by 1.5


def test_a_gap_of_one_and_a_half_points_is_found_in_80_percent():
    found = outcomes(0.015, seed_deviation=0.4, seed=2)  # of .5 points
    assert found.count(Outcome.BETTER) / TRIALS >= 0.8
    assert Outcome.WORSE not in found
