"""The accuracy without a neural network, computed on the same rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgernn import measures
from edgernn.tasks.aligned import sequence_baselines
from edgernn.tasks.linear import MOST_ROWS, RIDGE, ridge_scores, with_constant
from edgernn.tasks.samples import Baselines, Samples, Splits
from edgernn.tasks.target import Target

_SMOOTHING: Final = 5.0  # so many made-up sightings after each token
_NEIGHBOURS: Final = (-2, -1, 0, 1, 2)  # the steps that a linear model of steps sees


def with_baselines(splits: Splits) -> Splits:
    """The same parts; the test part has its baselines."""
    return replace(splits, test=replace(splits.test, baselines=baselines(splits)))


def baselines(splits: Splits) -> Baselines | None:
    """What a constant answer and a linear model reach on the test rows, by the first metric of
    the target; None without labels.
    """
    found = _BASELINES.get(splits.train.target)
    return None if found is None else found(splits.train, splits.test)


def _of_classes(train: Samples, test: Samples) -> Baselines:
    y, right = train.classified, test.classified
    scores = ridge_scores(train, np.eye(int(y.max()) + 1)[y], test)
    of_tokens = train.x.dtype.kind != "f"
    return Baselines(
        trivial=float(np.bincount(right).max() / len(right)),
        linear=float((scores.argmax(axis=1) == right).mean()),
        linear_name="linear model of bags of tokens" if of_tokens else "linear model",
    )


def _of_labels(train: Samples, test: Samples) -> Baselines:
    y, right = np.asarray(train.y), np.asarray(test.y)
    often = np.broadcast_to(y.mean(axis=0) > 0.5, right.shape)
    scores = ridge_scores(train, y.astype(np.float64), test)
    return Baselines(
        trivial=_f1(right, often),
        linear=_f1(right, scores > 0.5),
        trivial_name="labels of most rows",
    )


def _f1(truth: npt.NDArray[Any], chosen: npt.NDArray[np.bool_]) -> float:
    return measures.value(measures.f1_macro_of_labels(truth, chosen.astype(int)), len(truth))


def _of_numbers(train: Samples, test: Samples) -> Baselines:
    y, right = (np.asarray(part.y, np.float64).reshape(len(part), -1) for part in (train, test))
    constant = np.broadcast_to(np.median(y, axis=0), right.shape)
    return Baselines(
        trivial=float(np.abs(constant - right).mean()),
        linear=float(np.abs(ridge_scores(train, y, test) - right).mean()),
        trivial_name="constant answer",
        linear_name="ridge regression",
    )


def _of_steps(train: Samples, test: Samples) -> Baselines:
    y, right = (np.asarray(part.y)[part.answered] for part in (train, test))
    features, test_features = _around_steps(train, test)
    design = with_constant(features[:: max(1, len(features) // MOST_ROWS)])
    answers = np.eye(int(y.max()) + 1)[y][:: max(1, len(features) // MOST_ROWS)]
    weights = np.linalg.solve(
        design.T @ design + RIDGE * np.eye(design.shape[1]), design.T @ answers
    )
    chosen = (with_constant(test_features) @ weights).argmax(axis=1)
    return Baselines(
        trivial=float((right == np.bincount(y).argmax()).mean()),
        linear=float((chosen == right).mean()),
        linear_name="linear model of five steps",
    )


def _around_steps(train: Samples, test: Samples) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """[steps with an answer, features of their neighbours], standardized; tokens as one-hot."""
    tokens = min(int(train.x.max()) + 1, 200) if train.x.dtype.kind != "f" else 0
    parts = []
    for part in (train, test):
        x = np.eye(tokens)[np.minimum(part.x, tokens - 1)] if tokens else part.x
        moved = [np.roll(x, -offset, axis=1) for offset in _NEIGHBOURS]
        for offset, values in zip(_NEIGHBOURS, moved, strict=True):
            values[:, x.shape[1] - offset :] = 0 if offset > 0 else values[:, x.shape[1] - offset :]
            values[:, : max(-offset, 0)] = 0
        parts.append(np.concatenate(moved, axis=2)[part.answered].astype(np.float64))
    mean, deviation = parts[0].mean(axis=0), parts[0].std(axis=0) + 1e-9
    return (parts[0] - mean) / deviation, (parts[1] - mean) / deviation


def _of_tokens(train: Samples, test: Samples) -> Baselines:
    unigram, bigram = _token_perplexities(train, test)
    return Baselines(trivial=unigram, linear=bigram, trivial_name="unigrams", linear_name="bigrams")


def _token_perplexities(train: Samples, test: Samples) -> tuple[float, float]:
    """Of the test rows, by counting in all the training tokens: alone, and after the last token.

    The counts after a token are smoothed towards those of the tokens alone.
    """
    tokens = np.concatenate([train.x, train.classified[:, None]], axis=1)
    vocabulary = max(train.classes, int(tokens.max()) + 1)
    alone = np.bincount(tokens.ravel(), minlength=vocabulary) + 1.0
    alone /= alone.sum()
    after = np.zeros((vocabulary, vocabulary))
    np.add.at(after, (tokens[:, :-1].ravel(), tokens[:, 1:].ravel()), 1.0)
    after = (after + _SMOOTHING * alone) / (after.sum(axis=1, keepdims=True) + _SMOOTHING)
    y, ones = test.classified, np.ones(len(test), dtype=np.int64)
    likelihoods = (alone[y], after[test.x[:, -1].astype(np.intp), y])
    first, second = (measures.value(measures.perplexity(one, ones), len(y)) for one in likelihoods)
    return first, second


_BASELINES: Final[dict[Target | None, Callable[[Samples, Samples], Baselines]]] = {
    Target.CLASS: _of_classes,
    Target.LABELS: _of_labels,
    Target.NUMBERS: _of_numbers,
    Target.STEPS: _of_steps,
    Target.TOKEN: _of_tokens,
    Target.SEQUENCE: sequence_baselines,
}
