"""The grid on which a weight is trained: the scales and the rounding of the integer schemes."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn.export.quantization.grid import CLIPS, INT4_GRID, Grid, best_scales, clips
from edgernn.export.quantization.int8_weights import WEIGHT_MAX, Float64Array, column_scales
from edgernn.graph import FloatArray, WeightGrid

#: Of int3, a column has 8 numbers: from -4 to 3, or from -3 to 4.
THREE_BITS: Final = 4

#: Scheme of a training -> the largest n of a weight.
LEVELS: Final = {"int8": WEIGHT_MAX, "int4": 7, "int3": THREE_BITS, "ternary": 1}

#: The finest step: that of a column whose weights are smaller is coarser than they are.
_LEAST_STEP: Final = 2.0**-16

#: Times the squared error of the grid of now, or of even rounding by its step if that is more, that
#: a kept grid may have.
_FAR: Final = 4

#: Ternary columns are clipped further down than those of more numbers.
_TERNARY_CLIPS: Final = tuple(share / 100 for share in range(100, 15, -5))


def trained_grid(weight: FloatArray, most: int, *, by_row: bool = False) -> WeightGrid:
    """The grid for a weight as it is now: [..., N] by columns, or a table [V, E] by rows.

    127 numbers on each side have the scale of int8, safe for sums of pairs; fewer have the clip of
    the least squared error.  It depends on the weight alone, so equal weights have equal grids.
    `THREE_BITS`: 8 numbers for each column, one more on the side where that is more exact.
    """
    matrix = weight.T if by_row else weight.reshape(-1, weight.shape[-1])
    least = None
    if most == WEIGHT_MAX:
        steps = column_scales(matrix, pairs_safe=not by_row)
    elif most == THREE_BITS:
        steps, least = _of_three_bits(matrix)
    else:
        grid = Grid(step=INT4_GRID.step, most=most)
        largest = column_scales(matrix, pairs_safe=False) * WEIGHT_MAX
        shares = {"shares": _TERNARY_CLIPS} if most == 1 else {}
        scales = best_scales(matrix, clips(largest, grid, **shares), grid, np.ones((1, 1)))
        steps = scales * grid.step
    step = np.maximum(steps, _LEAST_STEP).astype(np.float32)
    return WeightGrid(step=step, most=most, by_row=by_row, least=least)


def kept_grid(kept: WeightGrid, weight: FloatArray) -> WeightGrid:
    """A grid of three bits for a weight as it is now: that of before, column by column.

    But the grid of now where that has less than a quarter of the squared error: of columns that
    were zeros, and of weights that were loaded since.  That few weights happen to lie on the grid
    of now is no reason.
    """
    now = trained_grid(weight, kept.most)
    matrix = weight.reshape(-1, weight.shape[-1])
    errors = [
        np.square(one.values(one.numbers(matrix)) - matrix).sum(axis=0) for one in (kept, now)
    ]
    even = len(matrix) * np.square(now.step) / 12  # errors between -1/2 and 1/2 of a step
    is_far = errors[0] > _FAR * np.maximum(errors[1], even)
    if kept.least is None or now.least is None:
        return now
    return WeightGrid(
        step=np.where(is_far, now.step, kept.step),
        most=kept.most,
        least=np.where(is_far, now.least, kept.least),
    )


def _of_three_bits(matrix: FloatArray) -> tuple[Float64Array, npt.NDArray[np.int8]]:
    """Steps and least numbers of columns [N], of the least squared error."""
    ends = column_scales(matrix, pairs_safe=False) * WEIGHT_MAX
    columns = matrix.shape[1]
    best = np.zeros(columns)
    side = np.full(columns, -THREE_BITS, np.int8)
    error = np.full(columns, np.inf)
    for least in (-THREE_BITS, 1 - THREE_BITS):
        for share in CLIPS:
            steps = np.maximum(share * ends / (THREE_BITS - 1), _LEAST_STEP)
            numbers = np.clip(np.rint(matrix / steps), least, least + 2 * THREE_BITS - 1)
            made = np.square(numbers * steps - matrix).sum(axis=0)
            better = made < error
            best, side = np.where(better, steps, best), np.where(better, np.int8(least), side)
            error = np.minimum(made, error)
    return best, side
