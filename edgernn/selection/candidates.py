"""What a search chooses from: architectures, widths and recipes, with costs known beforehand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from edgernn.errors import BudgetExceeded
from edgernn.selection.contender import Contender
from edgernn.selection.shapes import GATES, Shape
from edgernn.tasks.notation import architecture_named
from edgernn.tasks.task import Recipe
from edgernn.units import file_size, milliseconds

#: The native format pads layers to 16 units: others cost as much as the next multiple.
UNIT_STEP: Final = 16
MOST_UNITS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a model may cost, and what it must reach.

    score: the least share of right answers, or the largest error.
    """

    score: float
    higher_is_better: bool = True
    max_bytes: int | None = None
    p95_ms: float | None = None

    def reached_by(self, score: float) -> bool:
        return score >= self.score if self.higher_is_better else score <= self.score


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A contender with its recipe, and what it costs.  `predicted_ms` is no measurement."""

    contender: Contender
    recipe: Recipe
    bytes: int
    predicted_ms: float | None  # a call; None where no time was asked for, or none can be said


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A candidate with the scores of its trainings, on validation rows."""

    candidate: Candidate
    scores: tuple[float, ...]

    @property
    def score(self) -> float:
        return float(np.mean(self.scores))


@dataclass(slots=True, kw_only=True)
class Ladder:
    """One architecture, narrow to wide: the narrowest that reaches the score, by bisection.

    Wider is taken to be no worse.  The widest is tried first, and where it fails none is left; a
    ladder that climbs begins with the narrowest and doubles the width until one reaches the score.
    """

    rungs: list[Candidate]
    climbs: bool = False
    tried: list[Tried] = field(default_factory=list)
    _low: int = 0  # narrower rungs are known to miss the score
    _high: int = -1  # the narrowest rung that is known to reach the score; -1: none yet

    def wanted(self) -> Candidate | None:
        """What is to be trained next; None at the end."""
        if not self.rungs:
            return None
        if self._high < 0 and self.climbs:
            following = max(0, 2 * self._low - 1)  # from 16 units to 32, 64, 128
            is_left = self._low < len(self.rungs)
            return self.rungs[min(following, len(self.rungs) - 1)] if is_left else None
        if self._high < 0:
            return None if self.tried else self.rungs[-1]
        middle = (self._low + self._high) // 2
        return self.rungs[middle] if self._low < self._high else None

    def told(self, tried: Tried, *, reached: bool) -> None:
        """The result of what was wanted."""
        place = self.rungs.index(tried.candidate)
        self.tried.append(tried)
        if reached:
            self._high = place
        elif self._high >= 0 or self.climbs:
            self._low = place + 1

    def bound(self, cheaper: Callable[[Candidate, Candidate], bool], best: Candidate) -> None:
        """Until one has reached the score: leaves out what is no cheaper than another's best.

        Not after a first trial of the widest, which has to stay.
        """
        if self._high < 0 and (self.climbs or not self.tried):
            self.rungs = [one for one in self.rungs if cheaper(one, best)]


def affordable(
    architecture: str,
    recipe: Recipe,
    budget: Budget,
    *,
    bytes_of: Callable[[Contender], int],
    predicted_ms: Callable[[Contender], float | None],
) -> list[Candidate]:
    """Widths in steps of UNIT_STEP that fit the budget, narrow first.

    Bytes and times rise with the width, so the widest is found by bisection.
    Raises BudgetExceeded where even the narrowest does not fit.
    """

    def at(units: int) -> Candidate:
        contender = Contender(architecture=architecture, units=units)
        return Candidate(
            contender=contender,
            recipe=recipe,
            bytes=bytes_of(contender),
            predicted_ms=predicted_ms(contender),
        )

    def fits(one: Candidate) -> bool:
        small = budget.max_bytes is None or one.bytes <= budget.max_bytes
        if budget.p95_ms is None or one.predicted_ms is None:
            return small
        return small and one.predicted_ms <= budget.p95_ms

    found = {1: at(UNIT_STEP)}
    if not fits(found[1]):
        raise BudgetExceeded(_too_large(found[1]), remedy="Allow more, or name other --models")
    low, high = 1, MOST_UNITS // UNIT_STEP + 1
    while high - low > 1:
        middle = (low + high) // 2
        found[middle] = at(middle * UNIT_STEP)
        low, high = (middle, high) if fits(found[middle]) else (low, middle)
    return [found[step] if step in found else at(step * UNIT_STEP) for step in range(1, low + 1)]


def shape_of(contender: Contender, *, steps: int, features: int, classes: int) -> Shape | None:
    """What the predictor of times knows; None for convolutions, attention and both directions."""
    members = architecture_named(contender.architecture).members
    cells = tuple(part.kind for part in members[0])
    if len(members) > 1 or any(part.both_ways for part in members[0]):
        return None
    if not set(cells) <= set(GATES):
        return None
    return Shape(
        cells=cells, steps=steps, features=features, units=contender.units, classes=classes
    )


def cheapest_first(tried: Sequence[Tried], *, by_time: bool) -> list[Tried]:
    """By bytes, or by predicted time, where it is unknown last; among equals as they were tried."""

    def cost(one: Tried) -> tuple[float, float]:
        candidate = one.candidate
        predicted = candidate.predicted_ms
        time = math.inf if predicted is None else predicted
        return (time if by_time else 0.0, float(candidate.bytes))

    return sorted(tried, key=cost)


def _too_large(one: Candidate) -> str:
    time = "" if one.predicted_ms is None else f" and about {milliseconds(one.predicted_ms)} a call"
    return (
        f"the smallest {one.contender.architecture} ({one.contender.units} units) has "
        f"{file_size(one.bytes)}{time}, more than the budget"
    )
