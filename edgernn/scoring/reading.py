"""Turns the outputs of a device into predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from edgernn.devices.runners.runner import Case
from edgernn.errors import DataError
from edgernn.graph.tensor import AnyArray
from edgernn.scoring.packed import Packed
from edgernn.scoring.predictions import Predictions
from edgernn.tasks.samples import Samples
from edgernn.tasks.target import NO_ANSWER, Target

#: How far from 1 the sum of probabilities may be that were rounded to a byte each.
_ROUNDED: Final = 0.02


def predictions_of(
    cases: Sequence[Case],
    samples: Samples,
    name: str,
    numbers: Sequence[int] = (),
    *,
    further: Sequence[str] = (),
) -> Predictions:
    """The answers of the output `name` for each row, in the data's numbers.

    The cases hold the samples in order, one or several each (fitting.cases_of).
    An output with a time axis is read at the last real step of its sequence, unless y is as long.
    `numbers` are what the data call the model's classes (class_names.data_numbers), where that
    differs.  Without labels the outputs are kept as they are, with the classes they stand for
    where they are probabilities; so are those of the outputs `further`.
    Of several outputs that y is for, each is read by its own name.
    Raises DataError when an output does not fit y, or is not there.
    """
    first, *others = samples.outputs
    found = _of_output(cases, first, _named(first.output or name, cases), numbers)
    if samples.target is None:
        return replace(found, others=tuple(_of_output(cases, first, one, ()) for one in further))
    return replace(
        found,
        others=tuple(_of_output(cases, one, _named(one.output, cases), ()) for one in others),
    )


def _named(output: str, cases: Sequence[Case]) -> str:
    if output not in cases[0]:
        raise DataError(
            f"y has answers of the output '{output}', and the model's outputs are "
            f"{', '.join(cases[0])}",
            remedy="Name the arrays of y as the model names its outputs",
        )
    return output


def _of_output(
    cases: Sequence[Case], samples: Samples, name: str, numbers: Sequence[int]
) -> Predictions:
    rows = [row for case in cases for row in case[name]]
    outputs = rows[: len(samples)]
    read = _READERS[samples.target]
    if samples.target is None and _are_tokens(outputs[0]):
        read = _of_sequences
    return read(outputs, samples, name, numbers)


def _of_classes(
    outputs: Sequence[AnyArray], samples: Samples, name: str, numbers: Sequence[int]
) -> Predictions:
    scores = _last(outputs, samples)
    _require_places(scores, samples, name, numbers)
    probable = _probabilities(scores)
    chosen, y = _renamed(probable.argmax(axis=1), numbers), samples.classified
    places = _places(probable.shape[1], numbers)
    likelihoods = None
    if samples.target is Target.TOKEN:
        likelihoods = Packed.of(probable[np.arange(len(y)), places[y]])
    second = probable[:, places[1]] if probable.shape[1] == 2 and len(places) > 1 else None
    return Predictions(
        classes=chosen,
        likelihoods=likelihoods,
        scores=None if second is None else Packed.of(second),
    )


def _of_steps(
    outputs: Sequence[AnyArray], samples: Samples, name: str, numbers: Sequence[int]
) -> Predictions:
    y, answered = np.asarray(samples.y), samples.answered
    chosen: list[int] = []
    likelihoods = []
    for row, output in enumerate(outputs):
        steps = np.flatnonzero(answered[row])
        if output.ndim != 2 or steps[-1] >= len(output) or len(output) > y.shape[1]:
            raise DataError(
                f"output '{name}' has shape {list(output.shape)} a row, y has {y.shape[1]} steps",
                remedy="A label for each step needs a model that answers at each step "
                "(return_sequences=True, no stride)",
            )
        scores = output[steps]
        if row == 0:
            _require_places(scores, samples, name, numbers)
        probable = _probabilities(scores)
        places = _places(probable.shape[1], numbers)
        chosen += _renamed(probable.argmax(axis=1), numbers)
        likelihoods.append(probable[np.arange(len(steps)), places[y[row, steps]]])
    return Predictions(classes=tuple(chosen), likelihoods=Packed.of(np.concatenate(likelihoods)))


def _of_labels(
    outputs: Sequence[AnyArray], samples: Samples, name: str, numbers: Sequence[int]
) -> Predictions:
    scores, wanted = _last(outputs, samples), np.asarray(samples.y).shape[1]
    if scores.shape[1] != wanted:
        raise DataError(
            f"output '{name}' has {scores.shape[1]} labels, y has {wanted}",
            remedy="Give y a column for each label of the model, in its order",
        )
    chosen = (scores > _threshold(scores)).astype(np.int64)
    if numbers:
        placed = np.zeros_like(chosen)
        placed[:, list(numbers)] = chosen
        chosen = placed
    return Predictions(classes=tuple(chosen.ravel().tolist()))


def _of_numbers(
    outputs: Sequence[AnyArray], samples: Samples, name: str, _numbers: Sequence[int]
) -> Predictions:
    wanted = np.asarray(samples.y).reshape(len(samples), -1).shape[1]
    if all(output.size == wanted for output in outputs):
        found = np.stack([output.ravel() for output in outputs])
    else:
        found = _last(outputs, samples)
    if found.shape[1] != wanted:
        raise DataError(
            f"output '{name}' has {found.shape[1]} values a row, y has {wanted}",
            remedy="Give as many target values as the model predicts, or integers for classes",
        )
    return Predictions(numbers=Packed.of(found))


def _of_sequences(
    outputs: Sequence[AnyArray], _samples: Samples, name: str, _numbers: Sequence[int]
) -> Predictions:
    """Tokens [U], -1 behind the last; or the best one at each step of scores [U, tokens], where
    token 0 ends the sequence.
    """
    rows = []
    for output in outputs:
        if _are_tokens(output):
            rows.append(output[output != NO_ANSWER])
            continue
        if output.ndim != 2:
            raise DataError(
                f"output '{name}' has shape {list(output.shape)} a row, a sequence has [U, tokens]",
                remedy="Use a model that scores tokens at each step",
            )
        tokens = output.argmax(axis=1)
        ends = np.flatnonzero(tokens == 0)
        rows.append(tokens[: ends[0]] if ends.size else tokens)
    return Predictions(
        classes=tuple(np.concatenate(rows).tolist()), sizes=tuple(len(row) for row in rows)
    )


def _are_tokens(output: AnyArray) -> bool:
    return output.ndim == 1 and output.dtype.kind == "i"


def _without_labels(
    outputs: Sequence[AnyArray], samples: Samples, _name: str, _numbers: Sequence[int]
) -> Predictions:
    found = _last(outputs, samples)
    classes: tuple[int, ...] = ()
    if found.shape[1] > 1 and _are_probabilities(found):
        classes = tuple(found.argmax(axis=1).tolist())
    return Predictions(classes=classes, numbers=Packed.of(found))


_READERS: Final[
    dict[
        Target | None,
        Callable[[Sequence[AnyArray], Samples, str, Sequence[int]], Predictions],
    ]
] = {
    Target.CLASS: _of_classes,
    Target.TOKEN: _of_classes,
    Target.STEPS: _of_steps,
    Target.LABELS: _of_labels,
    Target.NUMBERS: _of_numbers,
    Target.SEQUENCE: _of_sequences,
    None: _without_labels,
}


def _last(outputs: Sequence[AnyArray], samples: Samples) -> AnyArray:
    """[N, C]: of outputs [T, ..., C] the last real step, or the last there is."""
    ends = samples.real_steps()[1]
    rows = []
    for output, end in zip(outputs, ends, strict=True):
        # Fewer steps than the sequence: the model strides or pools over time.
        one = output[min(int(end), len(output) - 1)] if output.ndim > 1 else output
        rows.append(one.ravel())
    return np.stack(rows).astype(np.float64)


def _probabilities(scores: AnyArray) -> AnyArray:
    """[N, C] of what a softmax or a sigmoid gave, or would have given; one number is class 1's."""
    if scores.shape[1] == 1:
        one = scores if _threshold(scores) > 0 else 1 / (1 + np.exp(-scores))
        return np.concatenate([1 - one, one], axis=1)
    if _are_probabilities(scores):
        return scores
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _are_probabilities(scores: AnyArray) -> bool:
    sums = scores.sum(axis=1)
    return bool(scores.min() >= 0 and (np.abs(sums - 1) <= _ROUNDED).all())


