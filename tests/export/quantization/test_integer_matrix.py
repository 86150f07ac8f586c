"""Matrices in integers: columns of next to no weight."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.export.quantization.integer_matrix import FittedMatrix, wide_reading


@pytest.mark.parametrize("weight", [0.0, 1e-6, 1e-8, 1e-9, 1e-20, 1e-38])
def test_a_column_that_hardly_moves_its_output_costs_the_others_nothing(weight: float) -> None:
    """Weight decay makes such units; beside their bias they took the steps of all columns."""
    random = np.random.default_rng(0)
    matrix = random.normal(size=(512, 2)).astype(np.float32)
    matrix[:, 0] = weight
    bias = np.array([0.7, 0.1])
    x = random.uniform(-1, 1, (64, 512))
    fitted = FittedMatrix.make(matrix, bias, wide_reading(1.0), seen=None)
    scale = fitted.reading.scale
    inputs = np.rint(x / scale)
    actual = (inputs @ fitted.weights.astype(np.float64) + fitted.bias) * scale * fitted.scales
    expected = x @ matrix.astype(np.float64) + bias
    assert (np.abs(inputs) <= fitted.reading.limit).all()
    np.testing.assert_allclose(actual[:, 0], expected[:, 0], rtol=1e-3)
    error = np.abs(actual[:, 1] - expected[:, 1]).mean() / expected[:, 1].std()
    assert error < 0.015  # the rounding of int8 weights alone
