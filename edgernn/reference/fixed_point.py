"""The operations of docs/integer-arithmetic.md, sections 3 to 5, on int32 arrays.

The names and the order of operations are the document's.  Values that have 16 bits there have
16 bits here, too; the wider type only prevents numpy from wrapping silently.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgernn.graph import FloatArray, Product, Reading

IntArray: TypeAlias = npt.NDArray[np.int32]

#: Receives where numbers were clamped ("input", "product", "cell"), how many, and of how many.
CountClamped: TypeAlias = Callable[[str, int, int], None]

#: A matrix product with its requantization: integers [..., K] -> [..., N].
OnIntegers: TypeAlias = Callable[[IntArray], IntArray]

INT16_MAX: Final = 32767
INT16_MIN: Final = -32768

#: The value of one unit of a gate, a candidate or h.
Q15_UNIT: Final = np.float32(2.0**-15)

# Segment by segment: the value, its slope and its curvature there.
_C0: Final = np.array(
    [
        *(0, 8023, 15142, 20814, 24958, 27798, 29661, 30848),
        *(31593, 32331, 32606, 32708, 32746, 32760, 32765, 32767),
    ],
    np.int32,
)
_C1: Final = np.array(
    [16526, 15509, 12909, 9729, 6811, 4537, 2914, 1833, 2177, 812, 307, 115, 43, 11, 5, 0],
    np.int32,
)
_C2: Final = np.array(
    [-928, -2528, -3136, -2896, -2272, -1632, -1088, -704, -1424, -528, -208, -80, -32, 0, 0, 0],
    np.int32,
)

_EVERY_INT16: Final = np.arange(INT16_MIN, INT16_MAX + 1, dtype=np.int32)

#: |v| beyond which T(v) is constant.
TANH_END: Final = 24575


def sat16(a: IntArray) -> IntArray:
    return np.asarray(np.clip(a, INT16_MIN, INT16_MAX))


def adds(a: IntArray, b: IntArray | int) -> IntArray:
    return sat16(a + b)


def mulr(a: IntArray, b: IntArray | int) -> IntArray:
    return np.asarray((a * b + 0x4000) >> 15, dtype=np.int32)


def narrow(h: IntArray, bits: int) -> IntArray:
    """The argument of a recurrent product."""
    return h if bits == 16 else np.asarray(adds(h, 128) >> 8, dtype=np.int32)


def table_tanh(v: IntArray) -> IntArray:
    """T(v): tanh(v / 4096) in Q15."""
    u = np.minimum(np.abs(v), TANH_END)
    w = u + np.minimum(u, 8192)
    s = w >> 11
    d = (w & 2047) << 3
    y = _C0[s] + mulr(d, _C1[s] + mulr(d, _C2[s]))
    return np.asarray(np.where(v < 0, -y, y), dtype=np.int32)


def tanh(p: IntArray) -> IntArray:
    """Q4.11 -> Q15."""
    return _every_tanh()[p + 32768]


def sigmoid(p: IntArray) -> IntArray:
    """Q4.11 -> Q15, 0 to 32767."""
    return _every_sigmoid()[p + 32768]


# One look-up in a table of all 65536 arguments instead of twenty array operations.
@cache
def _every_tanh() -> IntArray:
    return table_tanh(adds(_EVERY_INT16, _EVERY_INT16))


@cache
def _every_sigmoid() -> IntArray:
    return np.asarray((table_tanh(_EVERY_INT16) >> 1) + 16384, dtype=np.int32)


def hard_sigmoid(p: IntArray, alpha: float) -> IntArray:
    """clip(alpha x + 0.5, 0, 1): Q4.11 -> Q15, 0 to 32767."""
    limit = int(np.floor(1024 / alpha + 0.5))
    slope = int(np.rint(131072 * alpha))
    opened = mulr(4 * np.clip(p, -limit, limit), slope) + 16384
    return np.asarray(np.clip(opened, 0, INT16_MAX))


def read_floats(x: FloatArray, reciprocal: float | FloatArray, limit: int) -> IntArray:
    """rne(clamp(x * reciprocal)); NaN is 0."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = x * np.float32(reciprocal)
    finite = np.where(np.isnan(scaled), np.float32(0), scaled)
    clamped = np.clip(finite, np.float32(-limit), np.float32(limit))
    return np.asarray(np.rint(clamped), dtype=np.int32)


