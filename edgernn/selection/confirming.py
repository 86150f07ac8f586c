"""Whether a candidate holds the score on rows, and with seeds, that had no part in choosing it.

The best of many candidates was chosen for its luck, too, so its scores in the search are too kind.
A confirmation does not use them.  Every row of training and validation is scored once by a model
that was not trained on it and whose epochs it did not choose, and the mean must exceed the score
asked for by a margin: the luck that so many rows leave to a model that is just not good enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn.selection.candidates import Budget

#: How often a model that is just not good enough is refused.
CONFIDENCE: Final = 0.9
_STANDARD_ERRORS: Final = 1.2816  # the normal distribution's quantile of CONFIDENCE
#: A candidate may be given up after so many trainings of its confirmation, and twice as many.
CHECKED_EVERY: Final = 2

Rows = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A candidate's fresh trainings.

    folds: the mean score of each, on its own rows.  needed: the score asked for with its margin.
    given_up: it was so far from that after some trainings that the others were not begun.
    failed: a sentence where a training failed, else "".
    """

    folds: tuple[float, ...]
    rows: int
    score: float
    needed: float
    holds: bool
    given_up: bool = False
    failed: str = ""

    def is_likely(self, budget: Budget) -> bool:
        """Whether all trainings together reach the score, if without its margin."""
        return not self.given_up and not self.failed and budget.reached_by(self.score)


def needed_score(rows: Rows, budget: Budget, all_rows: int) -> float:
    """What candidates with scores like `rows` need on `all_rows`, before their seeds are known."""
    return _with_margin(budget, _spread(rows, budget) / math.sqrt(all_rows))


def confirmation(
    done: Sequence[Rows], budget: Budget, *, trainings: int, all_rows: int
) -> Confirmation:
    """What the scores of the first fresh trainings say; all `trainings` decide.

    The standard error is the larger of two: of the rows, and of the means of the trainings, in
    which the luck of seeds is, too.
    """
    rows, means = np.concatenate(done), [float(one.mean()) for one in done]
    spread, score = _spread(rows, budget), float(rows.mean())
    error, is_whole = spread / math.sqrt(all_rows), len(done) == trainings
    if is_whole and trainings > 1:
        error = max(error, float(np.std(means, ddof=1)) / math.sqrt(trainings))
    needed = _with_margin(budget, error)
    lacks = needed - score if budget.higher_is_better else score - needed
    return Confirmation(
        folds=tuple(means),
        rows=len(rows),
        score=score,
        needed=needed,
        holds=is_whole and lacks <= 0,
        given_up=not is_whole and lacks > spread / math.sqrt(len(rows)),
    )


def failed(budget: Budget, why: str) -> Confirmation:
    """Of a candidate that cannot be trained each time."""
    return Confirmation(
        folds=(), rows=0, score=math.nan, needed=budget.score, holds=False, failed=why
    )


def _spread(rows: Rows, budget: Budget) -> float:
    """The standard deviation of a row's score.

    Of right and wrong rows, that of a model which is just as good as asked for: few rows that
    happen to be right would have none.
    """
    if budget.higher_is_better and np.isin(rows, (0.0, 1.0)).all():
        return math.sqrt(budget.score * (1.0 - budget.score))
    return float(rows.std())


def _with_margin(budget: Budget, error: float) -> float:
    margin = _STANDARD_ERRORS * error
    return min(1.0, budget.score + margin) if budget.higher_is_better else budget.score - margin
