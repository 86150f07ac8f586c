"""Whether a file of fewer bits passes: its mean error, and what few rows leave open."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgernn.artefact import VerificationStatus
from edgernn.errors import VerificationError
from edgernn.export.cases import Case
from edgernn.export.mean_error import INTEGER_TOLERANCE, agreement, near_on_average

RNG = np.random.default_rng(6)


def cases(count: int) -> list[Case]:
    return [Case(name=f"row {row}", inputs={}) for row in range(count)]


def calls(values: Any) -> list[dict[str, Any]]:
    return [{"y": np.asarray(one, np.float32).reshape(1, -1)} for one in values]


def checked(expected: Any, actual: Any, **options: Any) -> Any:
    return near_on_average("m", cases(len(expected)), calls(actual), calls(expected), **options)


def test_the_mean_error_is_one_of_the_spread():
    expected, near = [[0.0, 1.0], [1.0, 0.0]], [[0.02, 0.98], [0.99, 0.01]]
    found = checked(expected, near)
    assert found.mean_error == pytest.approx(0.015 / 0.5)
    assert found.agreement == 1.0
    assert found.status is VerificationStatus.PASSED
    assert agreement(calls(expected[::-1]), calls(expected)) == 0.0
    with pytest.raises(VerificationError, match=r"off by 200.0 % of their spread"):
        checked(expected, expected[::-1])


def test_an_offset_hides_no_error():
    values = np.array([-0.5, 0.5] * 4)
    for offset in (0, 293, -1000):
        with pytest.raises(VerificationError, match=r"off by 100.0 % of their spread"):
            checked(values + offset, 0 * values + offset)


def test_few_rows_must_not_flatter_a_file():
    """Of many files whose true error is just too large, hardly one passes on a few rows."""
    passed = 0
    for _ in range(200):
        expected = RNG.normal(size=24)
        off = 1.15 * INTEGER_TOLERANCE * RNG.exponential(size=24)
        try:
            checked(expected, expected + off)
        except VerificationError:
            continue
        passed += 1
    assert passed <= 12  # 50 and more without a margin
    many = RNG.normal(size=2000)
    found = checked(many, many + 0.9 * INTEGER_TOLERANCE * RNG.exponential(size=2000))
    assert found.status is VerificationStatus.PASSED


def test_what_is_lost_of_a_quiet_output_is_not_called_passed():
    rare = 0.001 + 0.0005 * np.linspace(0, 1, 40)  # the probability of a rare event
    found = checked(rare, np.full(40, rare.mean()), shared=["y"])
    assert found.status is VerificationStatus.UNDECIDED
    assert "output 'y' varies by 0.01 % only over these rows" in found.reason
    assert "Give rows whose answers differ" in found.reason


def test_a_quiet_output_that_is_right_passes():
    sure = 0.9999 - 1e-4 * np.linspace(0, 1, 40)  # every row of one class
    found = checked(sure, sure + 1e-7, shared=["y"])
    assert found.status is VerificationStatus.PASSED


def test_a_quiet_output_that_is_wrong_fails():
    rare = 0.001 + 0.0005 * np.linspace(0, 1, 40)
    with pytest.raises(VerificationError, match="of their spread"):
        checked(rare, rare + 0.01, shared=["y"])


def test_outputs_that_share_no_unit_are_never_quiet():
    small = 1e-4 * RNG.normal(size=40)
    with pytest.raises(VerificationError, match="of their spread"):
        checked(small, 0 * small)
    assert checked(small, small * 1.01).status is VerificationStatus.PASSED
