"""Fresh trainings decide about a candidate: how often a winner is one, in simulated searches."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.selection.candidates import Budget
from edgernn.selection.confirming import CHECKED_EVERY, confirmation, needed_score
from edgernn.selection.contender import Contender, Job, Role
from edgernn.selection.data import fold, fold_count, parts_of
from edgernn.tasks.samples import Samples
from edgernn.tasks.split import split
from edgernn.tasks.task import Recipe

ASKED = Budget(score=0.975)
ROWS = 2_000
TRAININGS = 6


def scored(random, true_score, rows):
    """A training has its luck (.3 points), and so has each of its rows."""
    return (random.random(rows) < random.normal(true_score, 0.003)).astype(np.float64)


def searched(random, candidates, true_score):
    """Whether a search among equals declares a winner: by its scores alone, and after a check."""
    by_scores = confirmed = False
    for _ in range(candidates):
        seen = np.concatenate([scored(random, true_score, 300) for _ in range(3)])
        by_scores |= ASKED.reached_by(float(seen.mean()))
        if not confirmed and seen.mean() >= needed_score(seen, ASKED, ROWS):
            confirmed = checked(random, true_score).holds
    return by_scores, confirmed


def checked(random, true_score):
    done = []
    while True:
        done.append(scored(random, true_score, ROWS // TRAININGS))
        said = confirmation(done, ASKED, trainings=TRAININGS, all_rows=ROWS)
        stops = said.given_up and len(done) % CHECKED_EVERY == 0
        if stops or len(done) == TRAININGS:
            return said


def rates(candidates, true_score, searches=300):
    random = np.random.default_rng(0)
    return np.mean([searched(random, candidates, true_score) for _ in range(searches)], axis=0)


def test_of_ten_candidates_that_lack_half_a_point_one_wins_by_luck_and_none_is_confirmed():
    by_scores, confirmed = rates(10, 0.970)
    assert by_scores >= 0.8  # as searches without a check did: 90 %
    assert confirmed <= 0.03


def test_of_ten_candidates_that_just_fall_short_one_is_confirmed_in_about_a_fifth_of_searches():
    by_scores, confirmed = rates(10, 0.9749)
    assert by_scores >= 0.98
    assert confirmed <= 0.25  # 18 % of 1,500 searches


def test_among_ten_candidates_that_exceed_the_score_by_half_a_point_one_is_confirmed():
    assert rates(10, 0.980)[1] >= 0.9


def test_one_check_refuses_a_model_that_just_falls_short_nine_times_in_ten():
    random = np.random.default_rng(1)
    holding = np.mean([checked(random, 0.9749).holds for _ in range(1000)])
    assert 0.03 <= holding <= 0.12


def test_the_margin_follows_from_the_score_and_the_rows_before_anything_is_trained():
    seen = np.array([1.0] * 99 + [0.0])
    assert needed_score(seen, ASKED, 2_000) == pytest.approx(0.975 + 0.00447, abs=1e-5)
    assert needed_score(seen, ASKED, 8_000) == pytest.approx(0.975 + 0.00224, abs=1e-5)
    assert needed_score(seen, Budget(score=0.999), 10) == 1.0


def test_a_limit_of_an_error_is_lowered_by_the_luck_of_its_rows():
    errors = np.array([1.0, 3.0] * 50)  # standard deviation 1
    budget = Budget(score=2.5, higher_is_better=False)
    assert needed_score(errors, budget, 400) == pytest.approx(2.5 - 1.2816 / 20)
    held = confirmation([errors] * 2, budget, trainings=2, all_rows=200)
    assert held.holds
    assert held.needed == pytest.approx(2.5 - 1.2816 / 200**0.5)
    strict = Budget(score=2.05, higher_is_better=False)
    assert not confirmation([errors] * 2, strict, trainings=2, all_rows=200).holds


def test_trainings_that_differ_more_than_their_rows_widen_the_margin():
    good, bad = np.ones(300), np.array([1.0] * 285 + [0.0] * 15)
    even = np.array([1.0] * 293 + [0.0] * 7)
    unequal = confirmation([good, bad] * 3, Budget(score=0.97), trainings=6, all_rows=1800)
    equal = confirmation([even] * 6, Budget(score=0.97), trainings=6, all_rows=1800)
    assert equal.needed == pytest.approx(0.97 + 1.2816 * (0.97 * 0.03 / 1800) ** 0.5)
    assert unequal.needed == pytest.approx(0.97 + 1.2816 * 0.05 * 0.3**0.5 / 6**0.5, rel=1e-3)
    assert equal.holds
    assert not unequal.holds


def test_a_candidate_far_below_what_it_needs_is_given_up_and_never_holds_early():
    few = [np.array([1.0] * 280 + [0.0] * 20)] * 2
    assert confirmation(few, ASKED, trainings=6, all_rows=ROWS).given_up
    right = confirmation([np.ones(300)] * 2, ASKED, trainings=6, all_rows=ROWS)
    assert not right.given_up
    assert not right.holds


def samples(rows, speakers=0):
    x = np.arange(rows, dtype=np.float32).reshape(rows, 1, 1)
    origins = tuple(f"speaker {row % speakers}" for row in range(rows)) if speakers else ()
    return Samples(name="made-up", x=x, y=np.arange(rows) % 2, origins=origins)


def job(repetition, units=16):
    return Job(
        contender=Contender(architecture="gru", units=units),
        recipe=Recipe(units=units),
        repetition=repetition,
        data_sha256="0",
        role=Role.CONFIRMED,
    )


def rows_of(part):
    return {int(value) for value in part.x.ravel()}


@pytest.mark.parametrize("speakers", [0, 8, 30])
def test_a_check_scores_every_row_of_training_and_validation_once_and_no_test_row(speakers):
    splits = split(samples(600, speakers))
    known = rows_of(splits.train) | rows_of(splits.validation)
    seen: list[int] = []
    for number in range(fold_count(splits)):
        parts = parts_of(splits, job(number))
        scored_rows, ending, training = map(rows_of, (parts.test, parts.validation, parts.train))
        assert scored_rows | ending | training == known
        assert len(scored_rows) + len(ending) + len(training) == len(known)
        assert rows_of(parts.calibration) <= training
        if speakers:
            sides = [set(one.origins) for one in (parts.test, parts.validation, parts.train)]
            assert sum(map(len, sides)) == len(set().union(*sides))
        seen += scored_rows
    assert sorted(seen) == sorted(known)


def test_the_folds_are_the_same_for_every_candidate_and_seeds_draw_what_ends_the_training():
    splits = split(samples(600))
    one, other = fold(splits, job(2)), fold(splits, job(2, units=32))
    assert rows_of(one.test) == rows_of(other.test)
    assert rows_of(one.validation) != rows_of(other.validation)
    assert len(one.validation) == pytest.approx(len(one.test) / 2, abs=1)
