"""Rounded weights: errors make up for each other, and no pair can saturate 16 bits."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.export.quantization.int8_weights import PAIR_MAX, column_scales, pair_sums, to_int8
from edgernn.export.quantization.rounding import Part, compensated, rounded


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def inputs(rng: np.random.Generator, rows: int, width: int) -> np.ndarray:
    """Correlated numbers with a mean, as edges of a network hold."""
    mixed = rng.normal(size=(rows, width // 3)) @ rng.normal(size=(width // 3, width))
    return 0.5 + mixed + 0.3 * rng.normal(size=(rows, width))


def seen(x: np.ndarray, columns: slice = slice(None)) -> Part:
    return Part(columns=columns, mean=x.mean(axis=0), covariance=np.cov(x.T, bias=True))


def error(x: np.ndarray, off: np.ndarray, bias: np.ndarray | float = 0.0) -> float:
    return float(np.square(x @ off + bias).mean())


@pytest.mark.parametrize("pairs_safe", [False, True])
def test_the_error_on_fresh_inputs_is_less_than_half_of_that_to_nearest(
    rng: np.random.Generator, pairs_safe: bool
) -> None:
    x = inputs(rng, 4000, 60)
    matrix = rng.normal(size=(60, 24))
    scales = column_scales(matrix, pairs_safe=pairs_safe)
    made = compensated(matrix, scales, seen(x[:2000]), pairs_safe=pairs_safe)
    nearest = error(x[2000:], to_int8(matrix, scales) * scales - matrix)
    assert error(x[2000:], made.values * scales - matrix, made.bias) < 0.5 * nearest


def test_pairs_stay_safe_where_compensation_pushes_them_apart(rng: np.random.Generator) -> None:
    x = inputs(rng, 300, 40) * np.array([1.0, 30.0] * 20)
    matrix = rng.uniform(0.4, 0.5, size=(40, 50)) * rng.choice([-1, 1], size=(1, 50))
    scales = column_scales(matrix, pairs_safe=True)
    made = compensated(matrix, scales, seen(x), pairs_safe=True)
    sums = np.abs(pair_sums(made.values.astype(np.int32)))
    free = compensated(matrix, scales, seen(x), pairs_safe=False)
    assert np.abs(pair_sums(free.values.astype(np.int32))).max() > PAIR_MAX
    assert sums.max() <= PAIR_MAX
    assert np.abs(made.values.astype(int)).max() <= 127


def test_what_follows_makes_up_for_errors_and_the_bias_for_the_mean(
    rng: np.random.Generator,
) -> None:
    x = inputs(rng, 3000, 32)
    matrix = rng.normal(size=(20, 8))
    scales = column_scales(matrix, pairs_safe=False) * 20  # coarse
    made = compensated(matrix, scales, seen(x), pairs_safe=False)
    assert made.rest.shape == (12, 8)
    off = np.concatenate([made.values * scales - matrix, made.rest])
    assert error(x, off, made.bias) < 0.7 * error(x[:, :20], off[:20], made.bias)
    np.testing.assert_allclose((x @ off + made.bias).mean(axis=0), 0, atol=1e-9)


def test_inputs_that_never_change_are_left_to_the_bias(rng: np.random.Generator) -> None:
    x = np.full((100, 6), 3.0)
    matrix = rng.normal(size=(6, 4))
    scales = column_scales(matrix, pairs_safe=False)
    made = compensated(matrix, scales, seen(x), pairs_safe=False)
    np.testing.assert_array_equal(made.values, to_int8(matrix, scales))
    assert error(x, made.values * scales - matrix, made.bias) < 1e-20


def test_parts_are_rounded_apart_and_without_any_all_is_to_nearest(
    rng: np.random.Generator,
) -> None:
    x = inputs(rng, 500, 12)
    matrix = rng.normal(size=(8, 6))
    scales = column_scales(matrix, pairs_safe=False)
    parts = [seen(x, slice(0, 4)), seen(x[:, :8], slice(4, 6))]
    made = rounded(matrix, scales, parts, pairs_safe=False)
    first = compensated(matrix[:, :4], scales[:4], parts[0], pairs_safe=False)
    second = compensated(matrix[:, 4:], scales[4:], parts[1], pairs_safe=False)
    np.testing.assert_array_equal(made.values, np.hstack([first.values, second.values]))
    assert made.rest[:, :4].any()
    assert not made.rest[:, 4:].any()
    plain = rounded(matrix, scales, [], pairs_safe=False)
    np.testing.assert_array_equal(plain.values, to_int8(matrix, scales))
    assert not plain.bias.any()


def test_halves_of_the_columns_side_by_side_are_those_of_one_run(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = inputs(rng, 300, 40)
    matrix = rng.normal(size=(30, 25))
    scales = column_scales(matrix, pairs_safe=True)
    whole = compensated(matrix, scales, seen(x), pairs_safe=True)
    monkeypatch.setattr("edgernn.export.quantization.rounding._LARGE", 1)
    halves = compensated(matrix, scales, seen(x), pairs_safe=True)
    assert (halves.values == whole.values).all()
    np.testing.assert_allclose(halves.rest, whole.rest, atol=1e-12)
    np.testing.assert_allclose(halves.bias, whole.bias, atol=1e-12)
