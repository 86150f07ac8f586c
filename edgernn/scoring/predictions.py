"""A model's answers for each row: classes or errors, in the data's own numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgernn.errors import DataError
from edgernn.graph.tensor import AnyArray
from edgernn.tasks.samples import Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """The class that a model chose for each row or, if y contains numbers, each row's error.

    Stored for each row, so that two models can be compared on the same rows later.
    """

    classes: tuple[int, ...] = ()
    errors: tuple[float, ...] = ()


def agreement(a: Predictions, b: Predictions) -> float | None:
    """The share of rows for which both chose the same class; None without classes."""
    if not a.classes or len(a.classes) != len(b.classes):
        return None
    return float(np.mean(np.array(a.classes) == np.array(b.classes)))


def chosen_classes(
    outputs: Sequence[AnyArray], samples: Samples, name: str, numbers: Sequence[int]
) -> Predictions:
    """The class with the largest score of each row; `outputs` are [C] each, of the output `name`.

    `numbers` are the data's numbers of the model's classes, if they differ.
    Raises DataError if the output lacks a class of the data.
    """
    _require_places(outputs[0], samples, name, numbers)
    chosen = (_class(scores) for scores in outputs)
    return Predictions(classes=tuple(numbers[one] if numbers else one for one in chosen))


def row_errors(
    outputs: Sequence[AnyArray],
    samples: Samples,
    name: str,
    error: Callable[[AnyArray], AnyArray],
) -> Predictions:
    """The mean of `error(output - y)` of each row, e.g. of numpy.abs.

    Raises DataError if the output `name` has another number of values than y.
    """
    wanted = np.asarray(samples.y).reshape(len(samples), -1)
    if any(values.shape != wanted.shape[1:] for values in outputs):
        raise DataError(
            f"output '{name}' has {outputs[0].size} values a row, y has {wanted.shape[1]}",
            remedy="Give as many target values as the model predicts, or integers for classes",
        )
    pairs = zip(outputs, wanted, strict=True)
    return Predictions(errors=tuple(float(error(a - b).mean()) for a, b in pairs))


def _require_places(scores: AnyArray, samples: Samples, name: str, numbers: Sequence[int]) -> None:
    places = max(scores.size, 2)  # a single number represents two classes
    if numbers and len(numbers) != places:
        raise DataError(
            f"the model has {len(numbers)} labels, and its output '{name}' has {places} classes",
            remedy="Export the model with as many --labels as it has classes",
        )
    if numbers or samples.y is None:
        return
    beyond = np.flatnonzero(samples.y >= places)
    if beyond.size:
        row = int(beyond[0])
        raise DataError(
            f"row {row} of {samples.name} is of class {samples.y[row]}, and output '{name}' has "
            f"the classes 0 to {places - 1}",
            remedy="Count the classes from 0, or use the data that the model was made for",
        )


def _class(scores: AnyArray) -> int:
    """The largest score, or for one number (a sigmoid) whether it is over one half."""
    return int(scores.argmax()) if scores.size > 1 else int(scores[0] > 0.5)
