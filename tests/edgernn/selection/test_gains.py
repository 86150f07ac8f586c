"""Controls are trained where a mix gains something, and then only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgernn.report.compared import comparison_markdown
from edgernn.scoring.metric import METRICS
from edgernn.selection.comparison import group_of
from edgernn.selection.contender import Contender, Equal
from edgernn.selection.crossed import crossed_difference
from edgernn.selection.gains import gaining_mixes
from edgernn.selection.questions import mixes
from edgernn.selection.verdict import Outcome, verdicts
from tests.edgernn.report.comparisons import comparison, training

ACCURACY = METRICS["accuracy"]


def contender(name, units=32):
    return Contender(architecture=name, units=units)


def trained(shares, *, sizes=None, seeds=5):
    """shares: of right answers, by architecture."""
    sizes = sizes or {}
    return {
        contender(name): tuple(
            training(contender(name), number, share, size=sizes.get(name, 1000 + place))
            for number in range(seeds)
        )
        for place, (name, share) in enumerate(shares.items())
    }


def gaining(trainings):
    found = gaining_mixes(tuple(trainings), trainings, (), metric=ACCURACY)
    return [one.architecture for one in found]


@pytest.mark.parametrize(
    ("shares", "needing"),
    [
        ({"gru": 0.9, "lstm": 0.9, "gru-lstm": 0.96}, ["gru-lstm"]),
        ({"gru": 0.9, "lstm": 0.9, "gru-lstm": 0.9}, []),
        ({"gru": 0.96, "lstm": 0.96, "gru-lstm": 0.9}, []),
        ({"gru": 0.9, "gru-lstm": 0.9, "gru+lstm": 0.96}, ["gru+lstm"]),
        ({"gru": 0.9, "lstm": 0.96}, []),  # better, and no mix
        # The first is a mix: it gains where another is worse than it.
        ({"gru-lstm": 0.96, "gru": 0.9}, ["gru-lstm"]),
    ],
)
def test_a_mix_that_is_better_needs_its_controls(shares, needing):
    assert gaining(trained(shares)) == needing


def test_a_mix_that_is_as_good_and_smaller_would_be_advised_so_it_needs_its_controls():
    shares = {"lstm-lstm": 0.9, "gru-lstm": 0.9}
    assert gaining(trained(shares, sizes={"lstm-lstm": 900, "gru-lstm": 800})) == ["gru-lstm"]
    assert gaining(trained(shares, sizes={"lstm-lstm": 800, "gru-lstm": 900})) == []


def test_a_smaller_mix_that_is_worse_needs_none():
    shares = {"lstm-lstm": 0.96, "gru-lstm": 0.9, "gru": 0.96}
    assert gaining(trained(shares, sizes={"gru-lstm": 100})) == []


def test_of_errors_the_lower_is_the_gain():
    runs = trained({"gru": 0.9, "gru-lstm": 0.8})
    found = gaining_mixes(tuple(runs), runs, (), metric=METRICS["MAE"])
    assert [one.architecture for one in found] == ["gru-lstm"]


def test_a_mix_stands_beside_the_control_that_is_as_wide():
    runs = trained({"gru-lstm": 0.9})
    narrow, wide = contender("gru-gru", 32), contender("gru-gru", 40)
    for one in (narrow, wide):
        runs[one] = tuple(training(one, number, 0.9) for number in range(3))
    (found,) = mixes(tuple(runs), runs, (), metric=ACCURACY, worth=0.005)
    assert found.control == narrow


def test_controls_do_not_make_what_was_asked_for_less_certain():
    names = {"gru": 0.9, "lstm": 0.92, "gru-lstm": 0.94, "gru-gru": 0.9, "lstm-lstm": 0.9}
    runs = trained(names)
    alone = tuple(one for one in runs if one.architecture in ("gru", "lstm", "gru-lstm"))

    def p_values(contenders, controls):
        group = group_of(
            *(Equal.UNITS, contenders, runs), metric=ACCURACY, worth=0.005, controls=controls
        )
        return {
            one.contender.architecture: one.verdict.p_value
            for one in group.standings
            if one.verdict
        }

    few, all_of_them = p_values(alone, ()), p_values(tuple(runs), ("gru-gru", "lstm-lstm"))
    assert all_of_them["lstm"] == few["lstm"]
    assert all_of_them["gru-lstm"] == few["gru-lstm"]
    without_a_word = p_values(tuple(runs), ())
    assert without_a_word["lstm"] > few["lstm"]
    assert all_of_them["gru-gru"] == without_a_word["gru-gru"]  # of all five


def test_equal_mixes_and_controls_that_they_call_for_are_called_better_in_7_percent_at_most():
    """Simulated: gru, lstm, gru-lstm and gru+lstm with their controls, all equally good."""
    random, rows, trials = np.random.default_rng(3), 1000, 200
    names = ["gru", "lstm", "gru-lstm", "gru+lstm"]
    beside = {"gru-lstm": ["gru-gru", "lstm-lstm"], "gru+lstm": ["gru+gru", "lstm+lstm"]}
    found = {"asked": 0, "control": 0}
    for _ in range(trials):
        easy = random.normal(7.0, 3.0, rows)

        def scores(seeds, easy=easy):
            logit = easy + random.normal(0, 0.3, seeds)[:, None]
            return (random.random((seeds, rows)) < 1 / (1 + np.exp(-logit))).astype(float)

        runs = {name: scores(5) for name in names}
        effects = [crossed_difference(runs[name], runs["gru"]) for name in names[1:]]
        needed = [
            control
            for name, effect in zip(names[1:], effects, strict=True)
            if effect.interval.low > 0
            for control in beside.get(name, [])
        ]
        effects += [crossed_difference(scores(3), runs["gru"]) for _ in needed]
        judged = verdicts(
            effects,
            worth=0.005,
            higher_is_better=True,
            unasked=[False] * 3 + [True] * len(needed),
        )
        better = [one.outcome is Outcome.BETTER for one in judged]
        found["asked"] += any(better[:3])
        found["control"] += any(better) and not any(better[:3])
    assert found["asked"] / trials <= 0.07
    assert (found["asked"] + found["control"]) / trials <= 0.07


def test_the_card_says_why_a_mix_has_no_control():
    shares = {"gru": 0.95, "lstm": 0.95, "gru-lstm": 0.95}
    text = comparison_markdown(
        comparison(shares, controls=(), without_gain=(contender("gru-lstm"),))
    )
    said = "gru-lstm-32 needs no control of its size: it was not found better than gru-32"
    assert said in text
    assert text.index("Complexity") < text.index(said) < text.index("Amount of data")


def test_the_card_says_which_gain_is_unexplained_for_want_of_time():
    found = comparison({"gru": 0.9, "gru-lstm": 0.97}, controls=(), left_out=6)
    text = comparison_markdown(replace(found, controls=("gru-gru", "lstm-lstm")))
    assert (
        "The time limit left out gru-gru and lstm-lstm: whether the cells of gru-lstm-32 or its "
        "size make its gain is not known." in text
    )
    assert "left out 6 trainings, with them all of the controls gru-gru, lstm-lstm" in text
