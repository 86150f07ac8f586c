"""Accuracy with the interval that goes with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgernn.tasks.samples import IntArray

_TAIL = 0.025  # on either side of a 95 % interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Accuracy (0..1) over so many samples, with its exact 95 % binomial interval."""

    accuracy: float
    low: float
    high: float
    samples: int


def score(predicted: IntArray, y: IntArray) -> Score:
    """How often `predicted` is `y`, both [N]."""
    right, samples = int(np.count_nonzero(predicted == y)), len(y)
    return Score(
        accuracy=right / samples,
        low=1.0 - _upper_limit(samples - right, samples),
        high=_upper_limit(right, samples),
        samples=samples,
    )


def _upper_limit(successes: int, trials: int) -> float:
    """Clopper and Pearson: the probability at which so few successes would be a 2.5 % chance."""
    if successes == trials:
        return 1.0
    counts = np.arange(successes + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, trials + 1)))])
    log_ways = log_factorial[trials] - log_factorial[counts] - log_factorial[trials - counts]
    low, high = 0.0, 1.0
    for _ in range(60):  # halvings: to the last bit of a double
        middle = (low + high) / 2
        log_chances = log_ways + counts * np.log(middle) + (trials - counts) * np.log1p(-middle)
        low, high = (middle, high) if np.exp(log_chances).sum() > _TAIL else (low, middle)
    return high
