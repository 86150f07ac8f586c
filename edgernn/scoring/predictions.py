"""What a model answered, row by row, in the data's own numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgernn.scoring.packed import Packed


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Answers in the order of scoring.answers.Answers; which of the fields are there depends on
    the target.

    Stored for each row, so that two models can be compared on the same rows later.
    """

    classes: tuple[int, ...] = ()  # chosen: of each row, step with an answer, label or token
    sizes: tuple[int, ...] = ()  # of a sequence: how many tokens each row got
    scores: Packed | None = None  # of two classes: the probability of the second, [N]
    likelihoods: Packed | None = None  # the probability of each right class, [items]
    numbers: Packed | None = None  # [N, values]; without labels, the outputs as they are
    others: tuple[Predictions, ...] = ()  # of further outputs, in the order of Answers.others


def by_output(a: Predictions, b: Predictions) -> tuple[tuple[Predictions, Predictions], ...]:
    """The two of each output, the first one first."""
    alone = (replace(a, others=()), replace(b, others=()))
    return (alone, *zip(a.others, b.others, strict=False))


def agreement(a: Predictions, b: Predictions) -> float | None:
    """The share of answers in which both chose the same class; None where there are no classes.

    Tokens of a sequence count together: its row is the same or not.  Of several outputs, the one
    that agrees least.
    """
    found = [_agreement(*pair) for pair in by_output(a, b)]
    return min((one for one in found if one is not None), default=None)


def _agreement(a: Predictions, b: Predictions) -> float | None:
    if not a.classes or (len(a.classes) != len(b.classes) and not a.sizes):
        return None
    if a.sizes:
        if len(a.sizes) != len(b.sizes):
            return None
        return float(np.mean([x == y for x, y in zip(_rows(a), _rows(b), strict=True)]))
    return float(np.mean(np.array(a.classes) == np.array(b.classes)))


def deviation(a: Predictions, b: Predictions) -> float | None:
    """How far the numbers of `a` are from those of `b`, in standard deviations of `b` (rms).

    None where there are no numbers; 0.01 is one percent of how much the numbers vary.  Of several
    outputs, the one that deviates most.
    """
    found = [_deviation(*pair) for pair in by_output(a, b)]
    return max((one for one in found if one is not None), default=None)


def _deviation(a: Predictions, b: Predictions) -> float | None:
    if a.numbers is None or b.numbers is None or a.numbers.shape != b.numbers.shape:
        return None
    exact = b.numbers.array.astype(np.float64)
    rms = float(np.sqrt(np.square(a.numbers.array - exact).mean()))
    spread = float(exact.std())
    return rms / spread if spread > 0 else (0.0 if rms == 0 else None)


def _rows(predictions: Predictions) -> list[tuple[int, ...]]:
    ends = np.cumsum(predictions.sizes)
    return [
        predictions.classes[end - size : end]
        for end, size in zip(ends, predictions.sizes, strict=True)
    ]
