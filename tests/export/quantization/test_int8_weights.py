"""Weights of 8 bits whose products cannot overflow 16."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edgernn.export.quantization.int8_weights import column_scales, pair_sums, to_int8


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 9),
    seed=st.integers(0, 2**20),
    alike=st.booleans(),
)
def test_pairs_never_saturate_and_scales_are_as_fine_as_that_allows(rows, seed, alike) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, 4)).astype(np.float32)
    if alike:  # neighbours of one sign and size are the worst case
        matrix = np.repeat(matrix, 2, axis=0)
    scales = column_scales(matrix, pairs_safe=True)
    values = to_int8(matrix, scales).astype(int)
    sums = np.abs(pair_sums(values)).max(axis=0)
    assert (sums <= 128).all()
    for bytes_ in ((255, 255), (255, 0), (0, 255)):
        even = np.pad(values, ((0, len(values) % 2), (0, 0)))
        low = even[0::2] * bytes_[0]
        high = even[1::2] * bytes_[1]
        assert np.abs(low + high).max() <= 32767
    assert (np.maximum(np.abs(values).max(axis=0), sums) >= 126).all()
    assert (np.abs(values * scales - matrix) <= 0.5001 * scales).all()
