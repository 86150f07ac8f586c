"""Layers that keep numbers within limits: `clip`, and the maximum or minimum with a constant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from edgernn.graph import (
    RELU,
    Activate,
    Activation,
    ActivationKind,
    Affine,
    FloatArray,
    Layer,
    Merge,
    MergeKind,
)

#: x - limit is as exact as x where the limit is near 0.  Beside 1e9, float32 has nothing of x left.
_NEAR: Final = 16.0

#: Limits beyond this are those of float32 itself.
_NO_LIMIT: Final = float(np.finfo(np.float32).max) * 0.99


def limited(
    edge: str,
    output: str,
    name_of: Callable[[str], str],
    *,
    low: FloatArray | None = None,
    high: FloatArray | None = None,
) -> list[Layer]:
    """Layers that write max(x, low), min(x, high), or both, to `output`; none without a limit.

    low, high: numbers [1], or arrays that broadcast to x.  name_of: a new name for a purpose.

    >>> [type(layer).__name__ for layer in limited("x", "y", str, low=np.zeros(1, np.float32))]
    ['Affine', 'Activate', 'Affine']
    """
    low = None if low is None or is_no_high(-low) else low
    high = None if high is None or is_no_high(high) else high
    if low is not None and high is not None:
        if _is_near(low) and low.size == high.size == 1:
            span = Activation(kind=ActivationKind.RELU, max_value=float(high[0] - low[0]))
            return _rectified(edge, output, name_of, low, 1.0, span)
        inside = name_of("above")
        return [
            *limited(edge, inside, name_of, low=low),
            *limited(inside, output, name_of, high=high),
        ]
    if low is not None:
        return _one_sided(edge, output, name_of, low, MergeKind.MAXIMUM)
    if high is not None:
        return _one_sided(edge, output, name_of, high, MergeKind.MINIMUM)
    return []


def is_no_high(limit: FloatArray) -> bool:
    """Whether no float32 is above it, but for infinity."""
    return bool((limit >= _NO_LIMIT).all())


def _is_near(limit: FloatArray) -> bool:
    return bool((np.abs(limit) <= _NEAR).all())


def _one_sided(
    edge: str, output: str, name_of: Callable[[str], str], limit: FloatArray, kind: MergeKind
) -> list[Layer]:
    if _is_near(limit):
        sign = 1.0 if kind is MergeKind.MAXIMUM else -1.0
        return _rectified(edge, output, name_of, limit, sign, RELU)
    number, zero = name_of("limit"), np.zeros(1, np.float32)
    return [
        Affine(name=number, input=edge, output=number, scale=zero, offset=limit),
        Merge(name=output, inputs=(edge, number), output=output, kind=kind),
    ]


def _rectified(
    edge: str,
    output: str,
    name_of: Callable[[str], str],
    limit: FloatArray,
    sign: float,
    relu: Activation,
) -> list[Layer]:
    """limit + sign * relu(sign * (x - limit)), where a relu may have an upper end."""
    factor, beyond, kept = np.array([sign], np.float32), name_of("beyond"), name_of("kept")
    return [
        Affine(name=beyond, input=edge, output=beyond, scale=factor, offset=-factor * limit),
        Activate(name=kept, input=beyond, output=kept, activation=relu),
        Affine(name=output, input=kept, output=output, scale=factor, offset=limit),
    ]
