"""Which integer a weight becomes: the nearest, or one that makes up for the errors of others.

Rounded to nearest, the errors of a column's weights add up by chance.  Compensated rounding takes
weight after weight: the error of one is made up for, as far as the inputs go together, by those
that are still to be rounded, and at last by the bias (the method is known as GPTQ, and for the bias
as bias correction).  What goes together is known from calibration: the mean products of the inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn.export.quantization.grid import INT8_GRID, Grid
from edgernn.export.quantization.int8_weights import PAIR_MAX, Float64Array
from edgernn.export.quantization.kept_roundings import kept, kept_root
from edgernn.graph import AnyArray, Conv1D, Conv2D, Dense, Gru, Moments, Recurrent
from edgernn.side_by_side import side_by_side

#: Added to the mean square of each input, in units of the mean of these: inputs that calibration
#: hardly saw must not make up for others.
_DAMPING: Final = 0.01

#: Rows whose errors reach the rows behind them in one product; and those behind them in a block.
_BLOCK: Final = 64
_INNER: Final = 16

#: Numbers of a matrix from which on its columns are rounded in two halves, side by side.
_LARGE: Final = 2**18


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Columns of a matrix [K, N] that see the same inputs, and R numbers that stay real with them.

    The R follow: rows of another matrix, which is rounded later.
    """

    columns: slice
    mean: AnyArray  # [K + R]
    covariance: AnyArray  # [K + R, K + R]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rounded:
    """Integers of a matrix, and what has to be added to the rows that follow and to the bias."""

    values: npt.NDArray[np.int8]  # [K, N]
    rest: Float64Array  # [R, N]
    bias: Float64Array  # [N]


def rounded(
    matrix: AnyArray,
    scales: Float64Array,
    parts: Sequence[Part],
    *,
    pairs_safe: bool,
    grid: Grid = INT8_GRID,
) -> Rounded:
    """The matrix [K, N] with a scale for each column [N]; to nearest where there are no `parts`.

    pairs_safe: rows 2k and 2k + 1 add up to at most 128, see int8_weights.
    """
    columns = matrix.shape[1]
    if not parts:
        values = grid.nearest(matrix, scales)
        return Rounded(values=values, rest=np.zeros((0, columns)), bias=np.zeros(columns))
    follow = max(len(part.mean) for part in parts) - len(matrix)
    values = np.zeros(matrix.shape, np.int8)
    rest, bias = np.zeros((follow, columns)), np.zeros(columns)
    for part in parts:
        at = part.columns
        one = kept(
            *(matrix[:, at], scales[at], part.mean, part.covariance, np.array(grid)),
            pairs_safe=pairs_safe,
            otherwise=partial(
                compensated, matrix[:, at], scales[at], part, pairs_safe=pairs_safe, grid=grid
            ),
        )
        values[:, at], rest[: len(one.rest), at], bias[at] = one.values, one.rest, one.bias
    return Rounded(values=values, rest=rest, bias=bias)


def compensated(
    matrix: AnyArray,  # [K, N]
    scales: Float64Array,  # [N]
    seen: Part,
    *,
    pairs_safe: bool,
    grid: Grid = INT8_GRID,
) -> Rounded:
    """int8 for which (values * scales - matrix) gives nearly the least mean square error."""
    root = kept_root(seen.covariance, partial(_inverse_root, seen.covariance))
    width = max(len(scales), 1) if matrix.size < _LARGE else ceil(len(scales) / 2)
    halves = side_by_side(
        [
            partial(
                _columns,
                matrix[:, start : start + width],
                scales[start : start + width],
                root,
                seen.mean,
                pairs_safe=pairs_safe,
                grid=grid,
            )
            for start in range(0, max(len(scales), 1), width)
        ]
    )
    return Rounded(
        values=np.concatenate([half.values for half in halves], axis=1),
        rest=np.concatenate([half.rest for half in halves], axis=1),
        bias=np.concatenate([half.bias for half in halves]),
    )


