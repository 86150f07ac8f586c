"""The integer operations against their definitions in real numbers and in the document."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgernn.graph import Reading
from edgernn.reference import fixed_point as fp

INT16 = np.arange(-32768, 32768, dtype=np.int32)
DOCUMENT = Path(__file__).parents[3] / "docs" / "integer-arithmetic.md"

int16 = st.integers(-32768, 32767)


def exact_tanh(v):
    return np.tanh(v / 4096) * 32768


def test_the_table_is_the_one_in_the_document() -> None:
    rows = re.findall(r"^\|((?: -?\d+ \|){8})$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    numbers = [[int(cell) for cell in row.strip("|").split("|")] for row in rows]
    segments = sorted(row[half : half + 4] for row in numbers for half in (0, 4))
    assert segments == [[s, int(fp._C0[s]), int(fp._C1[s]), int(fp._C2[s])] for s in range(16)]


def test_tanh_is_odd_bounded_and_within_seven_units() -> None:
    t = fp.table_tanh(INT16)
    np.testing.assert_array_equal(t[1:], -t[1:][::-1])
    assert t[0] == -32767
    assert np.abs(t - exact_tanh(INT16)).max() < 6.9
    assert np.abs(t).max() == 32767
    assert fp.table_tanh(np.array([0], np.int32))[0] == 0


def test_tanh_falls_nowhere_near_zero_and_by_one_unit_at_most_in_the_tail() -> None:
    v = np.arange(0, 32768, dtype=np.int32)
    t = fp.table_tanh(v)
    assert (np.diff(t[v <= 8192]) >= 0).all()
    assert (np.maximum.accumulate(t) - t).max() <= 1


def test_the_table_needs_sixteen_bits_only() -> None:
    v = np.arange(0, fp.TANH_END + 1, dtype=np.int32)
    w = v + np.minimum(v, 8192)
    d, s = (w & 2047) << 3, w >> 11
    inner = fp._C1[s] + fp.mulr(d, fp._C2[s])
    for value in (w, d, inner):
        assert value.min() >= -32768
        assert value.max() <= 32767
    assert ((fp._C2 % 16 == 0) & (fp._C2 <= 0) & (fp._C2 >= -16 * 255)).all()


def test_sigmoid_opens_and_closes_completely() -> None:
    s = fp.sigmoid(INT16)
    exact = 32768 / (1 + np.exp(-INT16 / 2048))
    assert np.abs(s - exact).max() < 4.5
    assert s[INT16 <= -12 * 2048][0] == 0
    assert s[-1] == 32767
    assert s.min() == 0


@pytest.mark.parametrize(("alpha", "limit", "slope"), [(0.2, 5120, 26214), (1 / 6, 6144, 21845)])
def test_hard_sigmoid_of_both_keras(alpha, limit, slope) -> None:
    p = INT16
    exact = np.clip(alpha * p / 2048 + 0.5, 0, 1) * 32768
    opened = fp.hard_sigmoid(p, alpha)
    assert np.abs(opened - np.minimum(exact, 32767)).max() <= 1
    by_the_document = np.clip(
        ((4 * np.clip(p, -limit, limit) * slope + 0x4000) >> 15) + 16384, 0, 32767
    )
    np.testing.assert_array_equal(opened, by_the_document)


@given(int16, int16)
def test_the_rounding_multiply_rounds_half_up(a, b) -> None:
    if (a, b) == (-32768, -32768):
        return
    found = int(fp.mulr(np.array(a, np.int32), np.array(b, np.int32)))
    assert found == (a * b + 0x4000) // 32768
    assert -32768 <= found <= 32767


@given(int16, int16)
def test_the_saturating_add_ends_at_the_ends(a, b) -> None:
    found = int(fp.adds(np.array(a, np.int32), np.array(b, np.int32)))
    assert found == max(-32768, min(32767, a + b))


def test_h_in_eight_bits_is_its_rounded_upper_half() -> None:
    narrow = fp.narrow(INT16, 8)
    assert narrow.min() == -128
    assert narrow.max() == 127
    inside = INT16 < 32640
    np.testing.assert_array_equal(narrow[inside], np.floor(INT16[inside] / 256 + 0.5))
    np.testing.assert_array_equal(fp.narrow(INT16, 16), INT16)


def test_floats_are_read_to_the_nearest_even_and_clamped() -> None:
    reading = Reading(bits=8, scale=1.0, reciprocal=1.0, limit=127)
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 127.6, -1e30, np.inf, -np.inf, np.nan], np.float32)
    assert fp.read(reading, x).tolist() == [0, 2, 2, 0, -2, 127, -127, 127, -127, 0]


def test_reading_multiplies_once_in_float32() -> None:
    reading = Reading(bits=16, scale=0.3, reciprocal=float(np.float32(1 / 0.3)), limit=32767)
    x = np.linspace(-9000, 9000, 4001, dtype=np.float32)
    products = (x * np.float32(reading.reciprocal)).astype(np.float64)
    np.testing.assert_array_equal(fp.read(reading, x), np.clip(np.rint(products), -32767, 32767))


@pytest.mark.parametrize("bits", [8, 16])
def test_states_are_read_back_exactly(bits) -> None:
    h = INT16[1:]
    reading = Reading(bits=bits, scale=1.0, reciprocal=1.0, limit=127, from_state=True)
    edge = (h * fp.Q15_UNIT).astype(np.float32)
    np.testing.assert_array_equal(fp.read(reading, edge), fp.narrow(h, bits))
    np.testing.assert_array_equal(fp.read_floats(edge, 32768.0, 32767), h)


@given(
    rows=st.integers(1, 1500),  # the last third is beyond what two planes of bytes hold
    largest=st.sampled_from([1, 127, 128, 32767]),
    seed=st.integers(0, 2**16),
)
def test_sums_are_exact(rows, largest, seed) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(-127, 128, (rows, 3)).astype(np.int8)
    bias = rng.integers(-(2**20), 2**20, 3).astype(np.int32)
    q = rng.integers(-largest, largest + 1, (2, rows)).astype(np.int32)
    exact = q.astype(np.int64) @ weights.astype(np.int64) + bias
    np.testing.assert_array_equal(fp.summing(weights, bias)(q), exact)


def test_what_does_not_fit_into_int32_is_an_error() -> None:
    sums = fp.summing(np.full((600, 1), 127, np.int8), np.zeros(1, np.int32))
    with pytest.raises(OverflowError):
        sums(np.full((1, 600), 32767, np.int32))
