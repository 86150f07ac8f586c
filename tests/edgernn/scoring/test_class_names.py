"""A class is found by its name, whatever its number here and there."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.scoring.class_names import data_numbers
from edgernn.tasks.samples import Samples


def samples_of(y, *, labels=(), named=False):
    x = np.zeros((len(y), 2, 1), np.float32)
    return Samples(name="data", x=x, y=np.array(y), labels=labels, named=named)


def test_classes_in_another_order_are_matched_by_name():
    samples = samples_of([0, 1, 2], labels=("cat", "cow", "dog"), named=True)
    assert data_numbers(("dog", "cat", "cow"), samples, file="m") == (2, 0, 1)


def test_a_class_that_the_data_lack_gets_a_number_that_no_row_has():
    samples = samples_of([0, 1], labels=("cat", "dog"), named=True)
    assert data_numbers(("cow", "dog", "cat", "yak"), samples, file="m") == (2, 1, 0, 5)


@pytest.mark.parametrize(
    ("labels", "samples"),
    [
        (("a", "b"), samples_of([0, 1])),
        ((), samples_of([0, 1])),
        ((), samples_of([0, 1], labels=("a", "b"))),
    ],
    ids=["the data have no names", "nobody has names", "y came as numbers"],
)
def test_numbers_stay_as_they_are_where_names_are_missing(labels, samples):
    assert data_numbers(labels, samples, file="m") == ()


def test_names_in_y_are_nobodys_numbers_where_the_model_has_no_names():
    samples = samples_of([0, 1], labels=("cat", "dog"), named=True)
    with pytest.raises(DataError, match=r"classes of m\.onnx are unknown.*--labels"):
        data_numbers((), samples, file="m.onnx")


def test_a_row_of_a_class_that_the_model_does_not_know_is_refused():
    samples = samples_of([0, 0, 1], labels=("cat", "dog"), named=True)
    with pytest.raises(DataError, match=r"row 2 of data is of the class 'dog'.*\(cow, cat\)"):
        data_numbers(("cow", "cat"), samples, file="m.onnx")


def test_a_name_that_no_row_has_need_not_be_the_models():
    samples = samples_of([0, 0], labels=("cat", "dog"))
    assert data_numbers(("cow", "cat"), samples, file="m") == (2, 0)


def test_texts_that_are_numbers_are_outputs_unless_the_model_is_named_by_numbers():
    samples = samples_of([10, 30], named=True)
    assert data_numbers((), samples, file="m") == ()
    assert data_numbers(("cat", "dog"), samples, file="m") == ()
    assert data_numbers(("30", "20", "10"), samples, file="m") == (30, 20, 10)
    with pytest.raises(DataError, match="row 1 of data is of the class '30'"):
        data_numbers(("10", "20"), samples, file="m")
