"""Four outcomes, in a fixed order, and what would decide where nothing is decided."""

from __future__ import annotations

import pytest

from edgernn.selection.crossed import Effect
from edgernn.selection.verdict import More, Outcome, verdicts
from edgernn.stats import Interval

WORTH = 0.005


def effect(low, high, *, p_value, seed_variance=1e-6, row_variance=1e-6):
    return Effect(
        estimate=(low + high) / 2,
        interval=Interval(low, high),
        p_value=p_value,
        seed_variance=seed_variance,
        row_variance=row_variance,
        seeds=5,
        rows=1000,
    )


def verdict(*given, worth=WORTH, higher_is_better=True, **parts):
    return verdicts([effect(*given, **parts)], worth=worth, higher_is_better=higher_is_better)[0]


def test_an_interval_within_the_worthwhile_difference_is_equal_even_where_it_excludes_0():
    assert verdict(0.001, 0.004, p_value=0.001).outcome is Outcome.EQUAL
    assert verdict(-0.005, 0.005, p_value=0.9).outcome is Outcome.EQUAL


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_a_score_that_is_higher_is_better_and_an_error_that_is_higher_is_worse(higher_is_better):
    up = verdict(0.01, 0.03, p_value=0.001, higher_is_better=higher_is_better)
    down = verdict(-0.03, -0.01, p_value=0.001, higher_is_better=higher_is_better)
    expected = [Outcome.BETTER, Outcome.WORSE]
    assert [up.outcome, down.outcome] == (expected if higher_is_better else expected[::-1])


def test_a_wide_interval_around_0_decides_nothing_and_names_what_narrows_it():
    seeds = verdict(-0.01, 0.02, p_value=0.4, seed_variance=4e-5, row_variance=1e-6)
    assert seeds.outcome is Outcome.UNDECIDED
    assert seeds.more == More(seeds=39)  # 5 · 4e-5 / ((WORTH / 2)² − 1e-6)
    rows = verdict(-0.01, 0.02, p_value=0.4, seed_variance=1e-6, row_variance=5e-5)
    assert rows.more == More(rows=9524)
    both = verdict(-0.01, 0.02, p_value=0.4, seed_variance=8e-6, row_variance=8e-6)
    assert both.more == More(seeds=13, rows=2560)  # each has half of (WORTH / 2)²


def test_thousands_of_seeds_are_no_advice():
    found = verdict(-0.01, 0.02, p_value=0.4, seed_variance=4e-3, row_variance=1e-6)
    assert found.more == More()
    assert "cannot be settled by more seeds" in found.more.text
    assert "seeds" not in found.more.text_of_files


def test_several_comparisons_need_smaller_p_values():
    one = effect(0.001, 0.02, p_value=0.03)
    (alone,) = verdicts([one], worth=WORTH, higher_is_better=True)
    among = verdicts([one, one, one], worth=WORTH, higher_is_better=True)
    assert alone.outcome is Outcome.BETTER
    assert {verdict.outcome for verdict in among} == {Outcome.UNDECIDED}
    assert among[0].p_value == pytest.approx(0.09)


@pytest.mark.parametrize("worth", [0.0, -0.01])
def test_a_worthwhile_difference_is_positive(worth):
    with pytest.raises(ValueError, match="smallest worthwhile difference"):
        verdict(0.0, 0.1, p_value=0.5, worth=worth)
