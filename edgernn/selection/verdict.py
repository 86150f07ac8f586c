"""What a difference means for a purpose: equal, better, worse, or not to be decided yet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from edgernn.selection.crossed import FEWEST_SEEDS, Effect
from edgernn.stats import SIGNIFICANCE, Interval, holm


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """The smallest difference that would change a choice."""

    amount: float
    is_relative: bool = False  # a share of the first contender's score, as for errors

    def of(self, score: float) -> float:
        """In the scores' unit."""
        return self.amount * abs(score) if self.is_relative else self.amount


class Outcome(str, Enum):
    """What the interval of a difference says, beside the smallest difference worth having."""

    EQUAL = "equal for your purpose"
    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "cannot tell"


#: More trainings or rows than that are no advice.
MOST_SEEDS: Final = 50
MOST_TIMES_ROWS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class More:
    """So many trainings and test rows, in all, would narrow an interval enough.

    Both are None where that is beyond MOST_SEEDS and MOST_TIMES_ROWS: it cannot be settled so.
    """

    seeds: int | None = None
    rows: int | None = None

    @property
    def text(self) -> str:
        """A clause."""
        if self.seeds == FEWEST_SEEDS:
            return f"one training says nothing about the luck of the seed; {self.seeds} are needed"
        if self.seeds and self.rows:
            return f"{self.seeds} seeds with {self.rows:,} test rows would decide"
        if self.seeds:
            return f"about {self.seeds} seeds would decide"
        if self.rows:
            return f"about {self.rows:,} test rows would decide; more seeds would not"
        return "it cannot be settled by more seeds, nor by a few times as many test rows"

    @property
    def text_of_files(self) -> str:
        """The clause for given files, which have no seeds."""
        if self.rows and not self.seeds:
            return f"about {self.rows:,} test rows would decide"
        return "a few times as many test rows would not decide either"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One contender beside another.  `effect` is its score minus the other's."""

    outcome: Outcome
    effect: Effect
    worth: float  # the smallest difference that would change a choice, in the scores' unit
    p_value: float  # adjusted for the number of comparisons
    more: More | None = None  # what would decide, where nothing is decided


def verdicts(
    effects: Sequence[Effect],
    *,
    worth: float,
    higher_is_better: bool,
    unasked: Sequence[bool] = (),
) -> tuple[Verdict, ...]:
    """A verdict for each difference from one reference; p-values are Holm's over all of them.

    unasked: for each difference, whether it is that of a control; (): none is.  A control does not
        raise the p-value of what was asked for.  Its own is adjusted for all differences.

    In this order: one training of a contender decides nothing; an interval within ±worth is equal;
    one without 0 is better or worse; else the data do not decide.  `worth` is positive, in the unit
    of the scores.

    >>> verdicts([crossed_difference(gru, lstm)], worth=0.005, higher_is_better=True)[0].outcome
    <Outcome.EQUAL: 'equal for your purpose'>
    """
    if not worth > 0:
        raise ValueError(f"a smallest worthwhile difference of {worth}")
    p_values = [effect.p_value for effect in effects]
    adjusted = holm(p_values)
    if any(unasked):
        asked = [place for place, is_control in enumerate(unasked) if not is_control]
        of_asked = holm([p_values[place] for place in asked])
        for place, p_value in zip(asked, of_asked, strict=True):
            adjusted[place] = p_value
    return tuple(
        _verdict(effect, p_value, worth, higher_is_better)
        for effect, p_value in zip(effects, adjusted, strict=True)
    )


def _verdict(effect: Effect, p_value: float, worth: float, higher_is_better: bool) -> Verdict:
    more = None
    if effect.seeds == 1:
        outcome, more = Outcome.UNDECIDED, More(seeds=FEWEST_SEEDS)
    elif _within(effect.interval, worth):
        outcome = Outcome.EQUAL
    elif p_value < SIGNIFICANCE:
        outcome = Outcome.BETTER if (effect.estimate > 0) == higher_is_better else Outcome.WORSE
    else:
        outcome = Outcome.UNDECIDED
        more = _would_decide(effect, worth)
    return Verdict(outcome=outcome, effect=effect, worth=worth, p_value=p_value, more=more)


def _within(interval: Interval, worth: float) -> bool:
    return -worth <= interval.low and interval.high <= worth


def _would_decide(effect: Effect, worth: float) -> More:
    """What narrows the interval to ±worth around its estimate: seeds if they suffice, else rows.

    The rows' part stays however many seeds there are, and the other way round.  An estimate near 0
    can become "equal", a large one "better": ±worth serves both.
    """
    target = (worth / 2) ** 2  # half an interval is about two standard errors
    seeds = _needed(effect.seeds, effect.seed_variance, target - effect.row_variance)
    is_trained = effect.seed_variance > 0  # else of given files, which more seeds do not change
    if is_trained and seeds is not None and seeds <= MOST_SEEDS:
        return More(seeds=max(seeds, effect.seeds + 1))
    most_rows = MOST_TIMES_ROWS * effect.rows
    rows = _needed(effect.rows, effect.row_variance, target - effect.seed_variance)
    if rows is not None and rows <= most_rows:
        return More(rows=rows)
    seeds = _needed(effect.seeds, effect.seed_variance, target / 2) or 0
    rows = _needed(effect.rows, effect.row_variance, target / 2) or 0
    if is_trained and seeds <= MOST_SEEDS and rows <= most_rows:
        return More(seeds=max(seeds, effect.seeds + 1), rows=max(rows, effect.rows))
    return More()


def _needed(have: int, variance: float, left: float) -> int | None:
    """So many that a variance which shrinks with their number falls to what is left for it."""
    return math.ceil(have * variance / left) if left > 0 else None
