"""Linear models without a neural network: ridge regression on steps, or on bags of tokens."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgernn.tasks.samples import IntArray, Samples

Floats: TypeAlias = npt.NDArray[np.floating[Any]]

#: Every sequence is stretched to this many steps, so that short and long ones line up.
STRETCHED_STEPS: Final = 10
#: Training rows of the ridge regression: more change nothing and cost time.
MOST_ROWS: Final = 10_000
RIDGE: Final = 10.0
_ITERATIONS: Final = 100  # of conjugate gradients
#: Up to so many, the equations are solved at once: many rows take a tenth of the time.
_FEW_TOKENS: Final = 1_000


def ridge_scores(train: Samples, targets: Floats, test: Samples) -> Floats:
    """Ridge regression from the sequences of `train` onto targets [N, K]: scores [N_test, K].

    Features are the real steps, interpolated to STRETCHED_STEPS; tokens are a bag, without order.
    """
    mean = targets.mean(axis=0)
    if train.x.dtype.kind != "f":
        return np.asarray(_bag_scores(train, targets - mean, test) + mean)
    some = slice(None) if len(train) <= MOST_ROWS else _spread(len(train), MOST_ROWS)
    return ridge(stretched(train)[some], targets[some], stretched(test))


def ridge(
    features: Floats, targets: Floats, test_features: Floats, *, strength: float = RIDGE
) -> Floats:
    """[N, D], [N, K] and [M, D] -> [M, K]; features are standardized first."""
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-9
    design = with_constant((features - mean) / deviation)
    weights = np.linalg.solve(
        design.T @ design + strength * np.eye(design.shape[1]), design.T @ targets
    )
    return np.asarray(with_constant((test_features - mean) / deviation) @ weights)


def stretched(samples: Samples) -> npt.NDArray[np.float64]:
    """[N, T, F] -> [N, STRETCHED_STEPS * F], the real steps interpolated linearly."""
    x = samples.x.reshape(len(samples), samples.x.shape[1], -1)
    first, last = (steps[:, None] for steps in samples.real_steps())
    position = first + np.linspace(0.0, 1.0, STRETCHED_STEPS) * (last - first)  # [N, S]
    before = np.floor(position).astype(np.int64)
    after = np.minimum(before + 1, last)
    rows = np.arange(len(x))[:, None]
    share = (position - before)[..., None]
    found = x[rows, before] * (1 - share) + x[rows, after] * share
    return np.asarray(found.reshape(len(x), -1), dtype=np.float64)


def with_constant(features: Floats) -> Floats:
    return np.hstack([features, np.ones((len(features), 1))])


class _Bags:
    """Which tokens occur in each row: a matrix of zeros and ones, scaled to length 1 by row."""

    def __init__(self, samples: Samples, tokens: int) -> None:
        ordered = np.sort(samples.x, axis=1).astype(np.int64)
        if samples.lengths is not None:
            real = np.arange(ordered.shape[1]) < samples.lengths[:, None]
            ordered = np.sort(np.where(real, samples.x, -1), axis=1)
        new = np.ones(ordered.shape, dtype=bool)
        new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        new &= (ordered >= 0) & (ordered < tokens)
        self._rows, places = np.nonzero(new)
        self._tokens = ordered[self._rows, places]
        counts = np.bincount(self._rows, minlength=len(samples))
        self._scale = 1 / np.sqrt(np.maximum(counts, 1))
        self._shape = (len(samples), tokens)

    def times(self, weights: Floats) -> Floats:
        """[tokens] -> [N]"""
        summed = np.bincount(self._rows, weights[self._tokens], minlength=self._shape[0])
        return np.asarray(self._scale * summed)

    def squared(self) -> Floats:
        """[tokens, tokens]: the matrix transposed, times itself."""
        _, tokens = self._shape
        order = np.arange(len(self._rows)) - np.searchsorted(self._rows, self._rows)
        products = np.zeros(tokens * tokens)
        for offset in range(int(order.max(initial=0)) + 1):  # each token with the offset-th later
            pairs = np.flatnonzero(self._rows[offset:] == self._rows[: len(self._rows) - offset])
            first, second = self._tokens[pairs], self._tokens[pairs + offset]
            each = np.square(self._scale[self._rows[pairs]])
            products += np.bincount(first * tokens + second, each, minlength=products.size)
        upper = products.reshape(tokens, tokens)
        return np.asarray(upper + upper.T - np.diag(np.diagonal(upper)))

    def transposed_times(self, values: Floats) -> Floats:
        """[N] -> [tokens]"""
        each = (self._scale * values)[self._rows]
        return np.asarray(np.bincount(self._tokens, each, minlength=self._shape[1]))


def _bag_scores(train: Samples, targets: Floats, test: Samples) -> Floats:
    tokens = int(train.x.max()) + 1  # a token never seen has no weight
    seen, unseen = _Bags(train, tokens), _Bags(test, tokens)
    if tokens <= _FEW_TOKENS:
        right = np.stack([seen.transposed_times(column) for column in targets.T], axis=1)
        weights = np.linalg.solve(seen.squared() + np.eye(tokens), right)
    else:
        weights = np.stack([_solved(seen, column) for column in targets.T], axis=1)
    return np.stack([unseen.times(column) for column in weights.T], axis=1)


def _solved(bags: _Bags, y: Floats) -> Floats:
    """The weights that minimize |bags w - y|² + |w|², by conjugate gradients."""
    residual = bags.transposed_times(y)
    weights, direction = np.zeros_like(residual), residual
    square = start = float(residual @ residual)
    for _ in range(_ITERATIONS):
        if square <= 1e-8 * start:
            break
        image = bags.transposed_times(bags.times(direction)) + direction
        step = square / float(direction @ image)
        weights = weights + step * direction
        residual = residual - step * image
        previous, square = square, float(residual @ residual)
        direction = residual + square / previous * direction
    return weights


def _spread(available: int, wanted: int) -> IntArray:
    return np.linspace(0, available - 1, wanted).astype(np.int64)
