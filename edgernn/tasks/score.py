"""Accuracy with its confidence interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgernn.stats import clopper_pearson
from edgernn.tasks.samples import IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Accuracy (0..1) over so many samples, with its exact 95 % binomial interval."""

    accuracy: float
    low: float
    high: float
    samples: int


def score(predicted: IntArray, y: IntArray) -> Score:
    """How often `predicted` is `y`, both [N]."""
    right = int(np.count_nonzero(predicted == y))
    low, high = clopper_pearson(right, len(y))
    return Score(accuracy=right / len(y), low=low, high=high, samples=len(y))
