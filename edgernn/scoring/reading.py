"""Turns the outputs of a device into predictions."""

from __future__ import annotations

from collections.abc import Sequence

from edgernn.devices.runners.runner import Case
from edgernn.graph.tensor import AnyArray
from edgernn.scoring.metric import metric_for
from edgernn.scoring.predictions import Predictions
from edgernn.tasks.samples import Samples


def predictions_of(
    cases: Sequence[Case], samples: Samples, name: str, numbers: Sequence[int] = ()
) -> Predictions:
    """The answers of the output `name` for each row, in the data's numbers.

    The cases hold the samples in order, one or several each (fitting.cases_of).
    An output with a time axis is read at the last real step of its sequence.  `numbers` are
    the data's numbers of the model's classes (class_names.data_numbers), if they differ.
    Raises DataError if the output does not fit y.
    """
    steps = samples.real_steps()[1]
    rows = [row for case in cases for row in case[name]]
    outputs = [_at_step(rows[number], int(step)) for number, step in enumerate(steps)]
    return metric_for(samples).predictions(outputs, samples, name, numbers)


def _at_step(row: AnyArray, step: int) -> AnyArray:
    """[..., C] -> [C]: of [T, ..., C] the step of that number, or the last one."""
    if row.ndim > 1:
        # Fewer steps than the sequence: the model strides or pools over time.
        row = row[min(step, len(row) - 1)]
    return row.ravel()