def _columns(
    matrix: AnyArray,  # [K, N]
    scales: Float64Array,  # [N]
    root: Float64Array,  # [K + R, K + R]
    mean: AnyArray,  # [K + R]
    *,
    pairs_safe: bool,
    grid: Grid,
) -> Rounded:
    """What some columns become: each for itself."""
    rows = len(matrix)
    units = np.where(scales > 0, scales, 1.0) * grid.step
    left = np.zeros((len(root), matrix.shape[1]))  # what each row should be by now
    left[:rows] = matrix
    values = np.zeros(matrix.shape)
    for start in range(0, rows, _BLOCK):
        end = min(start + _BLOCK, rows)
        errors = np.zeros((end - start, matrix.shape[1]))
        for inner in range(start, end, _INNER):
            last = min(inner + _INNER, end)
            for row in range(inner, last):
                least, most = -float(grid.most), float(grid.most)
                if pairs_safe and row % 2:
                    least = np.maximum(least, -PAIR_MAX - values[row - 1])
                    most = np.minimum(most, PAIR_MAX - values[row - 1])
                values[row] = np.clip(np.rint(left[row] / units), least, most)
                error = (left[row] - values[row] * units) / root[row, row]
                left[row + 1 : last] -= np.outer(root[row, row + 1 : last], error)
                errors[row - start] = error
            left[last:end] -= root[inner:last, last:end].T @ errors[inner - start : last - start]
        left[end:] -= root[start:end, end:].T @ errors
    rest = left[rows:]
    off = mean[:rows] @ (values * units - matrix) + mean[rows:] @ rest
    return Rounded(values=(values * grid.step).astype(np.int8), rest=rest, bias=-off)


def _inverse_root(covariance: AnyArray) -> Float64Array:
    """The upper triangular U with UᵀU = the inverse of the damped covariance."""
    variances = np.diagonal(covariance)
    # Of inputs that never change the bias makes up for all, and any number will do.
    damping = _DAMPING * float(variances.mean()) or 1.0
    damped = covariance + damping * np.eye(len(covariance))
    # With rows and columns in reverse, LLᵀ is WWᵀ of an upper triangular W, and U is its inverse.
    root = np.linalg.cholesky(damped[::-1, ::-1])[::-1, ::-1]
    return _inverse_of_upper(np.asarray(root, np.float64))


def _inverse_of_upper(matrix: Float64Array) -> Float64Array:
    """By halves: products take a third of the time of an inverse that knows of no triangle."""
    size = len(matrix)
    if size <= _BLOCK:
        return np.triu(np.linalg.inv(matrix))
    half = size // 2
    inverse = np.zeros_like(matrix)
    inverse[:half, :half] = upper = _inverse_of_upper(matrix[:half, :half])
    inverse[half:, half:] = lower = _inverse_of_upper(matrix[half:, half:])
    inverse[:half, half:] = -upper @ (matrix[:half, half:] @ lower)
    return inverse


def linear_parts(layer: Dense | Conv1D | Conv2D, seen: Moments | None) -> list[Part]:
    """Each group of a convolution sees channels of its own."""
    if seen is None:
        return []
    outer = layer.kernel.shape[-1] // len(seen.mean)
    return [
        Part(columns=slice(group * outer, (group + 1) * outer), mean=mean, covariance=covariance)
        for group, (mean, covariance) in enumerate(zip(seen.mean, seen.covariance, strict=True))
    ]


def input_parts(layer: Recurrent, seen: Moments | None, candidate: Moments | None) -> list[Part]:
    """Of the kernel; the recurrent kernel's rows follow where the two products are added up.

    candidate: for the candidate's columns of a Gru that resets before its product.
    """
    if seen is None:
        return []
    whole = slice(0, seen.mean.shape[1])
    if not isinstance(layer, Gru):
        return [_part(slice(None), seen, whole)]
    alone = slice(0, layer.kernel.shape[0])  # a reset gate is between the two
    return [
        _part(slice(0, 2 * layer.units), seen, whole),
        _part(slice(2 * layer.units, None), candidate or seen, whole if candidate else alone),
    ]


def state_parts(layer: Recurrent, seen: Moments | None, candidate: Moments | None) -> list[Part]:
    """Of the recurrent kernel."""
    if seen is None:
        return []
    state = slice(layer.kernel.shape[0], None)
    if not isinstance(layer, Gru):
        return [_part(slice(None), seen, state)]
    return [
        _part(slice(0, 2 * layer.units), seen, state),
        _part(slice(2 * layer.units, None), candidate or seen, state),
    ]


def _part(columns: slice, seen: Moments, rows: slice) -> Part:
    return Part(columns=columns, mean=seen.mean[0, rows], covariance=seen.covariance[0, rows, rows])
