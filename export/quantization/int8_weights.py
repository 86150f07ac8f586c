"""Weights as int8: one symmetric scale a column, chosen so that later arithmetic is safe."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgernn.graph import FloatArray, QTensor

Float64Array: TypeAlias = npt.NDArray[np.float64]

#: int8 weights lie in ±127: -128 has no counterpart.
WEIGHT_MAX: Final = 127

#: |w[2k] + w[2k+1]| up to this keeps a pair of products with unsigned bytes inside int16.
PAIR_MAX: Final = 128

_BLOCK_ROWS: Final = 512


def column_scales(matrix: npt.NDArray[np.floating[Any]], *, pairs_safe: bool) -> Float64Array:
    """The finest scale of each column of [K, N] that int8 can carry; 0 for a column of zeros.

    With pairs_safe, sums of neighbours 2k and 2k+1 stay within 127 units before rounding.  Each of
    the two is rounded by at most a half, so the rounded pair stays within 128.
    """
    largest = _largest(matrix)
    if pairs_safe:
        largest = np.maximum(largest, _largest(pair_sums(matrix)))
    return np.asarray(largest / WEIGHT_MAX)


def pair_sums(matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """[K, N] -> [ceil(K / 2), N]: rows 2k and 2k+1 added; a missing last row counts as zeros."""
    padded = np.pad(matrix, ((0, matrix.shape[0] % 2), (0, 0)))
    return np.asarray(padded[0::2] + padded[1::2])


def to_int8(matrix: npt.NDArray[np.floating[Any]], scales: Float64Array) -> npt.NDArray[np.int8]:
    """Rounded to nearest, ties to even, clamped to ±127."""
    units = np.where(scales > 0, scales, 1.0)
    result = np.empty(matrix.shape, np.int8)
    for start in range(0, len(matrix), _BLOCK_ROWS):  # float64 copies of a part, not of the whole
        rows = slice(start, start + _BLOCK_ROWS)
        rounded = np.rint(matrix[rows] / units)
        result[rows] = np.clip(rounded, -WEIGHT_MAX, WEIGHT_MAX)
    return result


def _largest(matrix: npt.NDArray[np.floating[Any]]) -> Float64Array:
    """max |.| of each column."""
    low, high = matrix.min(axis=0, initial=0.0), matrix.max(axis=0, initial=0.0)
    return np.asarray(np.maximum(-low, high), dtype=np.float64)


def per_column(weight: FloatArray) -> QTensor:
    """int8 with the finest scale for each index of the last axis: scheme dynamic."""
    matrix = weight.reshape(-1, weight.shape[-1])
    scales = column_scales(matrix, pairs_safe=False)
    return as_qtensor(weight, to_int8(matrix, scales), scales)


def per_row(table: FloatArray) -> QTensor:
    """int8 with the finest scale for each row of an embedding [V, E]: rows differ in size."""
    scales = column_scales(table.T, pairs_safe=False)
    stored = np.where(scales > 0, scales, 1.0).astype(np.float32)
    values = to_int8(table.T, stored.astype(np.float64)).T
    return QTensor(values=np.ascontiguousarray(values), scale=stored, axis=0)


def as_qtensor(
    weight: FloatArray, matrix: npt.NDArray[np.int8], scales: Float64Array, bits: int = 8
) -> QTensor:
    """The int8 matrix [K, N] in the weight's own shape [..., N]."""
    stored = np.where(scales > 0, scales, 1.0).astype(np.float32)
    return QTensor(
        values=matrix.reshape(weight.shape), scale=stored, axis=weight.ndim - 1, bits=bits
    )
