"""The integers that a weight may become: all from -127 to 127, or a few of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from edgernn.export.quantization.int8_weights import WEIGHT_MAX, Float64Array, to_int8
from edgernn.graph import AnyArray, WeightGrid

#: A nibble in the upper half of a byte: shifts and multipliers are those of int8.
_NIBBLE_STEP: Final = 16

#: Numbers of a nibble as bytes: half as large, so that each two of them are a safe pair.
_BYTE_STEP: Final = 8

#: Clipped at these shares of its largest weight, a column is tried.
CLIPS: Final = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4)


class Grid(NamedTuple):
    """step * n for whole n from -most to most, all within int8."""

    step: int
    most: int

    @property
    def end(self) -> int:
        return self.step * self.most

    @property
    def bits(self) -> int:
        """That a file stores for each weight."""
        return 4 if self.step == _NIBBLE_STEP else 8

    def nearest(self, matrix: AnyArray, scales: Float64Array) -> npt.NDArray[np.int8]:
        """Rounded to the nearest number of the grid, ties to even n.  scales: of the integers."""
        if self.step == 1:
            return to_int8(matrix, scales)
        units = np.where(scales > 0, scales, 1.0) * self.step
        numbers = np.clip(np.rint(matrix / units), -self.most, self.most)
        return np.asarray(numbers * self.step, dtype=np.int8)


INT8_GRID: Final = Grid(step=1, most=WEIGHT_MAX)

INT4_GRID: Final = Grid(step=_NIBBLE_STEP, most=7)


def clips(
    largest: Float64Array, grid: Grid, *, shares: Sequence[float] = CLIPS
) -> list[Float64Array]:
    """Scales for columns with these largest weights [N], from the coarsest on."""
    return [share * largest / grid.end for share in shares]


def best_scales(
    matrix: AnyArray, candidates: list[Float64Array], grid: Grid, importance: Float64Array
) -> Float64Array:
    """Of each column [N] the scale whose squared errors, times `importance` [K, N], are least."""
    best, least = candidates[0], np.full(matrix.shape[1], np.inf)
    for scales in candidates:
        error = grid.nearest(matrix, scales) * scales - matrix
        cost = (importance * error**2).sum(axis=0)
        best = np.where(cost < least, scales, best)
        least = np.minimum(cost, least)
    return np.asarray(best)


def grid_of(trained: WeightGrid, wanted: Grid) -> Grid | None:
    """How bytes of the scheme with the grid `wanted` hold the numbers of a training, if they can.

    >>> grid_of(WeightGrid(step=step, most=1), INT4_GRID)
    Grid(step=16, most=1)
    """
    if trained.most > wanted.most:
        return None
    if wanted is INT4_GRID:
        return Grid(step=_NIBBLE_STEP, most=trained.most)
    return wanted if trained.most == wanted.most else Grid(step=_BYTE_STEP, most=trained.most)
