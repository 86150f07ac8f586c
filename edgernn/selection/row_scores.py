"""A number for each test row: right or wrong, or an error.  Their mean is the metric's value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from edgernn.errors import DataError
from edgernn.scoring.answers import answers_of
from edgernn.scoring.metric import METRICS, Metric
from edgernn.scoring.predictions import Predictions
from edgernn.tasks.linear import ridge_scores
from edgernn.tasks.samples import AnyArray, Samples, Splits
from edgernn.tasks.target import Target

#: Whose metric is a mean over rows, as the estimator needs it.
_METRICS: Final[Mapping[Target, str]] = {
    Target.CLASS: "accuracy",
    Target.STEPS: "accuracy",
    Target.NUMBERS: "MAE",
}


def row_metric(samples: Samples) -> Metric:
    """The metric that is compared.  Raises DataError without labels, and for other targets."""
    if samples.others:
        names = ", ".join(one.output for one in samples.outputs)
        raise DataError(
            f"{samples.name} has several outputs ({names}), and contenders are compared by one",
            remedy="Give y of the output that counts, as an array",
        )
    target = samples.target if samples.y is not None else None
    if target is None or target not in _METRICS:
        what = "no labels" if target is None else f"targets of the kind '{target.value}'"
        raise DataError(
            f"{samples.name} has {what}, and contenders are compared by classes, classes of steps "
            "or numbers",
            remedy="Give y as one class a row, one class a step, or numbers",
        )
    return METRICS[_METRICS[target]]


def per_row(predictions: Predictions, samples: Samples) -> tuple[float, ...]:
    """Classes: 1 or 0.  Classes of steps: the share of a row's steps that is right.  Numbers: the
    mean absolute error of a row.
    """
    if samples.target is Target.NUMBERS:
        if predictions.numbers is None:
            raise ValueError("predictions of numbers have no numbers")
        return _errors(predictions.numbers.array.astype(np.float64), samples)
    answers = answers_of(samples)
    right = np.equal(predictions.classes, answers.classes).astype(np.float64)
    starts = np.concatenate([[0], np.cumsum(answers.row_sizes)[:-1]]).astype(np.int64)
    return tuple((np.add.reduceat(right, starts) / answers.row_sizes).tolist())


def linear_scores(splits: Splits) -> tuple[float, ...] | None:
    """Of ridge regression on the training rows; None for classes of steps."""
    train, test = splits.train, splits.test
    if test.target is Target.CLASS:
        y = train.classified
        chosen = ridge_scores(train, np.eye(int(y.max()) + 1)[y], test).argmax(axis=1)
        return tuple((chosen == test.classified).astype(np.float64).tolist())
    if test.target is Target.NUMBERS:
        wanted = np.asarray(train.y, np.float64).reshape(len(train), -1)
        return _errors(ridge_scores(train, wanted, test), test)
    return None


def _errors(numbers: AnyArray, samples: Samples) -> tuple[float, ...]:
    wanted = np.asarray(samples.y, np.float64).reshape(len(samples), -1)
    return tuple(np.abs(numbers.reshape(wanted.shape) - wanted).mean(axis=1).tolist())
