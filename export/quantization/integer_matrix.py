"""A matrix and its bias in integers, with scales that the arithmetic can represent.

The rules are those of docs/integer-arithmetic.md, section 9, computed in float64.  The results are
integers and float32 numbers, which all formats store unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn.export.quantization.grid import INT8_GRID, Grid, best_scales, clips
from edgernn.export.quantization.int8_weights import (
    PAIR_MAX,
    Float64Array,
    column_scales,
    pair_sums,
)
from edgernn.export.quantization.rounding import Part, Rounded, rounded
from edgernn.graph import Accumulation, FloatArray, Product, Reading

NARROW: Final = 8
WIDE: Final = 16
INT8_MAX: Final = 127
INT16_MAX: Final = 32767

#: The scale of h in 8 bits.
STATE_UNIT: Final = 2.0**-7

#: Margins beyond the values in calibration.
MARGIN: Final = 1.25
_WIDE_HEADROOM: Final = 2.0  # a 16-bit input has a bit to spare for outliers
_SLACK: Final = 1.001  # over the rounding of weights

Q411_PER_ONE: Final = 2048
_Q411_END: Final = 15.99

MOST_SHIFT: Final = 24
INT32_END: Final = 2**31 - 2**24  # the rest is for the rounding constant of the shift
BIAS_END: Final = 2.0**29


class NoIntegerForm(Exception):
    """This layer cannot be computed in integers, for the reason in the text.  Internal."""


def state_reading(bits: int) -> Reading:
    """For edges that hold h / 32768."""
    unit = STATE_UNIT if bits == NARROW else 2.0**-15
    limit = INT8_MAX if bits == NARROW else INT16_MAX
    return Reading(bits=bits, scale=unit, reciprocal=1 / unit, limit=limit, from_state=True)


def float_reading(scale: float, *, bits: int, limit: int) -> Reading:
    stored = np.float32(scale)
    return Reading(
        bits=bits,
        scale=float(stored),
        reciprocal=float(np.float32(1.0 / float(stored))),
        limit=limit,
    )


def wide_reading(magnitude: float) -> Reading:
    """16 bits for numbers up to `magnitude` in calibration."""
    scale = _WIDE_HEADROOM * (magnitude or 1.0) / INT16_MAX
    return float_reading(scale, bits=16, limit=INT16_MAX)


def fits_eight_bits(
    matrix: FloatArray,
    scale: float,
    grid: Grid = INT8_GRID,
    *,
    trained: Float64Array | None = None,
) -> bool:
    """Whether 8-bit inputs of this scale leave the products of the matrix within Q4.11.

    trained: scales that the matrix must have.
    """
    scales = column_scales(matrix, pairs_safe=grid is INT8_GRID) * (INT8_MAX / grid.end)
    if trained is not None:
        scales = trained
    gain = scale * scales * Q411_PER_ONE
    return bool((gain < 1).all())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedMatrix:
    """A matrix and its bias in integers whose sums fit into int32."""

    reading: Reading
    scales: Float64Array  # [N], float32 numbers
    weights: npt.NDArray[np.int8]  # [K, N]
    bias: Float64Array  # [N], whole numbers
    made: Rounded
    grid: Grid = INT8_GRID

    @classmethod
    def make(
        cls,
        matrix: FloatArray,
        bias: Float64Array,
        reading: Reading,
        *,
        seen: Float64Array | None,  # [N] magnitudes that Q4.11 has to hold; None: no Q4.11 follows
        parts: Sequence[Part] = (),  # for compensated rounding
        grid: Grid = INT8_GRID,
    ) -> FittedMatrix:
        if grid is INT8_GRID:
            scales = column_scales(matrix, pairs_safe=reading.bits == NARROW)
        else:
            scales = _clipped(matrix, bias, reading, seen, parts, grid)
        # Before the range is divided: a column of tiny weights beside its bias would use all of it.
        scales = np.maximum(scales, np.abs(bias) / (reading.scale * BIAS_END))
        if reading.bits == WIDE and not reading.from_state:
            reading = with_room(reading, np.clip(matrix, *_ends(scales, grid)), bias, scales)
        if seen is not None:
            scales = holding(seen, scales, reading.scale)
        scales = _float32(np.where(scales > 0, scales, 1.0))
        fitted = cls._rounded(matrix, bias, reading, scales, parts, grid)
        excess = fitted.largest_sums() / INT32_END
        if (excess > 1).any():
            wider = _float32(scales * np.maximum(excess * _SLACK, 1.0))
            fitted = cls._rounded(matrix, bias, reading, wider, parts, grid)
        return fitted

    @classmethod
    def _rounded(
        cls,
        matrix: FloatArray,
        bias: Float64Array,
        reading: Reading,
        scales: Float64Array,
        parts: Sequence[Part],
        grid: Grid,
    ) -> FittedMatrix:
        pairs_safe = reading.bits == NARROW and grid is INT8_GRID
        made = rounded(matrix, scales, parts, pairs_safe=pairs_safe, grid=grid)
        return cls(
            reading=reading,
            scales=scales,
            weights=made.values,
            bias=np.rint((bias + made.bias) / (reading.scale * scales)),
            made=made,
            grid=grid,
        )

    def largest_sums(self) -> Float64Array:
        return np.asarray(
            _column_sums(self.weights) * _largest_integer(self.reading) + abs(self.bias)
        )

    @property
    def pairs_safe(self) -> bool:
        return bool((np.abs(pair_sums(self.weights.astype(np.int32))) <= PAIR_MAX).all())

    def product(self, signs: Float64Array) -> Product:
        """With the columns where `signs` is -1 negated."""
        shift, fraction = _shift_and_fraction(self.reading.scale * self.scales * Q411_PER_ONE)
        rounding = np.where(shift > 0, np.ldexp(0.5, shift), 0.0)
        return Product(
            weights=(self.weights * signs).astype(np.int8),
            bias=(self.bias * signs + rounding).astype(np.int32),
            shift=shift.astype(np.uint8),
            multiplier=np.clip(np.rint(fraction * 32768), 16384, INT16_MAX).astype(np.int16),
            pairs_safe=self.pairs_safe,
            bits=self.grid.bits,
        )

    def accumulation(self) -> Accumulation:
        return Accumulation(
            weights=self.weights,
            bias=self.bias.astype(np.int32),
            output_scale=(self.reading.scale * self.scales).astype(np.float32),
            pairs_safe=self.pairs_safe,
            bits=self.grid.bits,
        )


def _clipped(
    matrix: FloatArray,
    bias: Float64Array,
    reading: Reading,
    seen: Float64Array | None,
    parts: Sequence[Part],
    grid: Grid,
) -> Float64Array:
    """The scale of each column with the least error, of those that the arithmetic can represent."""
    least = np.abs(bias) / (reading.scale * BIAS_END)
    candidates = []
    for scales in clips(column_scales(matrix, pairs_safe=False) * INT8_MAX, grid):
        held = np.maximum(scales, least)
        if seen is not None:
            held = holding(seen, held, reading.scale)
        candidates.append(_float32(np.where(held > 0, held, 1.0)))
    importance = np.ones(matrix.shape)
    for part in parts:
        variances = np.diagonal(part.covariance)[: len(matrix)]
        importance[:, part.columns] = (variances + 0.01 * variances.mean())[:, None]
    return best_scales(matrix, candidates, grid, importance)


def _ends(scales: Float64Array, grid: Grid) -> tuple[Float64Array, Float64Array]:
    """What a column holds; int8 holds all of it."""
    if grid is INT8_GRID:
        return np.full(scales.shape, -np.inf), np.full(scales.shape, np.inf)
    return -grid.end * scales, grid.end * scales


def with_room(
    reading: Reading, matrix: FloatArray, bias: Float64Array, scales: Float64Array
) -> Reading:
    """The same interval in fewer steps, where the sums of a long column would overflow."""
    units = np.where(scales > 0, scales, 1.0)
    interval = reading.scale * reading.limit
    columns = np.abs(matrix.astype(np.float64)).sum(axis=0) / units + matrix.shape[0] / 2
    per_step = columns + np.abs(bias) / (interval * units)
    limit = min(reading.limit, int(INT32_END / max(per_step.max(initial=0.0), 1.0)))
    return float_reading(interval / limit, bits=WIDE, limit=limit)


def holding(seen: Float64Array, scales: Float64Array, input_scale: float) -> Float64Array:
    """Scales for which the requantized sum holds 1.25 * seen: at most twice as coarse."""
    per_unit = input_scale * Q411_PER_ONE
    scales = np.maximum(scales, 2.0**-MOST_SHIFT / per_unit)
    if (scales * per_unit >= 1).any():
        raise NoIntegerForm("its input and weights are too large for 16-bit pre-activations")
    # The clamp to int16 before the multiplication leaves 16 * fraction, that is ±8 to ±16.
    _, fraction = _shift_and_fraction(scales * per_unit)
    needed = np.minimum(MARGIN * seen, _Q411_END) / 16
    return np.asarray(scales * np.maximum(needed / fraction, 1.0))


def _shift_and_fraction(gain: Float64Array) -> tuple[npt.NDArray[np.int32], Float64Array]:
    """gain = fraction * 2^-shift with fraction in [1/2, 1)."""
    fraction, exponent = np.frexp(gain)
    if (exponent > 0).any():
        raise NoIntegerForm("its input and weights are too large for 16-bit pre-activations")
    return -exponent, fraction


def _column_sums(weights: npt.NDArray[np.int8]) -> Float64Array:
    return np.asarray(np.abs(weights.astype(np.float64)).sum(axis=0))


def _largest_integer(reading: Reading) -> int:
    return reading.limit + 1 if reading.from_state and reading.bits == NARROW else reading.limit


def _float32(values: Float64Array) -> Float64Array:
    return values.astype(np.float32).astype(np.float64)
