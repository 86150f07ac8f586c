"""Whole numbers that Keras computes with as integers, where the graph has float32.

Both give the same where no result leaves Keras' type (`uint8 * 100` wraps at 256) and none is so
large that float32 rounds it.  So the bounds of such edges are known, from the types of inputs on,
and what may leave them is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgernn.graph import RELU, Activate, Layer, MergeKind, Where, moved_edges

if TYPE_CHECKING:
    from edgernn.errors import UnsupportedLayer
    from edgernn.export.keras.call import Call
    from edgernn.export.keras.config import LayerConfig

#: Whole numbers up to this magnitude are exact in float32.
EXACT: Final = 2**24

#: So many may be added to an int32: then only the last of its numbers wrap, and the sum is as
#: exact as float32 has the number itself.
_ADDED_TO_WIDE: Final = 2**23

_INTEGERS: Final = re.compile(r"u?int(8|16|32|64)")

REMEDY: Final = 'Cast to floats before it: keras.ops.cast(x, "float32")'


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What an edge holds in Keras: numbers of an integer type, from `low` to `high`."""

    dtype: str
    low: int
    high: int

    @property
    def is_wide(self) -> bool:
        """Whether its numbers may be any of 32 bits or more: no bound is known."""
        return self.high - self.low >= 2**32 - 1

    def holds(self, other: Whole) -> bool:
        """Whether its type has all numbers of `other`; int64 counts as int32, as inputs do."""
        return (self.low <= other.low and other.high <= self.high) or (
            self.is_wide and other.is_wide
        )

    @property
    def is_exact(self) -> bool:
        return self.low >= -EXACT and self.high <= EXACT


def of_type(dtype: str) -> Whole | None:
    """All numbers of an integer type; None for another type.

    >>> of_type("uint8")
    Whole(dtype='uint8', low=0, high=255)
    """
    if not _INTEGERS.fullmatch(dtype):
        return None
    info = np.iinfo(dtype)
    return Whole(dtype=dtype, low=int(info.min), high=int(info.max))


def behind(layer: Layer, of: Mapping[str, Whole]) -> Whole | None:
    """What a layer that moves or selects numbers writes; `of` are edges that are known."""
    sources = moved_edges(layer)
    if isinstance(layer, Where):
        sources = (layer.then, layer.otherwise)
    elif isinstance(layer, Activate) and layer.activation == RELU:
        sources = (layer.input,)
    known = [of[edge] for edge in sources if edge in of]
    return _together(known) if known and len(known) == len(sources) else None


def _together(known: Sequence[Whole]) -> Whole:
    return Whole(
        dtype=_common(known),
        low=min(0, *(one.low for one in known)),  # some layers add zeros
        high=max(0, *(one.high for one in known)),
    )


def _common(known: Sequence[Whole]) -> str:
    types = [np.dtype(one.dtype) for one in known if one.dtype]
    return str(np.result_type(*types)) if types else "int32"


def constant_of(value: Any) -> Whole | None:
    """A whole number, or an array of them, of a model's config; it takes the type beside it."""
    if type(value) is int:
        return Whole(dtype="", low=value, high=value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "iu" and value.size:
        return Whole(dtype=str(value.dtype), low=int(value.min()), high=int(value.max()))
    return None


def checked(call: Call, kind: MergeKind, operands: Sequence[Whole | None]) -> Whole | None:
    """The result of an operation in integers; None where one operand is not, as Keras casts all.

    Raises UnsupportedLayer where Keras' result may wrap, or be another than that of float32.
    """
    known = [one for one in operands if one is not None]
    if len(known) < len(operands) or kind in (MergeKind.AND, MergeKind.OR, MergeKind.AVERAGE):
        return None
    result = known[0]
    dtype = _common(known)
    for other in known[1:]:
        low, high = _bounds(kind, result, other)
        if kind in (MergeKind.ADD, MergeKind.SUBTRACT) and _is_little_beside(result, other):
            low, high = result.low, result.high
        result = Whole(dtype=dtype, low=low, high=high)
    return _within(call, result, exact=kind not in (MergeKind.MAXIMUM, MergeKind.MINIMUM))


def summed(call: Call, of: Whole | None, count: int) -> Whole | None:
    """The sum of `count` numbers.  Keras 3 sums small ones in 32 bits, tf.keras in their own."""
    if of is None:
        return None
    dtype = of.dtype
    if call.keras.major >= 3 and np.dtype(dtype).itemsize < 4:
        dtype = "uint32" if np.dtype(dtype).kind == "u" else "int32"
    low, high = min(0, of.low * count), max(0, of.high * count)
    return _within(call, Whole(dtype=dtype, low=low, high=high), exact=True)


def negated(call: Call, of: Whole | None) -> Whole | None:
    if of is None or (of.is_wide and np.dtype(of.dtype).kind == "i"):
        return of
    return _within(call, Whole(dtype=of.dtype, low=-of.high, high=-of.low), exact=True)


def magnitude(call: Call, of: Whole | None) -> Whole | None:
    if of is None or of.low >= 0:
        return of
    return negated(call, of)


def clipped(call: Call, of: Whole | None, low: float, high: float) -> Whole | None:
    if of is None:
        return None
    if low != int(low) or high != int(high):
        raise refusal(call.layer, "clips whole numbers to others")
    return Whole(dtype=of.dtype, low=max(of.low, int(low)), high=min(of.high, int(high)))


def refusal(layer: LayerConfig, what: str) -> UnsupportedLayer:
    """The error for what Keras does in integers, and no graph layer does."""
    return layer.unsupported(f"{what}, which Keras does in integers", REMEDY)


def _bounds(kind: MergeKind, one: Whole, other: Whole) -> tuple[int, int]:
    match kind:
        case MergeKind.ADD:
            return one.low + other.low, one.high + other.high
        case MergeKind.SUBTRACT:
            return one.low - other.high, one.high - other.low
        case MergeKind.MAXIMUM:
            return max(one.low, other.low), max(one.high, other.high)
        case MergeKind.MINIMUM:
            return min(one.low, other.low), min(one.high, other.high)
        case _:
            ends = [a * b for a in (one.low, one.high) for b in (other.low, other.high)]
            return min(ends), max(ends)


def _is_little_beside(one: Whole, other: Whole) -> bool:
    return one.is_wide and other.low >= -_ADDED_TO_WIDE and other.high <= _ADDED_TO_WIDE


def _within(call: Call, result: Whole, *, exact: bool) -> Whole:
    most = of_type(result.dtype)
    if most is not None and (result.low < most.low or result.high > most.high):
        raise call.layer.unsupported(
            f"computes in {result.dtype}, where results from {result.low} to {result.high} wrap",
            REMEDY,
        )
    if exact and not result.is_wide and not result.is_exact:
        raise call.layer.unsupported(
            f"computes in {result.dtype} with results up to {max(-result.low, result.high)}, "
            f"beyond the whole numbers of float32",
            REMEDY,
        )
    return result
