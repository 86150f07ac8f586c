"""What outputs of a trained model reach, by the first metric of the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from edgernn import measures
from edgernn.stats import Interval, bootstrap, clopper_pearson
from edgernn.tasks.samples import AnyArray, Samples
from edgernn.tasks.target import NO_ANSWER, Target

Counted: TypeAlias = measures.Counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A value over so many rows, with its 95 % interval.  Shares are 0 to 1."""

    metric: str  # "accuracy", "F1 macro", "MAE", "perplexity"
    value: float
    low: float
    high: float
    samples: int


def score(outputs: AnyArray, samples: Samples) -> Score:
    """Of outputs [N, ...] for the rows of `samples`: probabilities, numbers, or the tokens of
    sequences [N, U], -1 behind the last.
    """
    rows = len(samples)
    if samples.target is Target.CLASS:
        right = int(np.count_nonzero(chosen_classes(outputs) == samples.classified))
        return _score("accuracy", right / rows, clopper_pearson(right, rows), rows)
    metric, counted = _counted(outputs, samples)
    return _score(metric, measures.value(counted, rows), bootstrap(rows, counted), rows)


def chosen_classes(probabilities: AnyArray) -> AnyArray:
    """[..., C] -> [...]; one number is the probability of class 1."""
    if probabilities.shape[-1] == 1:
        return (probabilities[..., 0] > 0.5).astype(np.int64)
    return np.asarray(probabilities.argmax(axis=-1))


def _score(metric: str, value: float, interval: Interval, rows: int) -> Score:
    return Score(metric=metric, value=value, low=interval.low, high=interval.high, samples=rows)


def _counted(outputs: AnyArray, samples: Samples) -> tuple[str, Counted]:
    rows = len(samples)
    match samples.target:
        case Target.LABELS:
            chosen = (outputs > 0.5).astype(np.int64)
            return "F1 macro", measures.f1_macro_of_labels(np.asarray(samples.y), chosen)
        case Target.NUMBERS:
            y, found = (np.asarray(one).reshape(rows, -1) for one in (samples.y, outputs))
            return "MAE", measures.mean_absolute_error(y, found)
        case Target.STEPS:
            answered = samples.answered
            y, found = np.asarray(samples.y)[answered], chosen_classes(outputs)[answered]
            return "accuracy", measures.accuracy(y, found, answered.sum(axis=1))
        case Target.TOKEN:
            y = samples.classified
            likelihoods = outputs[np.arange(rows), y]
            return "perplexity", measures.perplexity(likelihoods, np.ones(rows, np.int64))
        case Target.SEQUENCE:
            return "edit distance", measures.edit_distance_rate(
                *(
                    [row[row != NO_ANSWER].tolist() for row in np.asarray(part)]
                    for part in (samples.y, outputs)
                )
            )
        case _:
            raise ValueError(f"outputs of the target {samples.target} are not scored here")
