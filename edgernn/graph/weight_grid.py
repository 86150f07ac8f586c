"""The numbers that weights were trained to hold: export stores these and rounds nothing again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgernn.graph.tensor import AnyArray, FloatArray, QTensor, Weight


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightGrid:
    """step * n for whole n from -most to most, with a step for each channel.

    With `least`, a channel has one number less, on the side that `least` says.
    Channels are the last axis of a weight [..., N], or the rows of a table [V, E].

    >>> grid = WeightGrid(step=np.float32([0.5, 0.1]), most=7)
    >>> grid.numbers(np.float32([[1.0, -0.1]]))
    array([[ 2, -1]], dtype=int8)
    """

    step: FloatArray  # [N], or [V]
    most: int  # 127, 7, 4 or 1; 3 in older files
    by_row: bool = False
    #: [N] or [V]: of channels with 2 * most numbers the least n, -most or 1 - most.
    least: npt.NDArray[np.int8] | None = None

    def numbers(self, weight: FloatArray) -> npt.NDArray[np.int8]:
        """The n of each weight, in its shape."""
        found = np.rint(weight / self._unit(weight.ndim))
        if self.least is None:
            return np.asarray(np.clip(found, -self.most, self.most), np.int8)
        least = self._of_channels(self.least, weight.ndim)
        return np.asarray(np.clip(found, least, least + 2 * self.most - 1), np.int8)

    def values(self, numbers: npt.NDArray[np.int8]) -> FloatArray:
        """The weights of these n."""
        return np.asarray(numbers * self._unit(numbers.ndim), np.float32)

    def holds(self, weight: FloatArray) -> bool:
        """Whether all weights are numbers of the grid, to the last bit."""
        channels = weight.shape[0 if self.by_row else -1] if weight.ndim else None
        if self.step.shape != (channels,):
            return False
        with np.errstate(over="ignore"):  # steps of a damaged file
            return np.array_equal(self.values(self.numbers(weight)), weight)

    def _unit(self, rank: int) -> npt.NDArray[np.float64]:
        return self._of_channels(self.step, rank)

    def _of_channels(self, numbers: AnyArray, rank: int) -> npt.NDArray[np.float64]:
        wide = numbers.astype(np.float64)
        return wide.reshape(-1, *[1] * (rank - 1)) if self.by_row else wide


def content_key(weight: Weight) -> str:
    """Finds the grid of an array in `Graph.grids`: layers that change an array have no grid."""
    if isinstance(weight, QTensor):
        return ""
    shape = repr(weight.shape).encode()  # zeros have equal bytes in every shape
    return hashlib.sha256(shape + np.ascontiguousarray(weight, np.float32).tobytes()).hexdigest()