def _threshold(scores: AnyArray) -> float:
    """One half of a probability, 0 of what a sigmoid would make one."""
    return 0.5 if scores.min() >= 0 and scores.max() <= 1 else 0.0


def _renamed(chosen: AnyArray, numbers: Sequence[int]) -> tuple[int, ...]:
    return tuple(numbers[one] if numbers else one for one in chosen.tolist())


def _places(classes: int, numbers: Sequence[int]) -> AnyArray:
    """Where the model has each class of the data."""
    places = np.arange(max(classes, max(numbers, default=0) + 1))
    for place, number in enumerate(numbers):
        places[number] = place
    return places


def _require_places(scores: AnyArray, samples: Samples, name: str, numbers: Sequence[int]) -> None:
    places = max(scores.shape[1], 2)  # a single number stands for two classes
    if numbers and len(numbers) != places:
        raise DataError(
            f"the model has {len(numbers)} labels, and its output '{name}' has {places} classes",
            remedy="Export the model with as many --labels as it has classes",
        )
    if numbers or samples.y is None:
        return
    # Of a further output: a model has names for the classes of its first one only.
    if samples.named and samples.labels and len(samples.labels) != places:
        raise DataError(
            f"{samples.name} has the {len(samples.labels)} classes {', '.join(samples.labels)}, "
            f"and output '{name}' has {places}",
            remedy="Write the numbers of the output's classes, from 0, for the names",
        )
    highest = samples.y.reshape(len(samples), -1).max(axis=1)
    beyond = np.flatnonzero(highest >= places)
    if beyond.size:
        row = int(beyond[0])
        raise DataError(
            f"row {row} of {samples.name} is of class {highest[row]}, and output '{name}' has "
            f"the classes 0 to {places - 1}",
            remedy="Count the classes from 0, or use the data that the model was made for",
        )
