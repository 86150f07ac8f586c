"""A matrix that was trained on a grid, in integers: none of its weights is rounded again."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn.export.quantization.grid import INT4_GRID, INT8_GRID, Grid, grid_of
from edgernn.export.quantization.int8_weights import PAIR_MAX, Float64Array, pair_sums
from edgernn.export.quantization.integer_matrix import (
    BIAS_END,
    INT32_END,
    MOST_SHIFT,
    NARROW,
    Q411_PER_ONE,
    WIDE,
    FittedMatrix,
    NoIntegerForm,
    holding,
    with_room,
)
from edgernn.export.quantization.rounding import Rounded
from edgernn.graph import FloatArray, Reading, WeightGrid

#: Bits of a number -> what rounds to them.
_GRIDS: Final = {4: INT4_GRID, 8: INT8_GRID}


def byte_scales(trained: WeightGrid | None, grid: Grid) -> Float64Array | None:
    """What 1 in a byte stands for in each column; None where `grid` has too few numbers."""
    held = None if trained is None else grid_of(trained, grid)
    if trained is None or held is None:
        return None
    return trained.step.astype(np.float64) / held.step


def trained_matrix(
    matrix: FloatArray,
    bias: Float64Array,
    reading: Reading,
    trained: WeightGrid,
    *,
    seen: Float64Array | None,
    grid: Grid,
) -> FittedMatrix | None:
    """As FittedMatrix.make, with the numbers and steps of the training.

    Pre-activations beyond what Q4.11 holds at these steps (8 to 16) saturate.  None where the
    scheme's grid has fewer numbers.  Raises NoIntegerForm where the arithmetic lacks these steps.
    """
    held = grid_of(trained, grid)
    if held is None:
        return None
    numbers = trained.numbers(matrix)
    scales = trained.step.astype(np.float64) / held.step
    if reading.bits == WIDE and not reading.from_state:
        reading = with_room(reading, matrix, bias, scales)
    scales = _with_any_of_zeros(scales, np.asarray(numbers.any(axis=0)), bias, reading, seen)
    gain = reading.scale * scales * Q411_PER_ONE
    if seen is not None and ((gain >= 1).any() or (gain < 2.0**-MOST_SHIFT).any()):
        raise NoIntegerForm("the steps of its training are beyond 16-bit pre-activations")
    values = (numbers * held.step).astype(np.int8)
    fitted = FittedMatrix(
        reading=reading,
        scales=scales,
        weights=values,
        bias=np.rint(bias / (reading.scale * scales)),
        made=Rounded(values=values, rest=np.zeros((0, len(bias))), bias=np.zeros(len(bias))),
        grid=held,
    )
    if (fitted.largest_sums() > INT32_END).any():
        raise NoIntegerForm("its sums are too large for the steps of its training")
    pairs = np.abs(pair_sums(values.astype(np.int32)))
    if held.bits == NARROW and reading.bits == NARROW and (pairs > PAIR_MAX).any():
        raise NoIntegerForm("two of its weights are too large for 16-bit sums")
    return fitted


def _with_any_of_zeros(
    scales: Float64Array,
    is_used: npt.NDArray[np.bool_],
    bias: Float64Array,
    reading: Reading,
    seen: Float64Array | None,
) -> Float64Array:
    """A column of zeros holds its bias at any scale: one that is fine enough for it."""
    free = np.maximum(np.abs(bias) / (reading.scale * BIAS_END), 2.0**-MOST_SHIFT)
    if seen is not None:
        free = holding(np.maximum(seen, np.abs(bias)), free, reading.scale)
    stored = np.where(is_used, scales, free).astype(np.float32)
    return stored.astype(np.float64)
