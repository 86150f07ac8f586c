"""How right a model is on labelled data, from the outputs that came back from the device."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_never

from edgernn.devices.runners.outcome import Port
from edgernn.devices.runners.runner import Case
from edgernn.errors import DataError
from edgernn.graph.tensor import AnyArray
from edgernn.stats import (
    Difference,
    Interval,
    clopper_pearson,
    mcnemar,
    mean_interval,
    paired_difference,
)
from edgernn.tasks.samples import Samples


class Metric(str, Enum):
    """What is counted: right classes, or the size of errors."""

    ACCURACY = "accuracy"
    MAE = "mean absolute error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The labelled data that a report's predictions are for."""

    name: str  # "digits:test"
    sha256: str  # of x, lengths, y and labels
    metric: Metric
    classes: tuple[int, ...]  # the right class of each row; () for the metric MAE
    rows: int
    trivial: float | None = None  # accuracy of baselines on the same rows
    linear: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Row by row: the class a model chose or, for MAE, the mean absolute error of the row.

    Kept row by row, so that two models can be compared on the same rows afterwards.
    """

    classes: tuple[int, ...] = ()
    errors: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refit:
    """What was done to sequences to give them the one length that a model takes."""

    rows: int
    cut_rows: int  # lost steps that were no padding
    padded_rows: int  # got zeros
    steps: int  # of the model
    data_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The metric with its interval: exact binomial for accuracy, bootstrap for MAE."""

    metric: Metric
    value: float
    interval: Interval
    rows: int


def truth_of(samples: Samples) -> Truth:
    """Raises DataError when the rows have no labels."""
    y = samples.y
    if y is None:
        raise DataError(
            f"{samples.name} has no labels: accuracy cannot be measured",
            remedy="Add an array y with the class number of each row",
        )
    digest = hashlib.sha256()
    for part in (samples.x, y, samples.lengths):
        if part is not None:
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
    digest.update("\0".join(samples.labels).encode())
    is_class = y.dtype.kind in "iub"
    return Truth(
        name=samples.name,
        sha256=digest.hexdigest(),
        metric=Metric.ACCURACY if is_class else Metric.MAE,
        classes=tuple(int(label) for label in y) if is_class else (),
        rows=len(samples.x),
        trivial=samples.baselines.trivial if samples.baselines else None,
        linear=samples.baselines.linear if samples.baselines else None,
    )


def fitted(samples: Samples, port: Port, *, streaming: bool, file: str) -> Samples:
    """The samples with as many steps as the model's input wants.

    Raises DataError when they do not fit the input.
    """
    wanted, given = port.shape, samples.x.shape
    takes_tokens, has_tokens = (
        kind != "f" for kind in (np.dtype(port.dtype).kind, samples.x.dtype.kind)
    )
    if takes_tokens != has_tokens:
        names = {True: "tokens", False: "features"}
        raise DataError(
            f"{samples.name} does not fit {file}: input '{port.name}' takes "
            f"{names[takes_tokens]}, the data are {names[has_tokens]}",
            remedy="Use the data that the model was made for",
        )
    own = 1 if len(given) == 2 and not has_tokens else 2  # [N, F] has no steps
    if len(wanted) != len(given) or any(
        size not in (None, have) for size, have in zip(wanted[own:], given[own:], strict=True)
    ):
        raise DataError(
            f"{samples.name} does not fit {file}: input '{port.name}' has shape "
            f"{_shape_text(wanted)}, the data {_shape_text((None, *given[1:]))}",
            remedy="Use the data that the model was made for",
        )
    steps = wanted[1]
    return samples if streaming or steps is None else samples.with_steps(steps)


def refit_of(samples: Samples, port: Port, *, streaming: bool, file: str) -> Refit | None:
    """What `fitted` does to the rows; None where it leaves all real steps, and adds none.

    Raises DataError when it would cut every row: these are not the sequences that the model takes.
    """
    steps, have, rows = port.shape[1], samples.x.shape[1], len(samples)
    if streaming or steps is None or steps == have:
        return None
    if samples.lengths is not None:
        lost = samples.lengths > steps
    else:  # the beginning goes: of tokens too, what is zero there is taken for padding
        first, last = samples.nonzero_span()
        lost = first < have - steps
    cut_rows = int(np.count_nonzero(lost))
    padded_rows = rows if have < steps else 0
    if cut_rows == rows:
        if samples.lengths is None and (last - first < steps).any():
            raise DataError(
                f"{file} takes {steps} steps, and the last {steps} of the {have} of "
                f"{samples.name} are not the whole of any sequence",
                remedy="Say with an array `lengths` in the .npz how many steps of each row are "
                "real, where padding follows them",
            )
        raise DataError(
            f"{file} takes {steps} steps, and every sequence of {samples.name} is longer "
            f"(up to {have})",
            remedy=f"Cut the sequences into pieces of {steps} steps, as the product will",
        )
    if not cut_rows and not padded_rows:
        return None
    return Refit(
        rows=rows, cut_rows=cut_rows, padded_rows=padded_rows, steps=steps, data_steps=have
    )


