"""A distribution of unbounded values in a fixed number of bins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_never

from edgernn.graph import CalibrationMethod, FloatArray

_BINS: Final = 4096  # even: doubling the span merges neighbours, zero stays a bin's border

#: The share of values that PERCENTILE leaves out at each end.
TAIL: Final = 1e-4

# A symmetric 8-bit integer has this many steps from end to end.
_STEPS: Final = 254


@dataclass(slots=True)
class Histogram:
    """Counts over [-span, span]; the span doubles whenever a value lies beyond it."""

    span: float = 0.0
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS, np.int64))

    def add(self, values: FloatArray) -> None:
        largest = float(np.abs(values).max(initial=0.0))
        if self.span == 0.0:
            self.span = largest or 1.0
        while largest > self.span:
            self._double()
        found, _ = np.histogram(values, bins=_BINS, range=(-self.span, self.span))
        self.counts += found

    def interval(self, method: CalibrationMethod) -> tuple[float, float]:
        """(low, high) by the method; wider than the values by at most one bin."""
        match method:
            case CalibrationMethod.MINMAX:
                return -self.span, self.span
            case CalibrationMethod.PERCENTILE:
                return self._percentile()
            case CalibrationMethod.MSE:
                threshold = self._least_squares()
                return -threshold, threshold
            case _:
                assert_never(method)

    def _double(self) -> None:
        merged = self.counts.reshape(-1, 2).sum(axis=1)
        self.counts = np.zeros(_BINS, np.int64)
        self.counts[_BINS // 4 : 3 * _BINS // 4] = merged
        self.span *= 2

    def _percentile(self) -> tuple[float, float]:
        share = np.cumsum(self.counts) / self.counts.sum()
        edges = np.linspace(-self.span, self.span, _BINS + 1)
        first = int(np.searchsorted(share, TAIL, side="right"))
        last = int(np.searchsorted(share, 1 - TAIL, side="left"))
        return float(edges[first]), float(edges[last + 1])

    def _least_squares(self) -> float:
        """The t for which [-t, t] in 8 bits has the least squared error: clipping + rounding."""
        folded = self.counts[_BINS // 2 :] + self.counts[: _BINS // 2][::-1]
        width = self.span / folded.size
        centres = (np.arange(folded.size) + 0.5) * width
        thresholds = np.arange(1, folded.size + 1) * width
        # Sums over all values beyond each threshold, from the far end inwards.
        beyond = _sums_after(folded)
        first = _sums_after(folded * centres)
        second = _sums_after(folded * centres**2)
        clipping = second - 2 * thresholds * first + thresholds**2 * beyond
        rounding = (folded.sum() - beyond) * (2 * thresholds / _STEPS) ** 2 / 12
        return float(thresholds[int(np.argmin(clipping + rounding))])


def _sums_after(values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """For each index, the sum of all that comes after it."""
    totals = np.cumsum(values[::-1].astype(np.float64))[::-1]
    return np.append(totals[1:], 0.0)
