"""Which integer a weight becomes: the nearest, or one that makes up for the errors of others.

Rounded to nearest, the errors of a column's weights add up by chance.  Compensated rounding takes
weight after weight: the error of one is made up for, as far as the inputs go together, by those
that are still to be rounded, and at last by the bias (the method is known as GPTQ, and for the bias
as bias correction).  What goes together is known from calibration: the mean products of the inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn.export.quantization.int8_weights import PAIR_MAX, WEIGHT_MAX, Float64Array, to_int8
from edgernn.graph import AnyArray, Conv1D, Conv2D, Dense, Gru, Moments, Recurrent

#: Added to the mean square of each input, in units of the mean of these: inputs that calibration
#: hardly saw must not make up for others.
_DAMPING: Final = 0.01

#: Rows whose errors reach the rows behind them in one product.
_BLOCK: Final = 64


class Rounding(str, Enum):
    """How weights become integers."""

    COMPENSATED = "compensated"
    NEAREST = "nearest"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rounded:
    """Integers of a matrix, and what has to be added to the numbers that follow its rows."""

    values: npt.NDArray[np.int8]  # [K, N]
    rest: Float64Array  # [R, N]: further rows, and at last the bias


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Columns of a matrix that see the same inputs: the products of these and of what follows."""

    columns: slice
    products: AnyArray  # [K + R, K + R]


def rounded(
    matrix: AnyArray, scales: Float64Array, parts: Sequence[Part], *, pairs_safe: bool
) -> Rounded:
    """The matrix [K, N] with a scale for each column; to nearest without `parts`.

    A part with fewer numbers behind its rows than another one has zeros for them, the bias apart.
    """
    if not parts:
        return Rounded(values=to_int8(matrix, scales), rest=np.zeros((1, matrix.shape[1])))
    follow = max(len(part.products) for part in parts) - len(matrix)
    values = np.zeros(matrix.shape, np.int8)
    rest = np.zeros((follow, matrix.shape[1]))
    for part in parts:
        at = part.columns
        one = compensated(matrix[:, at], scales[at], part.products, pairs_safe=pairs_safe)
        values[:, at] = one.values
        rest[: len(one.rest) - 1, at], rest[-1, at] = one.rest[:-1], one.rest[-1]
    return Rounded(values=values, rest=rest)


def linear_parts(layer: Dense | Conv1D | Conv2D, moments: Moments | None) -> list[Part]:
    """Each group of a convolution sees channels of its own."""
    if moments is None:
        return []
    outer = layer.kernel.shape[-1] // len(moments.products)
    return [
        Part(columns=slice(group * outer, (group + 1) * outer), products=products)
        for group, products in enumerate(moments.products)
    ]


def input_parts(layer: Recurrent, moments: Moments | None) -> list[Part]:
    """Of the kernel; the recurrent kernel's rows follow where the two are added up."""
    if moments is None:
        return []
    (whole,) = moments.products
    if not isinstance(layer, Gru):
        return [Part(columns=slice(None), products=whole)]
    alone = np.r_[: layer.kernel.shape[0], -1]  # a reset gate multiplies what h adds
    of_candidate = moments.of_candidate
    return _gates_and_candidate(
        layer, whole, whole[np.ix_(alone, alone)] if of_candidate is None else of_candidate
    )


def state_parts(layer: Recurrent, moments: Moments | None) -> list[Part]:
    """Of the recurrent kernel."""
    if moments is None:
        return []
    first = layer.kernel.shape[0]
    whole = moments.products[0, first:, first:]
    if not isinstance(layer, Gru):
        return [Part(columns=slice(None), products=whole)]
    of_candidate = moments.of_candidate
    return _gates_and_candidate(
        layer, whole, whole if of_candidate is None else of_candidate[first:, first:]
    )


def _gates_and_candidate(layer: Gru, gates: AnyArray, candidate: AnyArray) -> list[Part]:
    return [
        Part(columns=slice(0, 2 * layer.units), products=gates),
        Part(columns=slice(2 * layer.units, None), products=candidate),
    ]


def compensated(
    matrix: AnyArray,  # [K, N]
    scales: Float64Array,  # [N]
    products: AnyArray,  # [K + R, K + R]
    *,
    pairs_safe: bool,
) -> Rounded:
    """int8 for which (values * scales - matrix) gives the least mean square error, nearly.

    products: mean products of the inputs of the K rows and of R numbers that stay real, the last
    of which is 1.  pairs_safe: rows 2k and 2k + 1 add up to at most 128, see int8_weights.
    """
    rows = len(matrix)
    units = np.where(scales > 0, scales, 1.0)
    inverse = _inverse_root(products)
    left = np.zeros((len(inverse), matrix.shape[1]))  # what remains of each row to be rounded
    left[:rows] = matrix
    values = np.zeros(matrix.shape)
    for start in range(0, rows, _BLOCK):
        end = min(start + _BLOCK, rows)
        errors = np.zeros((end - start, matrix.shape[1]))
        for row in range(start, end):
            most = np.full(matrix.shape[1], float(WEIGHT_MAX))
            least = -most
            if pairs_safe and row % 2:
                most = np.minimum(most, PAIR_MAX - values[row - 1])
                least = np.maximum(least, -PAIR_MAX - values[row - 1])
            values[row] = np.clip(np.rint(left[row] / units), least, most)
            error = (left[row] - values[row] * units) / inverse[row, row]
            left[row + 1 : end] -= np.outer(inverse[row, row + 1 : end], error)
            errors[row - start] = error
        left[end:] -= inverse[start:end, end:].T @ errors
    return Rounded(values=values.astype(np.int8), rest=left[rows:])


def _inverse_root(products: AnyArray) -> Float64Array:
    """The upper triangular U with UᵀU = the inverse of the damped products."""
    damped = products.astype(np.float64)
    squares = np.diagonal(damped)[:-1]
    # Where nothing but zeros was seen, the weights do not matter and need some number here.
    added = _DAMPING * squares.mean() or 1.0
    damped[np.arange(len(squares)), np.arange(len(squares))] += added
    damped[-1, -1] *= 1 + 1e-6
    upper = np.linalg.cholesky(np.linalg.inv(damped)).T
    return np.asarray(upper)
