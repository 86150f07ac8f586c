"""A rounding is computed once for the same bits, and again for others."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.export.quantization import kept_roundings
from edgernn.export.quantization.kept_roundings import kept, kept_root
from edgernn.export.quantization.rounding import Rounded


def made() -> Rounded:
    return Rounded(values=np.ones((2, 3), np.int8), rest=np.zeros((0, 3)), bias=np.zeros(3))


def never() -> Rounded:
    pytest.fail("it was computed again")


def test_the_same_bits_are_rounded_once() -> None:
    matrix = np.random.default_rng(7).normal(size=(2, 3))
    first = kept(matrix, pairs_safe=True, otherwise=made)
    assert kept(matrix.copy(), pairs_safe=True, otherwise=never) is first


@pytest.mark.parametrize("change", ["a bit", "the shape", "the type", "the rule of pairs"])
def test_what_differs_in_anything_is_rounded_again(change: str) -> None:
    matrix = np.random.default_rng(8).normal(size=(2, 3)).astype(np.float32)
    first = kept(matrix, pairs_safe=True, otherwise=made)
    other = {
        "a bit": np.nextafter(matrix, np.float32(9)),
        "the shape": matrix.reshape(3, 2),
        "the type": matrix.view(np.int32),
    }.get(change, matrix)
    assert kept(other, pairs_safe=change != "the rule of pairs", otherwise=made) is not first


def test_what_is_kept_cannot_be_changed() -> None:
    one = kept(np.arange(3.0), pairs_safe=False, otherwise=made)
    with pytest.raises(ValueError, match="read-only"):
        one.values[0, 0] = 5


def test_a_root_is_computed_once_for_the_same_covariance_and_none_is_kept_that_is_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    covariance = np.random.default_rng(9).normal(size=(4, 4))
    first = kept_root(covariance, lambda: np.eye(4))
    assert kept_root(covariance.copy(), lambda: np.ones((4, 4))) is first
    assert kept_root(covariance + 1, lambda: np.ones((4, 4))) is not first
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0] = 5
    monkeypatch.setattr(kept_roundings, "_MOST_BYTES_OF_ROOTS", 8)
    large = kept_root(covariance + 2, lambda: np.eye(4))
    assert kept_root(covariance + 2, lambda: np.eye(4)) is not large
