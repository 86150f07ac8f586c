"""The true answers of labelled rows, and the accuracy of predictions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from math import isfinite

import numpy as np

from edgernn.errors import DataError
from edgernn.scoring.answers import Answers, answers_of
from edgernn.scoring.metric import METRICS, Metric, metric_for, metric_named, metrics_for
from edgernn.scoring.predictions import Predictions
from edgernn.stats import Difference, Interval
from edgernn.tasks.samples import Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth(Answers):
    """The data that a report's predictions are for, with their right answers where they have some.

    Raises ValueError if the metric is none of METRICS.
    """

    name: str  # "digits:test"
    sha256: str  # of x, lengths, y and labels
    metric: str | None  # the first one, a name of METRICS; None without labels
    trivial: float | None = None  # what baselines reach on the same rows, in that metric
    linear: float | None = None
    trivial_name: str = "most frequent class"
    linear_name: str = "linear model"

    def __post_init__(self) -> None:
        if self.metric is not None and self.metric not in METRICS:
            raise ValueError(f"'{self.metric}' is no metric; known are {', '.join(METRICS)}")

    @property
    def judge(self) -> Metric | None:
        """The first metric's row; None without labels."""
        return None if self.metric is None else METRICS[self.metric]

    @property
    def judges(self) -> tuple[Metric, ...]:
        """All metrics that these answers allow, the first one first."""
        return tuple(sorted(metrics_for(self), key=lambda row: row.name != self.metric))


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A metric's value with its 95 % interval."""

    metric: str  # a name of METRICS
    value: float
    interval: Interval
    rows: int


def truth_of(samples: Samples, *, metric: str | None = None) -> Truth:
    """The answers with a hash that distinguishes data sets; without labels only the hash.

    metric: the name of the one to put first.
    Raises DataError when the metric does not fit the answers.
    """
    answers, first = answers_of(samples), None
    if metric is not None:
        first = metric_named(metric, answers)
    elif answers.target is not None:
        first = metric_for(answers)
    digest = hashlib.sha256()
    for part in (samples.x, samples.y, samples.lengths):
        if part is not None:
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
    digest.update("\0".join(samples.labels).encode())
    truth = Truth(
        rows=answers.rows,
        target=answers.target,
        classes=answers.classes,
        sizes=answers.sizes,
        choices=answers.choices,
        numbers=answers.numbers,
        name=samples.name,
        sha256=digest.hexdigest(),
        metric=first.name if first else None,
    )
    reached = samples.baselines
    if reached is None or first is not metric_for(answers):  # they are in the usual metric
        return truth
    return replace(
        truth,
        trivial=reached.trivial,
        linear=reached.linear,
        trivial_name=reached.trivial_name,
        linear_name=reached.linear_name,
    )


def require_labels(samples: Samples, purpose: str) -> None:
    """Raises DataError where there are none."""
    if samples.y is None:
        raise DataError(
            f"{samples.name} has no labels: {purpose} cannot be measured",
            remedy="Add an array y: the class of each row as an integer, or the numbers to predict "
            "as floats",
        )


def score(predictions: Predictions, truth: Truth) -> Score:
    """How right the predictions are, by the truth's first metric.

    Raises ValueError without labels.
    """
    if truth.judge is None:
        raise ValueError(f"{truth.name} has no labels to score against")
    return _scored(truth.judge.name, predictions, truth)


def scores(predictions: Predictions, truth: Truth) -> tuple[Score, ...]:
    """By all metrics that the answers allow; without those that have no value here."""
    found = (_scored(metric.name, predictions, truth) for metric in truth.judges)
    return tuple(one for one in found if isfinite(one.value))


def difference(
    a: Predictions, b: Predictions, truth: Truth, metric: Metric | None = None
) -> Difference:
    """The metric of `a` minus that of `b` on the same rows.  Raises ValueError without labels."""
    judge = metric or truth.judge
    if judge is None:
        raise ValueError(f"{truth.name} has no labels to score against")
    return _differing(judge.name, a, b, truth)


# A report is drawn after each process: what is known of a pair need not be resampled again.
@lru_cache(maxsize=512)
def _scored(metric: str, predictions: Predictions, truth: Truth) -> Score:
    value, interval = METRICS[metric].score(predictions, truth)
    return Score(metric=metric, value=value, interval=interval, rows=truth.rows)


@lru_cache(maxsize=512)
def _differing(metric: str, a: Predictions, b: Predictions, truth: Truth) -> Difference:
    return METRICS[metric].difference(a, b, truth)
