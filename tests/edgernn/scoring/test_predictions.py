"""What a model answered, row by row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.scoring.predictions import Predictions, agreement, chosen_classes, row_errors


def rows(*arrays):
    return [np.asarray(array, np.float32) for array in arrays]


def test_the_largest_score_is_the_class(sequences):
    outputs = rows([1, 3], [5, 2], [0, 9])
    assert chosen_classes(outputs, sequences, "y", ()).classes == (1, 0, 1)


def test_a_single_score_is_a_probability_of_class_one(sequences):
    outputs = rows([0.4], [0.6], [0.51])
    assert chosen_classes(outputs, sequences, "y", ()).classes == (0, 1, 1)


def test_a_class_is_told_by_the_number_that_the_data_give_it(sequences):
    outputs = rows([1, 3], [5, 2], [0, 9])
    assert chosen_classes(outputs, sequences, "y", (1, 0)).classes == (0, 1, 0)


@pytest.mark.parametrize("scores", [[0.4, 0.6], [0.4]], ids=["two scores", "a sigmoid"])
def test_a_class_that_the_output_cannot_name_is_an_error(sequences, scores):
    beyond = replace(sequences, y=np.array([0, 1, 2]))
    outputs = rows(*[scores] * 3)
    with pytest.raises(DataError, match=r"row 2 of data is of class 2.*classes 0 to 1"):
        chosen_classes(outputs, beyond, "y", ())


def test_labels_that_are_not_as_many_as_the_outputs_classes_are_an_error(sequences):
    outputs = rows(*[[0, 1, 2]] * 3)
    with pytest.raises(DataError, match=r"2 labels.*has 3 classes"):
        chosen_classes(outputs, sequences, "y", (1, 0))


def test_agreement_is_the_share_of_equal_classes():
    a = Predictions(classes=(1, 2, 3, 4))
    assert agreement(a, Predictions(classes=(1, 2, 3, 0))) == 0.75
    assert agreement(a, Predictions(classes=(1, 2))) is None
    assert agreement(Predictions(errors=(1.0,)), Predictions(errors=(1.0,))) is None


def test_the_error_of_a_row_is_the_mean_over_its_values(sequences):
    samples = replace(sequences, y=np.array([[0.0, 1.0], [2.0, 2.0], [0.0, 0.0]]))
    outputs = rows([0, 0], [1, 1], [0, 3])
    assert row_errors(outputs, samples, "y", np.abs).errors == (0.5, 1.0, 1.5)
    with pytest.raises(DataError, match="has 3 values a row, y has 2"):
        row_errors(rows(*[[0, 0, 0]] * 3), samples, "y", np.abs)
