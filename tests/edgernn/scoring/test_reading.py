"""From outputs that came back to predictions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgernn.scoring.predictions import Predictions
from edgernn.scoring.reading import predictions_of


def cases(*arrays):
    return [{"y": np.asarray(array, np.float32)} for array in arrays]


def test_an_output_with_time_is_read_at_the_last_real_step(sequences):
    says = np.eye(4)[None]  # at step i: class i
    outputs = cases(says, says, says)
    assert predictions_of(outputs, sequences, "y").classes == (3, 1, 2)


def test_a_strided_output_is_read_at_its_last_step(sequences):
    says = np.eye(2)[None]
    outputs = cases(says, says, says)
    assert predictions_of(outputs, sequences, "y").classes == (1, 1, 1)


def test_numbers_are_read_as_errors_and_classes_as_classes(sequences):
    outputs = cases([[1.0]], [[2.5]], [[0.0]])
    numbers = replace(sequences, y=np.array([1.0, 2.0, 2.0]))
    assert predictions_of(outputs, numbers, "y") == Predictions(errors=(0.0, 0.5, 2.0))
    assert predictions_of(outputs, sequences, "y") == Predictions(classes=(1, 1, 0))