def cases_of(samples: Samples, port: Port, *, streaming: bool) -> list[Case]:
    """One case per row.

    Row by row, as a device meets them; and runtimes that quantize on the fly choose their scales
    per call, so a batch would give other numbers than the product will.
    """
    # A stream ends with its last real step: its states would go on through the padding.
    whole = np.full(len(samples.x), samples.x.shape[1])
    ends = samples.real_steps()[1] + 1 if streaming else whole
    return [{port.name: samples.x[row : row + 1, :end]} for row, end in enumerate(ends)]


def predictions_of(
    cases: Sequence[Case], samples: Samples, name: str, numbers: Sequence[int] = ()
) -> Predictions:
    """What the output `name` says about each row, in the data's numbers.

    An output with a time axis is read at the last real step of its sequence.  `numbers` are what
    the data call the model's classes (class_names.data_numbers), where that differs.
    Raises DataError when the output has no place for a class of the data.
    """
    steps = samples.real_steps()[1]
    said = [_at_step(case[name], int(step)) for case, step in zip(cases, steps, strict=True)]
    y = samples.y
    if y is not None and y.dtype.kind == "f":
        return Predictions(errors=_row_errors(said, y, name))
    _require_places(said[0], samples, name, numbers)
    chosen = (_class(scores) for scores in said)
    return Predictions(classes=tuple(numbers[one] if numbers else one for one in chosen))


def score(predictions: Predictions, truth: Truth) -> Score:
    match truth.metric:
        case Metric.ACCURACY:
            right = int(np.count_nonzero(_right(predictions, truth)))
            value, interval = right / truth.rows, clopper_pearson(right, truth.rows)
        case Metric.MAE:
            value = float(np.mean(predictions.errors))
            interval = mean_interval(predictions.errors)
        case _:
            assert_never(truth.metric)
    return Score(metric=truth.metric, value=value, interval=interval, rows=truth.rows)


def difference(a: Predictions, b: Predictions, truth: Truth) -> Difference:
    """The metric of `a` minus that of `b` on the same rows."""
    match truth.metric:
        case Metric.ACCURACY:
            return mcnemar(_right(a, truth), _right(b, truth))
        case Metric.MAE:
            return paired_difference(a.errors, b.errors)
        case _:
            assert_never(truth.metric)


def agreement(a: Predictions, b: Predictions) -> float | None:
    """The share of rows on which both chose the same class; None where there are no classes."""
    if not a.classes or len(a.classes) != len(b.classes):
        return None
    return float(np.mean(np.array(a.classes) == np.array(b.classes)))


def _right(predictions: Predictions, truth: Truth) -> npt.NDArray[np.bool_]:
    right: npt.NDArray[np.bool_] = np.array(predictions.classes) == np.array(truth.classes)
    return right


def _at_step(output: AnyArray, step: int) -> AnyArray:
    """[1, ..., C] -> [C]: of [1, T, ..., C] the step of that number, or the last there is."""
    row: AnyArray = output[0]
    if row.ndim > 1:
        # Fewer steps than the sequence: the model strides or pools over time.
        row = row[min(step, len(row) - 1)]
    return row.ravel()


def _row_errors(said: Sequence[AnyArray], y: AnyArray, name: str) -> tuple[float, ...]:
    wanted = y.reshape(len(y), -1)
    if any(values.shape != wanted.shape[1:] for values in said):
        raise DataError(
            f"output '{name}' has {said[0].size} values a row, y has {wanted.shape[1]}",
            remedy="Give as many target values as the model predicts",
        )
    return tuple(float(np.abs(a - b).mean()) for a, b in zip(said, wanted, strict=True))


def _require_places(scores: AnyArray, samples: Samples, name: str, numbers: Sequence[int]) -> None:
    places = max(scores.size, 2)  # a single number tells two classes apart
    if numbers and len(numbers) != places:
        raise DataError(
            f"the model has {len(numbers)} labels, and its output '{name}' tells {places} classes "
            "apart",
            remedy="Export the model with as many --labels as it has classes",
        )
    if numbers or samples.y is None:
        return
    beyond = np.flatnonzero(samples.y >= places)
    if beyond.size:
        row = int(beyond[0])
        raise DataError(
            f"row {row} of {samples.name} is of class {samples.y[row]}, and output '{name}' tells "
            f"the classes 0 to {places - 1} apart",
            remedy="Count the classes from 0, or use the data that the model was made for",
        )


def _class(scores: AnyArray) -> int:
    """The largest score, or for one number (a sigmoid) whether it is over one half."""
    return int(scores.argmax()) if scores.size > 1 else int(scores[0] > 0.5)


def _shape_text(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"
