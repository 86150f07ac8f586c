"""What a difference means for a purpose: equal, better, worse, or not to be decided yet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from edgernn.selection.crossed import Effect
from edgernn.stats import SIGNIFICANCE, Interval, holm


class Outcome(str, Enum):
    """What the interval of a difference says, beside the smallest difference worth having."""

    EQUAL = "equal for your purpose"
    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "cannot tell"


class More(str, Enum):
    """What would narrow an interval."""

    SEEDS = "more seeds"
    ROWS = "more test rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One contender beside another.  `effect` is its score minus the other's."""

    outcome: Outcome
    effect: Effect
    worth: float  # the smallest difference that would change a choice, in the scores' unit
    p_value: float  # adjusted for the number of comparisons
    more: More | None = None  # what would help, where nothing is decided
    needed: int | None = None  # so many seeds (or rows) in all


def verdicts(
    effects: Sequence[Effect], *, worth: float, higher_is_better: bool
) -> tuple[Verdict, ...]:
    """A verdict for each difference from one reference; p-values are Holm's over all of them.

    In this order: an interval within ±worth is equal; one without 0 is better or worse; else the
    data do not decide.  `worth` is positive, in the unit of the scores.

    >>> verdicts([crossed_difference(gru, lstm)], worth=0.005, higher_is_better=True)[0].outcome
    <Outcome.EQUAL: 'equal for your purpose'>
    """
    if not worth > 0:
        raise ValueError(f"a smallest worthwhile difference of {worth}")
    adjusted = holm([effect.p_value for effect in effects])
    return tuple(
        _verdict(effect, p_value, worth, higher_is_better)
        for effect, p_value in zip(effects, adjusted, strict=True)
    )


def _verdict(effect: Effect, p_value: float, worth: float, higher_is_better: bool) -> Verdict:
    more, needed = None, None
    if _within(effect.interval, worth):
        outcome = Outcome.EQUAL
    elif p_value < SIGNIFICANCE:
        outcome = Outcome.BETTER if (effect.estimate > 0) == higher_is_better else Outcome.WORSE
    else:
        outcome = Outcome.UNDECIDED
        more, needed = _would_decide(effect, worth)
    return Verdict(
        outcome=outcome, effect=effect, worth=worth, p_value=p_value, more=more, needed=needed
    )


def _within(interval: Interval, worth: float) -> bool:
    return -worth <= interval.low and interval.high <= worth


def _would_decide(effect: Effect, worth: float) -> tuple[More, int]:
    """What narrows the interval to ±worth around its estimate, and how many are needed in all.

    The rows' part stays however many seeds there are, and the other way round: what is larger has
    to shrink.  An estimate near 0 can become "equal", a large one "better": ±worth serves both.
    """
    target = (worth / 2) ** 2  # half an interval is about two standard errors
    if effect.row_variance >= target and effect.row_variance >= effect.seed_variance:
        left = target - effect.seed_variance
        wanted = left if left > 0 else target / 2
        return More.ROWS, math.ceil(effect.rows * effect.row_variance / wanted)
    left = target - effect.row_variance
    wanted = left if left > 0 else target / 2
    return More.SEEDS, max(
        effect.seeds + 1, math.ceil(effect.seeds * effect.seed_variance / wanted)
    )
