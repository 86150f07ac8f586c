"""Scales of TFLite's int8 tensors."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.export.tflite import quantization as quant
from edgernn.export.tflite.builder import Quantization

INT8 = np.arange(-128, 128)


def distance_from_half(scale: float) -> float:
    """Of what a gate lets through of any int8 with this scale, in units of its result."""
    gates = INT8 - quant.PROBABILITY.zero_point
    x = Quantization.per_tensor(scale)
    to = quant.gated(x)
    factor = np.float64(quant.PROBABILITY.scale[0]) * x.scale[0] / to.scale[0]
    differences = np.arange(-255, 256)  # int8 less any zero point
    results = np.multiply.outer(gates, differences) * factor
    return float(np.abs(results - np.floor(results) - 0.5).min())


@pytest.mark.parametrize("scale", [1 / 128, 0.0123456, 0.0942, 3e-5])
def test_what_a_gate_lets_through_is_never_halfway_between_two_integers(scale):
    # float32, in which XNNPACK scales on x86, is off by 255 / 2**24 at most.
    assert distance_from_half(scale) > 2 * 255 / 2**24


def test_what_a_gate_lets_through_has_nearly_the_units_of_what_it_was():
    through = quant.gated(Quantization.per_tensor(0.05, -3))
    assert through.zero_point == -3
    assert through.scale[0] == pytest.approx(0.05, rel=1.1e-3)