def read(reading: Reading, x: FloatArray, count: CountClamped | None = None) -> IntArray:
    """A layer's input as integers."""
    if reading.from_state:
        return narrow(np.rint(x * np.float32(32768)).astype(np.int32), reading.bits)
    if count is not None:
        end = np.float32((reading.limit + 0.5) * reading.scale)
        count("input", int((np.abs(x) > end).sum()), x.size)
    return read_floats(x, reading.reciprocal, reading.limit)


#: Below this, every whole number is a float32.
_SINGLE_END: Final = 2**24

#: 16 bits are two bytes.
_PLANE_BITS: Final = 8
_PLANE: Final = 2**_PLANE_BITS

_INT32_END: Final = 2**31


def summing(weights: npt.NDArray[np.int8], bias: npt.NDArray[np.int32]) -> OnIntegers:
    """bias + q weights, exact, as a function of q [..., K] -> [..., N].

    That function raises OverflowError if a sum does not fit into int32.
    """
    # BLAS multiplies floats a hundred times faster than numpy does integers, and a float sum of
    # integers is exact, in any order, as long as no partial sum passes 2^24 (2^53).
    single = weights.astype(np.float32)
    largest_bias = float(np.abs(bias).max(initial=0))
    largest_column = float(np.abs(single).sum(axis=0, dtype=np.float64).max(initial=0.0))

    @cache
    def double() -> npt.NDArray[np.float64]:
        return weights.astype(np.float64)

    def products(q: IntArray, largest: float) -> npt.NDArray[np.float32 | np.float64 | np.int32]:
        if largest * largest_column < _SINGLE_END:
            return np.asarray(q.astype(np.float32) @ single)
        if largest < _PLANE**2 // 2 and largest_column * _PLANE < _SINGLE_END:
            # Two planes of bytes: half the memory traffic of float64, which is what takes the time.
            high = (q + _PLANE // 2) >> _PLANE_BITS
            planes = np.stack([high, q - _PLANE * high]).astype(np.float32)
            both = planes.reshape(-1, len(single)) @ single
            upper, lower = both.reshape(*planes.shape[:-1], -1)
            if largest * largest_column < _INT32_END:
                return np.asarray((upper.astype(np.int32) << _PLANE_BITS) + lower.astype(np.int32))
            return np.asarray(upper.astype(np.float64) * _PLANE + lower)
        return np.asarray(q.astype(np.float64) @ double())

    def sums(q: IntArray) -> IntArray:
        largest = float(np.abs(q).max(initial=0))
        exact = products(q, largest)
        if largest * largest_column + largest_bias < _INT32_END:
            return np.asarray(exact.astype(np.int32, copy=False) + bias)
        total = exact.astype(np.float64) + bias
        if np.abs(total).max(initial=0.0) >= _INT32_END:
            raise OverflowError("a sum of products does not fit into int32")
        return total.astype(np.int32)

    return sums


def requantizer(product: Product, count: CountClamped | None = None) -> OnIntegers:
    """The integer product as a function of q [..., K] -> Q4.11 [..., N]."""
    sums = summing(product.weights, product.bias)
    shift = product.shift.astype(np.int32)
    multiplier = product.multiplier.astype(np.int32)

    def requantize(q: IntArray) -> IntArray:
        shifted = sums(q) >> shift
        if count is not None:
            clamped = (shifted > INT16_MAX) | (shifted < INT16_MIN)
            count("product", int(clamped.sum()), shifted.size)
        return mulr(sat16(shifted), multiplier)

    return requantize
