"""Ensembles share trainings with other contenders: how often verdicts on them are wrong."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.selection.contender import Contender, Job, Role
from edgernn.selection.crossed import FEWEST_PAIRS, crossed_difference
from edgernn.selection.differences import are_pairs, difference, have_trainings_in_common
from edgernn.selection.training import Training
from edgernn.tasks.task import Recipe

ROWS, TRIALS = 500, 200
NAMES = ("gru", "lstm", "gru-lstm", "gru+lstm", "gru+gru", "lstm+lstm")


def contender(name, units=8):
    return Contender(architecture=name, units=units)


def job(name, repetition=0, **options):
    return Job(
        contender=contender(name),
        recipe=Recipe(units=8),
        repetition=repetition,
        data_sha256="0",
        **options,
    )


def margins(random, difficulty, seeds, luck):
    """[seeds, ROWS]: above 0 where a training is right; it is lucky on all rows, and on some."""
    of_seeds = random.normal(0, luck, seeds)[:, None]
    return difficulty + of_seeds + random.normal(0, 1.0, (seeds, ROWS))


def mean_of(*members):
    return (sum(members) / len(members) > 0).astype(float)


def called_different(seeds, luck, *, paired):
    """Of comparisons of two equally good ensembles that share one of two members."""
    random, found = np.random.default_rng(5), []
    for _ in range(TRIALS):
        difficulty = random.normal(5, 2.5, ROWS)
        shared, one, other = (margins(random, difficulty, seeds, luck) for _ in range(3))
        mixed, beside = mean_of(shared, one), mean_of(shared, other)
        found.append(crossed_difference(mixed, beside, paired=paired).p_value < 0.05)
    return float(np.mean(found))


@pytest.mark.parametrize("seeds", [2, 3, 4, 5])
@pytest.mark.parametrize("luck", [0.1, 0.5])
def test_equal_ensembles_that_share_a_member_are_called_different_in_7_percent_at_most(seeds, luck):
    assert called_different(seeds, luck, paired=True) <= 0.07


@pytest.mark.parametrize(("seeds", "controls"), [(2, 2), (3, 3), (5, 3), (5, 5)])
@pytest.mark.parametrize("luck", [0.1, 0.5])
def test_equal_controls_of_two_repetitions_each_are_called_different_in_7_percent_at_most(
    seeds, controls, luck
):
    """gru+gru, of which repetition s has repetitions 2s and 2s + 1 of gru, beside gru+lstm."""
    random, found = np.random.default_rng(6), []
    for _ in range(TRIALS):
        difficulty = random.normal(5, 2.5, ROWS)
        grus = margins(random, difficulty, max(seeds, 2 * controls), luck)
        lstms = margins(random, difficulty, seeds, luck)
        mixed, control = (
            mean_of(grus[:seeds], lstms),
            mean_of(grus[: 2 * controls : 2], grus[1 : 2 * controls : 2]),
        )
        found.append(crossed_difference(mixed, control).p_value < 0.05)
    assert float(np.mean(found)) <= 0.07


def test_few_pairs_are_taken_as_independent_trainings():
    random = np.random.default_rng(1)
    a, b = (random.random((FEWEST_PAIRS - 1, 50)) for _ in range(2))
    assert crossed_difference(a, b, paired=True) == crossed_difference(a, b)


def test_pairs_find_a_small_gain_more_often_where_seeds_differ_much():
    def found(paired):
        random, count = np.random.default_rng(2), 0
        for _ in range(TRIALS):
            difficulty = random.normal(5, 2.5, ROWS)
            gru, lstm = (margins(random, difficulty, 5, 0.5) for _ in range(2))
            a, b = (((gru + lstm) / 2 > 0).astype(float), (gru > 0).astype(float))
            count += crossed_difference(a, b, paired=paired).interval.low > 0
        return count

    assert found(paired=True) > 1.5 * found(paired=False)


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("gru+lstm", "gru", True),
        ("gru+gru", "gru+lstm", True),
        ("gru+lstm", "lstm+lstm", True),
        ("gru+gru", "lstm+lstm", False),
        ("gru-lstm", "gru", False),
        ("gru", "lstm", False),
    ],
)
def test_contenders_with_a_training_in_common_are_known(one, other, shared):
    assert have_trainings_in_common(contender(one), contender(other)) is shared
    assert not have_trainings_in_common(contender(one), contender(other, units=16))
    in_common = {key for name in (one,) for key in keys_of(name)} & set(keys_of(other))
    assert bool(in_common) is shared


def keys_of(name):
    of = job(name)
    return [one.key for one in of.members or (of,)]


def test_repetitions_of_an_ensemble_have_no_training_in_common():
    for name in NAMES:
        keys = [key for number in range(5) for key in (m.key for m in job(name, number).members)]
        assert len(set(keys)) == len(keys)


def test_members_are_the_trainings_of_the_contenders_that_stand_alone():
    assert job("gru+lstm", 3).members == (job("gru", 3), job("lstm", 3))
    assert job("gru+gru", 3).members == (job("gru", 6), job("gru", 7))
    assert job("gru+lstm+gru", 1).members == (job("gru", 2), job("lstm", 1), job("gru", 3))
    assert job("gru-lstm", 3).members == ()
    assert job("gru+lstm", role=Role.SEARCHED).members == ()
    assert job("gru+lstm", share=0.25).members == (job("gru", share=0.25), job("lstm", share=0.25))


@pytest.mark.parametrize(
    ("one", "other", "pairs"),
    [
        ("gru+lstm", "gru", True),
        ("gru+lstm", "gru+conv-gru", True),
        ("gru+gru", "gru", False),
        ("gru+gru", "gru+lstm", False),
        ("gru", "lstm", False),
    ],
)
def test_pairs_have_their_common_trainings_in_the_same_repetition(one, other, pairs):
    assert are_pairs(contender(one), contender(other)) is pairs
    assert are_pairs(contender(other), contender(one)) is pairs
    keys = [
        [{m.key for m in job(name, n).members or (job(name, n),)} for n in range(5)]
        for name in (one, other)
    ]
    in_pairs = [bool(a & b) for a, b in zip(*keys, strict=True)]
    elsewhere = any(keys[0][i] & keys[1][j] for i in range(5) for j in range(5) if i != j)
    assert (all(in_pairs) and not elsewhere) is pairs


def test_repetitions_are_compared_in_pairs_only_where_each_has_its_partner():
    random = np.random.default_rng(3)
    luck = random.normal(0, 0.05, (5, 1))
    scores = {name: random.normal(0.5, 0.05, (5, 60)) + luck for name in ("gru", "gru+lstm")}
    one, other = map(contender, ("gru+lstm", "gru"))

    def between(repetitions):
        runs = {
            contender(name): tuple(
                result(name, number, scores[name][number])
                for number in (range(5) if name == "gru" else repetitions)
            )
            for name in scores
        }
        return difference(one, other, runs, "original")

    whole, short = between(range(5)), between(range(4))
    assert whole.estimate == pytest.approx(float((scores["gru+lstm"] - scores["gru"]).mean()))
    assert whole == crossed_difference(scores["gru+lstm"], scores["gru"], paired=True)
    assert short == crossed_difference(scores["gru+lstm"][:4], scores["gru"])
    assert whole.seed_variance < 0.2 * short.seed_variance


def result(name, number, scores):
    return Training(
        key=f"{number}",
        name=name,
        repetition=number,
        seed=0,
        parameters=0,
        seconds=0.0,
        seconds_to_best=0.0,
        epochs_to_best=0,
        peak_bytes=0,
        curve=(),
        scores={"original": tuple(scores)},
    )
