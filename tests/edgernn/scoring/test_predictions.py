"""What a model answered, row by row."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.scoring.packed import Packed
from edgernn.scoring.predictions import Predictions, agreement, deviation


def numbers(*values):
    return Predictions(numbers=Packed.of(np.array(values)))


def test_packed_numbers_come_back_bit_for_bit():
    values = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    packed = Packed.of(values)
    np.testing.assert_array_equal(packed.array, values)
    assert packed == Packed.of(values.copy())
    assert packed != Packed.of(values + 1)


def test_agreement_is_the_share_of_equal_classes():
    a = Predictions(classes=(1, 2, 3, 4))
    assert agreement(a, Predictions(classes=(1, 2, 3, 0))) == 0.75
    assert agreement(a, Predictions(classes=(1, 2))) is None
    assert agreement(numbers(1.0), numbers(1.0)) is None


def test_sequences_agree_as_a_whole():
    a = Predictions(classes=(1, 2, 3), sizes=(2, 1))
    assert agreement(a, Predictions(classes=(1, 2, 4), sizes=(2, 1))) == 0.5
    assert agreement(a, Predictions(classes=(1, 2, 5, 3), sizes=(3, 1))) == 0.5
    assert agreement(a, Predictions(classes=(1,), sizes=(1,))) is None


def test_a_deviation_is_measured_in_how_much_the_numbers_vary():
    original = numbers(0.0, 2.0, 4.0)
    assert deviation(original, original) == 0.0
    moved = numbers(1.0, 3.0, 5.0)
    assert deviation(moved, original) == pytest.approx(1 / np.std([0, 2, 4]))
    assert deviation(numbers(1.0), original) is None
    assert deviation(Predictions(classes=(1,)), original) is None
    assert deviation(numbers(1.0, 1.1), numbers(1.0, 1.0)) is None
