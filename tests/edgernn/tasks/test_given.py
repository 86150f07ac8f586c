"""Data in whatever form a person has them."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.tasks.given import as_samples

X = np.zeros((3, 2, 1))


class Frame:
    """Stands for a DataFrame: no array, but numpy can make one of it."""

    def __array__(self, dtype=None, copy=None):
        return np.ones((3, 4), dtype)


def test_arrays_lists_and_frames_become_samples():
    assert as_samples(X).x.dtype == np.float32
    assert as_samples(Frame()).x.shape == (3, 4)
    assert as_samples([[1, 2], [3, 4]]).x.dtype == np.int32
    both = as_samples((X, [0, 1, 1], [1, 2, 2]))
    assert both.y is not None
    assert both.y.tolist() == [0, 1, 1]
    assert both.lengths is not None
    assert both.lengths.tolist() == [1, 2, 2]


def test_texts_are_classes_and_floats_are_numbers_to_predict():
    named = as_samples((X, ["yes", "no", "yes"]))
    assert named.labels == ("no", "yes")
    assert named.y is not None
    assert named.y.tolist() == [1, 0, 1]
    numbers = as_samples({"x": X, "y": [0.5, 1.5, 2.5]})
    assert numbers.y is not None
    assert numbers.y.dtype == np.float32


def test_a_path_and_samples_pass_as_they_are(tmp_path):
    np.savez(tmp_path / "d.npz", x=X)
    read = as_samples(tmp_path / "d.npz")
    assert read.name == "d.npz"
    assert as_samples(read) is read
    assert as_samples(str(tmp_path / "d.npz")).x.shape == X.shape


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((X, [0, 1]), r"x has shape \(3, 2, 1\) and y has shape \(2,\)"),
        ((X, None, [1, 2]), r"x has shape \(3, 2, 1\) and lengths has shape \(2,\)"),
        ((X, [0, 1, 1], [1.0, 2.0, 2.0]), "lengths has the type float64"),
        ((X, 1, 2, 3), "a tuple of 4"),
        ({"y": [1]}, "x is needed"),
        ([[1.0], [1.0, 2.0]], "x is not an array"),
        (np.array([object()]), "x has the type object"),
        ([["a", "b"]], "x is text"),
    ],
)
def test_what_does_not_belong_together_is_refused_with_shapes_and_types(given, says):
    with pytest.raises(DataError, match=says):
        as_samples(given)
