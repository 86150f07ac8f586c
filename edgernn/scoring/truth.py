"""The true answers of labelled rows, and the accuracy of predictions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from edgernn.errors import DataError
from edgernn.scoring.metric import METRICS, Metric, metric_for
from edgernn.scoring.predictions import Predictions
from edgernn.stats import Difference, Interval
from edgernn.tasks.samples import Samples, is_numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The labelled data that a report's predictions are for.

    Raises ValueError if the metric is none of METRICS.
    """

    name: str  # "digits:test"
    sha256: str  # of x, lengths, y and labels
    metric: str  # a name of METRICS
    classes: tuple[int, ...]  # the true class of each row; () if y contains numbers
    rows: int
    trivial: float | None = None  # accuracy of baselines on the same rows
    linear: float | None = None

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ValueError(f"'{self.metric}' is no metric; known are {', '.join(METRICS)}")

    @property
    def judge(self) -> Metric:
        """The metric's row."""
        return METRICS[self.metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A metric's value with its 95 % interval."""

    metric: str  # a name of METRICS
    value: float
    interval: Interval
    rows: int


def truth_of(samples: Samples) -> Truth:
    """The labels with a hash that distinguishes data sets.

    Raises DataError if the rows have no labels.
    """
    y = samples.y
    if y is None:
        raise DataError(
            f"{samples.name} has no labels: accuracy cannot be measured",
            remedy="Add an array y: the class of each row as an integer, or the numbers to predict "
            "as floats",
        )
    digest = hashlib.sha256()
    for part in (samples.x, y, samples.lengths):
        if part is not None:
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
    digest.update("\0".join(samples.labels).encode())
    return Truth(
        name=samples.name,
        sha256=digest.hexdigest(),
        metric=metric_for(samples).name,
        classes=() if is_numbers(y) else tuple(int(label) for label in y),
        rows=len(samples.x),
        trivial=samples.baselines.trivial if samples.baselines else None,
        linear=samples.baselines.linear if samples.baselines else None,
    )


def score(predictions: Predictions, truth: Truth) -> Score:
    """The value of the truth's metric for the predictions."""
    value, interval = truth.judge.score(predictions, truth.classes)
    return Score(metric=truth.metric, value=value, interval=interval, rows=truth.rows)


def difference(a: Predictions, b: Predictions, truth: Truth) -> Difference:
    """The metric of `a` minus that of `b` on the same rows."""
    return truth.judge.difference(a, b, truth.classes)
