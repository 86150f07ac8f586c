"""One layer at a time, computed by the reference."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgernn.graph import (
    DType,
    TensorSpec,
    infer,
)
from edgernn.reference import apply

TOLERANCE: dict[str, Any] = {"rtol": 2e-6, "atol": 2e-6}
RNG = np.random.default_rng(11)
X = RNG.normal(size=(3, 9, 4)).astype(np.float32)
XY: dict[str, Any] = {"name": "layer", "input": "x", "output": "y"}


def weight(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def computed(layer, **values):
    """What a single layer makes of the arrays, its shape checked against the inference."""
    values = values or {"x": X}
    (result,) = apply(layer, values)
    specs = [
        TensorSpec(shape=values[edge].shape, dtype=DType(str(values[edge].dtype)))
        for edge in layer.reads
    ]
    (spec,) = infer(layer, specs)
    assert result.shape == spec.shape
    assert result.dtype == spec.dtype.numpy
    return result


def assert_same(ours, theirs) -> None:
    np.testing.assert_allclose(ours, np.asarray(theirs), **TOLERANCE)
