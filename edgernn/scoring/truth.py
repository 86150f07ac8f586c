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
    output: str = ""  # of the model; "": its first or only one

    @property
    def name(self) -> str:
        """accuracy, or "accuracy of speaker" where outputs have names"""
        return f"{self.metric} of {self.output}" if self.output else self.metric


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
    for part in (samples.x, samples.y, samples.lengths, *(one.y for one in samples.others)):
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
        output=answers.output,
        others=answers.others,
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


def first_scores(predictions: Predictions, truth: Truth) -> tuple[Score, ...]:
    """By the first metric of each output, in their order.  Raises ValueError without labels."""
    found = [score(predictions, truth)]
    for said, answers in zip(predictions.others, truth.others, strict=True):
        judge = metric_for(answers)
        if judge is not None:
            found.append(_scored(judge.name, said, answers))
    return tuple(found)


def first_differences(a: Predictions, b: Predictions, truth: Truth) -> tuple[Difference, ...]:
    """`a` minus `b`, in the order of `first_scores`."""
    found = [difference(a, b, truth)]
    for one, other, answers in zip(a.others, b.others, truth.others, strict=True):
        judge = metric_for(answers)
        if judge is not None:
            found.append(_differing(judge.name, one, other, answers))
    return tuple(found)


def scores(predictions: Predictions, truth: Truth) -> tuple[Score, ...]:
    """By all metrics that the answers allow, then by those of further outputs; without those that
    have no value here, or that these predictions do not allow.
    """
    found = [
        _scored(one.name, predictions, truth) for one in truth.judges if one.reads(predictions)
    ]
    for said, answers in zip(predictions.others, truth.others, strict=truth.judge is not None):
        found += [
            _scored(one.name, said, answers) for one in metrics_for(answers) if one.reads(said)
        ]
    return tuple(one for one in found if isfinite(one.value))


def require_read(predictions: Predictions, truth: Truth) -> None:
    """Raises DataError where the first metric needs what the model does not answer."""
    judge = truth.judge
    if judge is not None and not judge.reads(predictions):
        others = ", ".join(one.key for one in truth.judges if one.reads(predictions))
        raise DataError(
            f"{judge.name} orders rows by the probability of the second of two classes, and this "
            "model has another number of classes",
            remedy=f"Use a model of two classes, or --metric {others.replace(', ', ' or ')}",
        )


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
def _scored(metric: str, predictions: Predictions, answers: Answers) -> Score:
    value, interval = METRICS[metric].score(predictions, answers)
    return Score(
        metric=metric, value=value, interval=interval, rows=answers.rows, output=answers.output
    )


@lru_cache(maxsize=512)
def _differing(metric: str, a: Predictions, b: Predictions, answers: Answers) -> Difference:
    return METRICS[metric].difference(a, b, answers)
