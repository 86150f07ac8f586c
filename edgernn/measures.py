"""Metrics as arithmetic on arrays: what each row adds, and the value of any choice of rows.

Every function returns a `Counted`: it takes weights [R, rows], how often each row is in each of R
resamples, and returns R values.  Ones give the value itself; drawn weights its distribution, and
two models counted with the same weights are compared on the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Counted: TypeAlias = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]

#: A probability of 0 comes from rounding: the logarithm of it would make any mean infinite.
SMALLEST_LIKELIHOOD: Final = 1e-10


def value(counted: Counted, rows: int) -> float:
    """Of all rows, each once.

    >>> value(mean_absolute_error(truth, predicted), len(truth))
    0.5
    """
    return float(counted(np.ones((1, rows)))[0])


def accuracy(truth: Array, chosen: Array, sizes: Array) -> Counted:
    """The share of right answers.  truth, chosen: [items]; sizes: [rows], the items of each."""
    return _ratio(_by_row((truth == chosen).astype(np.float64), sizes), sizes)


def f1_macro(truth: Array, chosen: Array, sizes: Array) -> Counted:
    """The mean of the F1 of all classes that occur in truth or answers.  Shapes as in accuracy."""
    figures, classes = _confusion(truth, chosen, sizes)

    def counted(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        hits, said, true = np.moveaxis((weights @ figures).reshape(len(weights), 3, classes), 1, 0)
        occurs = said + true > 0
        f1 = _divided(2 * hits, said + true, 0.0)
        return np.asarray(f1.sum(axis=1) / np.maximum(occurs.sum(axis=1), 1), np.float64)

    return counted


def f1_macro_of_labels(truth: Array, chosen: Array) -> Counted:
    """The mean of the F1 of all labels, truth and chosen [rows, labels] of zeros and ones.

    A label that is neither true nor chosen in any row counts as 0.
    """
    figures = np.concatenate([truth * chosen, chosen, truth], axis=1).astype(np.float64)

    def counted(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        sums = (weights @ figures).reshape(len(weights), 3, truth.shape[1])
        hits, said, true = np.moveaxis(sums, 1, 0)
        f1 = _divided(2 * hits, said + true, 0.0)
        return np.asarray(f1.mean(axis=1), np.float64)

    return counted


def f1_positive(truth: Array, chosen: Array) -> Counted:
    """The F1 of class 1.  truth, chosen: [rows]; 0 where class 1 is neither true nor chosen."""
    one, said = truth == 1, chosen == 1
    figures = np.stack([2.0 * (one & said), 1.0 * one + said], axis=1)

    def counted(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        hits, total = (weights @ figures).T
        return _divided(hits, total, 0.0)

    return counted


def area_under_curve(truth: Array, scores: Array) -> Counted:
    """The area under the ROC curve: how often a row of class 1 scores above one of class 0.

    truth: [rows] of 0 and 1; scores: [rows].  NaN for a choice of rows of one class.
    """
    order = np.argsort(scores, kind="stable")
    ranked, positive = scores[order], (truth[order] == 1).astype(np.float64)
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])  # of equal scores

    def counted(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        sorted_weights = weights[:, order]
        ones = np.add.reduceat(sorted_weights * positive, starts, axis=1)
        zeros = np.add.reduceat(sorted_weights * (1 - positive), starts, axis=1)
        below = np.cumsum(zeros, axis=1) - zeros
        won = (ones * (below + zeros / 2)).sum(axis=1)
        pairs = ones.sum(axis=1) * zeros.sum(axis=1)
        return _divided(won, pairs, np.nan)

    return counted


def mean_absolute_error(truth: Array, predicted: Array) -> Counted:
    """Over all values of [rows, values]."""
    errors = np.abs(predicted.astype(np.float64) - truth)
    return _ratio(errors.sum(axis=1), np.full(len(truth), truth.shape[1]))


def root_mean_squared_error(truth: Array, predicted: Array) -> Counted:
    """Over all values of [rows, values]: the root of their one mean."""
    squares = np.square(predicted.astype(np.float64) - truth).sum(axis=1)
    mean = _ratio(squares, np.full(len(truth), truth.shape[1]))
    return lambda weights: np.sqrt(mean(weights))


def coefficient_of_determination(truth: Array, predicted: Array) -> Counted:
    """R² of [rows, values]: the mean over the values of a row; a constant one does not count.

    NaN where all are constant.
    """
    y = truth.astype(np.float64)
    y = y - y.mean(axis=0)  # squares of large numbers would swallow their variance
    errors = predicted.astype(np.float64) - truth
    figures = np.concatenate([np.square(errors), y, np.square(y)], axis=1)

    def counted(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        sums = (weights @ figures).reshape(len(weights), 3, y.shape[1])
        error, total, squares = np.moveaxis(sums, 1, 0)
        spread = squares - np.square(total) / weights.sum(axis=1, keepdims=True)
        varies = spread > 1e-12 * squares
        r2 = 1 - np.divide(error, spread, out=np.ones_like(error), where=varies)
        several = varies.sum(axis=1)
        summed = np.where(varies, r2, 0.0).sum(axis=1)
        return _divided(summed, several, np.nan)

    return counted


def perplexity(likelihoods: Array, sizes: Array) -> Counted:
    """Between how many answers a model wavers.  likelihoods: [items], of the right answers."""
    logarithms = np.log(np.maximum(likelihoods.astype(np.float64), SMALLEST_LIKELIHOOD))
    mean = _ratio(_by_row(-logarithms, sizes), sizes)
    return lambda weights: np.exp(mean(weights))


def edit_distance_rate(
    truth: Sequence[Sequence[int]], predicted: Sequence[Sequence[int]]
) -> Counted:
    """Insertions, deletions and substitutions of all rows, for each token of the truth."""
    edits = [edit_distance(a, b) for a, b in zip(truth, predicted, strict=True)]
    return _ratio(np.array(edits, np.float64), np.array([len(one) for one in truth]))


def edit_distance(a: Sequence[int], b: Sequence[int]) -> int:
    """The fewest insertions, deletions and substitutions from `a` to `b` (Levenshtein).

    >>> edit_distance([1, 2, 3], [1, 3, 4])
    2
    """
    row = list(range(len(b) + 1))
    for i, token in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(b, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (token != other))
    return row[-1]


def split_rows(items: Sequence[int], sizes: Sequence[int]) -> list[Sequence[int]]:
    """Flat items [sum of sizes] as one sequence for each row."""
    ends = np.cumsum(sizes)
    return [items[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def _ratio(above: Array, below: Array) -> Counted:
    """sum(above) / sum(below) of the chosen rows; [rows] each."""
    figures = np.stack([above, below.astype(np.float64)], axis=1)

    def counted(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        total, count = (weights @ figures).T
        return _divided(total, count, np.nan)

    return counted


def _by_row(values: Array, sizes: Array) -> Array:
    """Sums [rows] of values [items]."""
    rows = np.repeat(np.arange(len(sizes)), sizes)
    return np.bincount(rows, weights=values, minlength=len(sizes))


def _confusion(truth: Array, chosen: Array, sizes: Array) -> tuple[Array, int]:
    """For each row and class [rows, 3 * classes]: right ones, answers, true ones."""
    names, numbers = np.unique(np.concatenate([truth, chosen]), return_inverse=True)
    classes, rows = len(names), np.repeat(np.arange(len(sizes)), sizes)
    true, said = np.split(numbers.reshape(-1), 2)
    figures = np.zeros((len(sizes), 3, classes))
    hit = true == said
    for place, (of, which) in enumerate(((rows[hit], true[hit]), (rows, said), (rows, true))):
        np.add.at(figures[:, place], (of, which), 1)
    return figures.reshape(len(sizes), -1), classes


def _divided(above: Array, below: Array, otherwise: float) -> npt.NDArray[np.float64]:
    """above / below, and `otherwise` where below is 0."""
    out = np.full(above.shape, otherwise)
    np.divide(above, below, out=out, where=below > 0)
    return out
