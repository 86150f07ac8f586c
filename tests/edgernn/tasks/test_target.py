"""y in every form that people have it."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.tasks.given import as_samples
from edgernn.tasks.samples import Samples
from edgernn.tasks.target import Target, normal_form

X = np.zeros((3, 4, 2), np.float32)
CLASSES = np.array([2, 0, 1])
STEPS = np.array([[0, 1, 1, 0], [1, 1, 0, 2], [0, 0, 1, 2]])
LABELS = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]])

FORMS = {
    "integers": (CLASSES, CLASSES, Target.CLASS),
    "a column": (CLASSES[:, None], CLASSES, Target.CLASS),
    "one-hot": (np.eye(3, dtype=int)[CLASSES], CLASSES, Target.CLASS),
    "one-hot floats": (np.eye(3, dtype=np.float32)[CLASSES], CLASSES, Target.CLASS),
    "booleans": (np.array([True, False, True]), [1, 0, 1], Target.CLASS),
    "zeros and ones as floats": (np.array([[1.0], [0.0], [1.0]]), [1, 0, 1], Target.CLASS),
    "small integers": (CLASSES.astype(np.uint8), CLASSES, Target.CLASS),
    "labels": (LABELS, LABELS, Target.LABELS),
    "labels as floats": (LABELS.astype(np.float32), LABELS, Target.LABELS),
    "steps": (STEPS, STEPS, Target.STEPS),
    "steps in a column": (STEPS[:, :, None], STEPS, Target.STEPS),
    "one-hot steps": (np.eye(3, dtype=np.float32)[STEPS], STEPS, Target.STEPS),
    "numbers": (np.array([0.5, 2, 1]), [0.5, 2, 1], Target.NUMBERS),
    "rows of numbers": (np.full((3, 5), 0.25), np.full((3, 5), 0.25), Target.NUMBERS),
    "numbers of steps": (np.full((3, 4, 2), 0.25), np.full((3, 4, 2), 0.25), Target.NUMBERS),
    "a constant": (np.ones(3), np.ones(3), Target.NUMBERS),
}


@pytest.mark.parametrize(("given", "y", "kind"), FORMS.values(), ids=FORMS.keys())
def test_each_form_is_taken_for_what_it_is(given, y, kind):
    found, target = normal_form(given, x_shape=X.shape, data="d")
    assert target is kind
    np.testing.assert_array_equal(found, y)
    samples = as_samples((X, given))
    assert samples.target is kind
    assert samples.rows(np.array([1]), name="one").target is kind


def test_names_are_numbered_and_a_step_without_one_has_no_answer():
    samples = as_samples((X, np.array(["b", "a", "b"])))
    assert (samples.labels, samples.classified.tolist()) == (("a", "b"), [1, 0, 1])
    tags = np.array([["x", "y", "", ""], ["y"] * 4, ["x"] * 4])
    steps = as_samples((X, tags))
    assert (steps.labels, steps.target) == (("x", "y"), Target.STEPS)
    assert steps.y is not None
    assert steps.y.tolist() == [[0, 1, -1, -1], [1] * 4, [0] * 4]
    assert steps.answered.sum() == 10


def test_steps_after_the_last_real_one_have_no_answer():
    samples = as_samples({"x": X, "y": STEPS, "lengths": np.array([4, 2, 1])})
    assert samples.answered.sum(axis=1).tolist() == [4, 2, 1]
    padded = np.eye(3)[STEPS]
    padded[1, 2:] = 0
    assert as_samples((X, padded)).answered.sum(axis=1).tolist() == [4, 2, 4]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (np.array([1.0, 0, 1]), "numbers"),
        (CLASSES, "numbers"),
        (CLASSES, "token"),
        (np.eye(4, dtype=int)[[0, 1, 2]], "class"),  # as wide as the sequence is long
        (np.array([[5, 3], [1, -1], [2, 2]]), "sequence"),
        (np.array([2.0, 0, 1]), "class"),
    ],
)
def test_the_kind_can_be_said_where_values_allow_several(given, kind):
    assert as_samples((X, given), target=kind).target is Target(kind)


@pytest.mark.parametrize(
    ("y", "target", "saying"),
    [
        (np.array([0.5, np.nan, 1]), None, "row 1 of y contains NaN or infinity"),
        (np.array([0.5, 1, 2]), "class", "y holds 0.5, which is no class"),
        (np.full((3, 2), 7), None, r"y has shape \[3, 2\] and type int64, x has shape \[3, 4, 2\]"),
        (np.full((3, 2), 7), "labels", "y holds 7, and labels are 0 or 1"),
        (LABELS, "class", "row 0 of y has 2 ones, a class has one"),
        (np.zeros((3, 5), int), "steps", r"y has shape \[3, 5\], x has 4 steps"),
        (np.ones((3, 4, 2)), "steps", "several ones in a step"),
        (CLASSES, "mood", "there is no kind of target 'mood'.*class, labels, steps, numbers"),
        (CLASSES, "labels", r"y has shape \[3\], which does not fit the target 'labels'"),
        (np.array([[0, 1, 1, 0], [-1] * 4, [1] * 4]), None, "row 1 of y has no answer"),
        (np.array([2**40, 0, 1]), None, "y has numbers beyond 32 bits"),
        (np.zeros(2, int), None, r"x has shape \(3, 4, 2\) and y has shape \(2,\)"),
        ([[1], [1, 2], [1]], None, "y is not an array.*All rows must have one shape"),
    ],
)
def test_targets_that_make_no_sense_are_refused_in_a_sentence(y, target, saying):
    with pytest.raises(DataError, match=saying):
        as_samples((X, y), target=target)


def test_steps_are_padded_with_the_sequence_and_never_cut():
    samples = as_samples((X, STEPS))
    longer = samples.with_steps(6)
    assert longer.y is not None
    assert longer.y[0].tolist() == [-1, -1, 0, 1, 1, 0]
    with pytest.raises(DataError, match="labels for more than the 3 steps"):
        samples.with_steps(3)
    ends = Samples(name="d", x=X, y=STEPS, lengths=np.array([2, 2, 1]), kind=Target.STEPS)
    assert ends.with_steps(3).answered.sum() == 5
