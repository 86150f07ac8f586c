"""The metrics: one row contains everything that belongs to a metric.

A new metric is a row of METRICS and its functions; tables, sentences, plots, budgets and cautions
read the row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn.graph.tensor import AnyArray
from edgernn.scoring.predictions import Predictions, chosen_classes, row_errors
from edgernn.stats import (
    Difference,
    Interval,
    clopper_pearson,
    mcnemar,
    mean_interval,
    paired_difference,
)
from edgernn.tasks.samples import Samples, is_numbers
from edgernn.units import interval_text, percent, percent_interval, significant

#: The true class of each row, or () if y contains numbers.
Classes = Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One way to judge answers.

    Values are in the metric's own unit: shares (0 to 1) for accuracy, the unit of y for errors.
    """

    name: str  # in tables and files
    noun: str  # in a sentence: "its accuracy is lower"
    higher_is_better: bool
    unit: str  # of plots, after `scale`
    scale: float  # from a value to its plot and to points: 100 for shares
    largest: float  # that a value can be
    interval_note: str  # what the interval is, for the reader of a plot
    widest: float  # half width up to which an interval gets no caution
    judges: Callable[[Samples], bool]  # whether it is the one for these labels
    predictions: Callable[[Sequence[AnyArray], Samples, str, Sequence[int]], Predictions]
    score: Callable[[Predictions, Classes], tuple[float, Interval]]
    difference: Callable[[Predictions, Predictions, Classes], Difference]  # first minus second
    text: Callable[[float | None], str]  # a value: 98.6 %
    interval_text: Callable[[Interval | None], str]  # [97.7, 99.2]
    amount: Callable[[float], str]  # of a difference: 0.4 points

    def loss(self, before: float, after: float) -> float:
        """How much worse `after` is than `before`, in the metric's unit; negative if better.

        >>> METRICS["accuracy"].loss(before=0.98, after=0.95)
        0.03
        """
        return before - after if self.higher_is_better else after - before

    def is_clearly_better(self, interval: Interval, than: float) -> bool:
        """Whether the whole interval is on the better side of a value."""
        return interval.low > than if self.higher_is_better else interval.high < than


def metric_for(samples: Samples) -> Metric:
    """Accuracy for classes (and without labels), an error for numbers."""
    return next(row for row in METRICS.values() if row.judges(samples))


def _has_numbers(samples: Samples) -> bool:
    return samples.y is not None and is_numbers(samples.y)


def _accuracy(predictions: Predictions, classes: Classes) -> tuple[float, Interval]:
    right = int(np.count_nonzero(_right(predictions, classes)))
    return right / len(classes), clopper_pearson(right, len(classes))


def _right(predictions: Predictions, classes: Classes) -> npt.NDArray[np.bool_]:
    right: npt.NDArray[np.bool_] = np.array(predictions.classes) == np.array(classes)
    return right


_ROWS: Final = (
    Metric(
        name="accuracy",
        noun="accuracy",
        higher_is_better=True,
        unit="% right",
        scale=100.0,
        largest=1.0,
        interval_note="exact 95 % interval of the share of right rows",
        widest=0.02,
        judges=lambda samples: not _has_numbers(samples),
        predictions=chosen_classes,
        score=_accuracy,
        difference=lambda a, b, classes: mcnemar(_right(a, classes), _right(b, classes)),
        text=percent,
        interval_text=percent_interval,
        amount=lambda size: f"{100 * size:.1f} points",
    ),
    Metric(
        name="mean absolute error",
        noun="error",
        higher_is_better=False,
        unit="mean absolute error",
        scale=1.0,
        largest=inf,
        interval_note="95 % interval of the mean, by bootstrap over the rows",
        widest=inf,
        judges=_has_numbers,
        predictions=lambda outputs, samples, name, _: row_errors(outputs, samples, name, np.abs),
        score=lambda found, _: (float(np.mean(found.errors)), mean_interval(found.errors)),
        difference=lambda a, b, _: paired_difference(a.errors, b.errors),
        text=significant,
        interval_text=interval_text,
        amount=significant,
    ),
)

#: By name.  The first row that judges the labels of some data is their metric.
METRICS: Final[dict[str, Metric]] = {row.name: row for row in _ROWS}
