"""The accuracy without a neural network, computed on the same rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgernn.tasks.samples import Baselines, IntArray, Samples, Splits

#: Every sequence is stretched to this many steps, so that short and long ones are aligned.
STRETCHED_STEPS: Final = 10
#: Training rows of the ridge regression: more take time and change nothing.
MOST_ROWS: Final = 10_000
RIDGE: Final = 10.0
_SMOOTHING: Final = 5.0  # number of made-up observations after each token


def with_baselines(splits: Splits) -> Splits:
    """The same parts; the test part has its baselines."""
    return replace(splits, test=replace(splits.test, baselines=baselines(splits)))


def baselines(splits: Splits) -> Baselines:
    """Accuracy on the test rows of the best constant answer and of a linear classifier."""
    train_y, test_y = splits.train.classified, splits.test.classified
    if splits.train.x.dtype.kind == "f":
        predicted = _ridge_classes(splits.train, train_y, splits.test)
    else:
        predicted = _follower_of_last_token(splits.train, train_y, splits.test)
    return Baselines(
        trivial=float(np.bincount(test_y).max() / len(test_y)),
        linear=float((predicted == test_y).mean()),
    )


def perplexity(likelihoods: npt.NDArray[np.floating[Any]]) -> float:
    """The perplexity of a model; likelihoods [N] of the right ones."""
    return float(np.exp(-np.log(likelihoods.astype(np.float64)).mean()))


def token_perplexities(splits: Splits) -> tuple[float, float]:
    """On the test rows, by counts of all training tokens: alone, and after the last token.

    The counts after a token are smoothed towards those of the tokens alone.
    """
    train, test = splits.train, splits.test
    tokens = np.concatenate([train.x, train.classified[:, None]], axis=1)
    vocabulary = train.classes
    alone = np.bincount(tokens.ravel(), minlength=vocabulary) + 1.0
    alone /= alone.sum()
    after = np.zeros((vocabulary, vocabulary))
    np.add.at(after, (tokens[:, :-1].ravel(), tokens[:, 1:].ravel()), 1.0)
    after = (after + _SMOOTHING * alone) / (after.sum(axis=1, keepdims=True) + _SMOOTHING)
    y = test.classified
    return perplexity(alone[y]), perplexity(after[test.x[:, -1].astype(np.intp), y])


def _ridge_classes(train: Samples, train_y: IntArray, test: Samples) -> IntArray:
    """Ridge regression onto one-hot classes; the highest score wins."""
    some = slice(None) if len(train) <= MOST_ROWS else _spread(len(train), MOST_ROWS)
    features, test_features = _stretched(train)[some], _stretched(test)
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-9
    design = _with_constant((features - mean) / deviation)
    targets = np.eye(int(train_y.max()) + 1)[train_y[some]]
    weights = np.linalg.solve(
        design.T @ design + RIDGE * np.eye(design.shape[1]), design.T @ targets
    )
    scores = _with_constant((test_features - mean) / deviation) @ weights
    return np.asarray(scores.argmax(axis=1), dtype=np.int64)


def _follower_of_last_token(train: Samples, train_y: IntArray, test: Samples) -> IntArray:
    """For tokens: the class seen most often after the last token (a bigram model)."""
    last, test_last = train.x[:, -1].astype(np.intp), test.x[:, -1].astype(np.intp)
    tokens = int(max(last.max(), test_last.max())) + 1
    counts = np.zeros((tokens, int(train_y.max()) + 1), dtype=np.int64)
    np.add.at(counts, (last, train_y), 1)
    # A token that training lacks gets the most frequent class.
    counts[counts.sum(axis=1) == 0] = np.bincount(train_y, minlength=counts.shape[1])
    return np.asarray(counts.argmax(axis=1)[test_last], dtype=np.int64)


def _stretched(samples: Samples) -> npt.NDArray[np.float64]:
    """[N, T, F] -> [N, STRETCHED_STEPS * F], the real steps interpolated linearly."""
    x = samples.x.reshape(len(samples), samples.x.shape[1], -1)
    first, last = (steps[:, None] for steps in samples.real_steps())
    position = first + np.linspace(0.0, 1.0, STRETCHED_STEPS) * (last - first)  # [N, S]
    before = np.floor(position).astype(np.int64)
    after = np.minimum(before + 1, last)
    rows = np.arange(len(x))[:, None]
    share = (position - before)[..., None]
    stretched = x[rows, before] * (1 - share) + x[rows, after] * share
    return np.asarray(stretched.reshape(len(x), -1), dtype=np.float64)


def _with_constant(features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.hstack([features, np.ones((len(features), 1))])


def _spread(available: int, wanted: int) -> IntArray:
    return np.linspace(0, available - 1, wanted).astype(np.int64)
