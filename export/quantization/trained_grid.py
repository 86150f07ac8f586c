"""The grid on which a weight is trained: the scales and the rounding of the integer schemes."""

from __future__ import annotations

from typing import Final

import numpy as np

from edgernn.export.quantization.grid import INT4_GRID, Grid, best_scales, clips
from edgernn.export.quantization.int8_weights import WEIGHT_MAX, column_scales
from edgernn.graph import FloatArray, WeightGrid

#: Scheme of a training -> the largest n of a weight.
LEVELS: Final = {"int8": WEIGHT_MAX, "int4": 7, "int3": 3, "ternary": 1}

#: The finest step: that of a column whose weights are smaller is coarser than they are.
_LEAST_STEP: Final = 2.0**-16

#: Ternary columns are clipped further down than those of more numbers.
_TERNARY_CLIPS: Final = tuple(share / 100 for share in range(100, 15, -5))


def trained_grid(weight: FloatArray, most: int, *, by_row: bool = False) -> WeightGrid:
    """The grid for a weight as it is now: [..., N] by columns, or a table [V, E] by rows.

    127 numbers on each side have the scale of int8, safe for sums of pairs; fewer have the clip of
    the least squared error.  It depends on the weight alone, so equal weights have equal grids.
    """
    matrix = weight.T if by_row else weight.reshape(-1, weight.shape[-1])
    if most == WEIGHT_MAX:
        steps = column_scales(matrix, pairs_safe=not by_row)
    else:
        grid = Grid(step=INT4_GRID.step, most=most)
        largest = column_scales(matrix, pairs_safe=False) * WEIGHT_MAX
        shares = {"shares": _TERNARY_CLIPS} if most == 1 else {}
        scales = best_scales(matrix, clips(largest, grid, **shares), grid, np.ones((1, 1)))
        steps = scales * grid.step
    return WeightGrid(
        step=np.maximum(steps, _LEAST_STEP).astype(np.float32), most=most, by_row=by_row
    )


def on_grid(weight: FloatArray, most: int, *, by_row: bool = False) -> FloatArray:
    """The weight, each number of it the nearest of its grid."""
    grid = trained_grid(weight, most, by_row=by_row)
    return grid.values(grid.numbers(weight))
