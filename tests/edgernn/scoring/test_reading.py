"""From outputs that came back to predictions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.scoring.predictions import Predictions
from edgernn.scoring.reading import predictions_of
from edgernn.tasks.samples import Samples
from edgernn.tasks.target import Target


def cases(*arrays):
    return [{"y": np.asarray(array, np.float32)} for array in arrays]


def chosen(outputs, samples, numbers=()):
    return predictions_of(cases(*outputs), samples, "y", numbers).classes


def test_the_largest_score_is_the_class(sequences):
    assert chosen([[[1, 3]], [[5, 2]], [[0, 9]]], sequences) == (1, 0, 1)


def test_a_single_score_is_a_probability_of_class_one(sequences):
    assert chosen([[[0.4]], [[0.6]], [[0.51]]], sequences) == (0, 1, 1)


def test_a_single_score_beyond_one_is_what_a_sigmoid_would_take(sequences):
    assert chosen([[[0.4]], [[-0.6]], [[3.0]]], sequences) == (1, 0, 1)


def test_a_class_is_told_by_the_number_that_the_data_give_it(sequences):
    assert chosen([[[1, 3]], [[5, 2]], [[0, 9]]], sequences, (1, 0)) == (0, 1, 0)


def test_two_classes_keep_the_probability_of_the_second(sequences):
    two = cases([[0.3, 0.7]], [[0.9, 0.1]], [[0.5, 0.5]])
    one = cases([[0.7]], [[0.1]], [[0.5]])
    for outputs in (two, one):
        found = predictions_of(outputs, sequences, "y").scores
        assert found is not None
        assert found.array == pytest.approx([0.7, 0.1, 0.5])
    swapped = predictions_of(two, sequences, "y", (1, 0)).scores
    assert swapped is not None
    assert swapped.array == pytest.approx([0.3, 0.9, 0.5])


@pytest.mark.parametrize("scores", [[0.4, 0.6], [0.4]], ids=["two scores", "a sigmoid"])
def test_a_class_that_the_output_cannot_name_is_an_error(sequences, scores):
    beyond = replace(sequences, y=np.array([0, 1, 2]))
    with pytest.raises(DataError, match=r"row 2 of data is of class 2.*classes 0 to 1"):
        chosen([[scores]] * 3, beyond)


def test_labels_that_are_not_as_many_as_the_outputs_classes_are_an_error(sequences):
    with pytest.raises(DataError, match=r"2 labels.*has 3 classes"):
        chosen([[[0, 1, 2]]] * 3, sequences, (1, 0))


def test_an_output_with_time_is_read_at_the_last_real_step(sequences):
    says = np.eye(4)[None]  # at step i: class i
    assert chosen([says] * 3, sequences) == (3, 1, 2)


def test_a_strided_output_is_read_at_its_last_step(sequences):
    assert chosen([np.eye(2)[None]] * 3, sequences) == (1, 1, 1)


def test_numbers_are_kept_in_the_shape_of_y(sequences):
    two = replace(sequences, y=np.array([[1.0, 2], [3, 4], [5, 7]]))
    outputs = cases([[1, 2.5]], [[3, 4]], [[5, 6]])
    found = predictions_of(outputs, two, "y").numbers
    assert found is not None
    np.testing.assert_array_equal(found.array, [[1, 2.5], [3, 4], [5, 6]])
    with pytest.raises(DataError, match="has 3 values a row, y has 2"):
        predictions_of(cases(*[[[0, 0, 0]]] * 3), two, "y")


def test_numbers_of_each_step_are_kept_where_y_has_them(sequences):
    each = replace(sequences, y=np.ones((3, 4, 1), np.float32) * 0.5)
    says = np.arange(4.0).reshape(1, 4, 1)
    found = predictions_of(cases(says, says, says), each, "y").numbers
    assert found is not None
    np.testing.assert_array_equal(found.array, [[0, 1, 2, 3]] * 3)
    last = replace(sequences, y=np.array([0.5, 0.5, 1.5]))
    found = predictions_of(cases(says, says, says), last, "y").numbers
    assert found is not None
    np.testing.assert_array_equal(found.array, [[3], [1], [2]])


def test_steps_without_an_answer_are_left_out(sequences):
    y = np.array([[0, 1, 1, 0], [1, 1, 0, 0], [-1, 0, 1, 1]])  # lengths 4, 2, 3
    tagged = replace(sequences, y=y, kind=Target.STEPS)
    says = np.eye(2)[[0, 1, 0, 1]][None] * 0.8 + 0.1
    found = predictions_of(cases(says, says, says), tagged, "y")
    assert found.classes == (0, 1, 0, 1, 0, 1, 1, 0)
    assert found.likelihoods is not None
    assert found.likelihoods.array == pytest.approx([0.9, 0.9, 0.1, 0.1, 0.1, 0.9, 0.1, 0.1])
    with pytest.raises(DataError, match=r"has shape \[2\] a row, y has 4 steps.*return_sequences"):
        predictions_of(cases(*[[[0.5, 0.5]]] * 3), tagged, "y")


def test_labels_are_those_over_one_half_in_the_columns_of_the_data(sequences):
    several = replace(sequences, y=np.array([[1, 0], [1, 1], [0, 0]]), kind=Target.LABELS)
    outputs = cases([[0.9, 0.4]], [[0.6, 0.7]], [[0.1, 0.8]])
    assert predictions_of(outputs, several, "y").classes == (1, 0, 1, 1, 0, 1)
    assert predictions_of(outputs, several, "y", (1, 0)).classes == (0, 1, 1, 1, 1, 0)
    with pytest.raises(DataError, match="has 3 labels, y has 2"):
        predictions_of(cases(*[[[0, 0, 0]]] * 3), several, "y")


def test_a_next_token_keeps_the_probability_that_it_was_given():
    tokens = Samples(
        name="data", x=np.array([[1, 2], [2, 0]], np.int32), y=np.array([2, 0]), kind=Target.TOKEN
    )
    outputs = cases([[0.2, 0.3, 0.5]], [[1.0, 2.0, 3.0]])
    found = predictions_of(outputs, tokens, "y").likelihoods
    assert found is not None
    assert found.array == pytest.approx(
        [np.exp(0.5) / np.exp([0.2, 0.3, 0.5]).sum(), np.exp(1) / np.exp([1, 2, 3]).sum()]
    )


def test_a_sequence_ends_before_its_first_zero():
    tokens = Samples(
        name="data",
        x=np.zeros((2, 3, 1), np.float32),
        y=np.array([[1, 2], [2, -1]]),
        kind=Target.SEQUENCE,
    )
    says = np.eye(3)[[1, 2, 0, 1]][None]
    found = predictions_of(cases(says, np.eye(3)[[2, 2]][None]), tokens, "y")
    assert (found.classes, found.sizes) == ((1, 2, 2, 2), (2, 2))


def test_without_labels_outputs_are_kept_and_probabilities_are_classes(sequences):
    bare = replace(sequences, y=None)
    found = predictions_of(cases([[0.2, 0.8]], [[0.9, 0.1]], [[0.5, 0.5]]), bare, "y")
    assert found.classes == (1, 0, 0)
    scores = predictions_of(cases([[2.0, 8]], [[9, 1]], [[5, 5]]), bare, "y")
    assert scores == Predictions(numbers=scores.numbers)
    assert scores.numbers is not None
    np.testing.assert_array_equal(scores.numbers.array, [[2, 8], [9, 1], [5, 5]])


@pytest.mark.parametrize("labelled", [True, False])
def test_tokens_that_a_loop_wrote_end_where_it_ended(labelled):
    y = np.array([[1, 2], [2, -1], [1, -1]]) if labelled else None
    data = Samples(
        name="data",
        x=np.zeros((3, 3, 1), np.float32),
        y=y,
        kind=Target.SEQUENCE if labelled else None,
    )
    tokens = np.array([[1, 0, 2, -1], [-1, -1, -1, -1], [2, -1, -1, -1]], np.int32)
    found = predictions_of([{"tokens": tokens[:2]}, {"tokens": tokens[2:]}], data, "tokens")
    assert (found.classes, found.sizes) == ((1, 0, 2, 2), (3, 0, 1))
