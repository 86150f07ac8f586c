"""Scales and zero points of TFLite's int8 tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from edgernn.export.tflite.builder import Quantization
from edgernn.graph import FloatArray, Range

_STEPS: Final = 255  # from -128 to 127

#: The results of LOGISTIC and SOFTMAX in int8, fixed by TFLite's specification.
PROBABILITY: Final = Quantization.per_tensor(1 / 256, -128)

#: The results of TANH in int8, fixed by the specification; h is stored like this, too.
STATE: Final = Quantization.per_tensor(1 / 128)

#: The results of LOGISTIC and TANH in int16, and their arguments (Q3.12).
WIDE_UNIT: Final = Quantization.per_tensor(2.0**-15)
WIDE_PRE_ACTIVATION: Final = Quantization.per_tensor(2.0**-12)

#: Beyond these values a sigmoid and a tanh are constant in 8 bits.
SIGMOID_END: Final = 8.0
TANH_END: Final = 4.0

#: Parts of a pre-activation that lie beyond, cancel each other or saturate.
PART_END: Final = 16.0


def covering(low: float, high: float) -> Quantization:
    """int8 from low to high, zero among the values (TFLite's padding and bias need it)."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / _STEPS or 1 / _STEPS
    zero_point = int(np.clip(round(-128 - low / scale), -128, 127))
    return Quantization.per_tensor(scale, zero_point)


def gated(quantization: Quantization) -> Quantization:
    """For the product of int8 gates and a tensor, in almost the tensor's own units.

    In exactly its units the result is (gate + 128) · x / 256, often halfway between two integers.
    XNNPACK then rounds to even on x86 and up on ARM, so that states would differ.  In units that
    are larger by 1/1024 no result is halfway, since 1025 (2n + 1) / 8 is no integer.
    """
    (scale,) = quantization.scale
    return Quantization.per_tensor(float(scale) * (1 + 2.0**-10), quantization.zero_point)


def symmetric16(low: float, high: float) -> Quantization:
    """int16 over ±max(|low|, |high|); its zero point must be 0."""
    return Quantization.per_tensor(max(abs(low), abs(high)) / 32767 or 1 / 32767)


def interval(
    cell: Mapping[str, Range],
    quantities: Iterable[tuple[str, float, FloatArray | None]],
    *,
    end: float,
) -> tuple[float, float]:
    """The interval of several quantities of a cell, cut at ±end.

    Each has a name, a sign or factor, and an offset that is added to each channel before.
    Without calibration of this cell the interval is ±end.
    """
    low, high = 0.0, 0.0
    for name, factor, shift in quantities:
        if name not in cell:
            return -end, end
        added = 0.0 if shift is None else shift
        ends = [
            factor * float((cell[name].channel_low + added).min()),
            factor * float((cell[name].channel_high + added).max()),
        ]
        low, high = min(low, *ends), max(high, *ends)
    return max(low, -end), min(high, end)
