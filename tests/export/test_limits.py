"""What is between two limits stays as it is, however far they are."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.export.limits import limited
from edgernn.graph import AnyArray
from edgernn.reference import apply

X = np.array([[-3e4, -20.5, -1.5, -0.25, 0.0, 1e-3, 0.75, 18.0, 5e4]], np.float32)
LIMITS = (
    None,
    -3.4028235e38,
    -1e9,
    -1000.0,
    -16.0,
    -0.5,
    0.0,
    0.5,
    16.0,
    1000.0,
    1e9,
    3.4028235e38,
)


def kept(low: float | None, high: float | None) -> AnyArray:
    ends = [None if limit is None else np.array([limit], np.float32) for limit in (low, high)]
    edges: dict[str, AnyArray] = {"x": X}
    for layer in limited("x", "y", lambda purpose: f"y/{purpose}", low=ends[0], high=ends[1]):
        edges |= dict(zip(layer.writes, apply(layer, edges), strict=True))
    return edges.get("y", X)


@pytest.mark.parametrize("low", LIMITS)
@pytest.mark.parametrize("high", LIMITS)
def test_numbers_stay_within_limits_and_else_as_they_are(
    low: float | None, high: float | None
) -> None:
    if low is not None and high is not None and low >= high:
        return
    wanted = np.clip(X, low, high) if (low, high) != (None, None) else X
    np.testing.assert_allclose(kept(low, high), wanted, rtol=1e-6, atol=2e-6)


def test_limits_of_each_channel_are_kept() -> None:
    low = np.linspace(-100, 100, X.size).astype(np.float32)
    edges: dict[str, AnyArray] = {"x": X}
    for layer in limited("x", "y", lambda purpose: f"y/{purpose}", low=low):
        edges |= dict(zip(layer.writes, apply(layer, edges), strict=True))
    np.testing.assert_allclose(edges["y"], np.maximum(X, low), rtol=1e-6)
