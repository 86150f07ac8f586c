"""The operations with which Keras 3 computes masks, and what they give before they are masks.

A recorded mask may be NotEqual and Any, or for Concatenate: ExpandDims, ZerosLike, LogicalOr,
Concatenate, Any.  The values in between are kept symbolic, and become edges where a layer reads
the mask: most are never read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from edgernn.export.keras.call import Call, Tensor
from edgernn.export.keras.masks import combined, feature_mask, joined, token_mask
from edgernn.graph import DType, MergeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Unequal:
    """input != value, element by element: a mask, or half of one."""

    edge: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A mask repeated along a new last axis; mask None: `everywhere`, at each element."""

    mask: Tensor | Unequal | None
    everywhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Spread masks joined along `axis`, before the last axis is reduced away."""

    parts: tuple[Spread, ...]
    axis: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The result of an operation without a translation."""

    operation: str
    layer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AllValid:
    """A mask that holds everywhere."""


Value: TypeAlias = Tensor | Unequal | Spread | Joined | Unknown | AllValid


def as_mask(call: Call, value: Any) -> str | None:
    """The edge of a recorded mask.  Raises UnsupportedLayer where it cannot be computed."""
    match value:
        case None | AllValid():
            return None
        case Tensor() if call.builder.dtype(value.edge) is DType.BOOL:
            return value.edge
        case Unequal() if call.builder.rank(value.edge) == 2 and float(value.value).is_integer():
            return token_mask(call, value.edge, int(value.value))
        case _:
            raise call.layer.unsupported(
                "is given a mask that edgernn cannot compute"
                + (f" (operation {value.operation})" if isinstance(value, Unknown) else ""),
                "Let Embedding(mask_zero=True) or Masking make the mask",
            )


def constant(value: Any) -> Any:
    """A number or array as float32 [1 or more axes]; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.ndarray):
        return None
    array = np.atleast_1d(np.asarray(value, np.float32))
    return array if np.isfinite(array).all() else None


def two_arguments(call: Call, args: list[Any]) -> tuple[Any, Any]:
    if len(args) != 2:
        raise call.layer.damaged(f"has {len(args)} arguments instead of two")
    return args[0], args[1]


def _unequal(call: Call, args: list[Any], _: dict[str, Any]) -> Value:
    left, right = two_arguments(call, args)
    value = constant(right)
    if not isinstance(left, Tensor) or value is None or value.size != 1:
        return Unknown(operation="NotEqual", layer=call.layer.name)
    return Unequal(edge=left.edge, value=float(value[0]))


def spread(call: Call, value: Any, axis: Any) -> Value | None:
    """ExpandDims of a mask; None where `value` is no mask."""
    is_mask = isinstance(value, Unequal) or (
        isinstance(value, Tensor) and call.builder.dtype(value.edge) is DType.BOOL
    )
    if not is_mask:
        return None
    last = axis in (-1, call.builder.rank(value.edge))
    return Spread(mask=value) if last else Unknown(operation="ExpandDims", layer=call.layer.name)


def _like(everywhere: bool) -> _Translate:
    def translate(_call: Call, _args: list[Any], _: dict[str, Any]) -> Value:
        return Spread(mask=None, everywhere=everywhere)

    return translate


def _logical(kind: MergeKind) -> _Translate:
    def translate(call: Call, args: list[Any], _: dict[str, Any]) -> Value:
        left, right = two_arguments(call, args)
        match left, right:
            case Spread(), Spread(mask=None, everywhere=False) if kind is MergeKind.OR:
                return left
            case ((Tensor() | Unequal()), (Tensor() | Unequal())):
                masks = [as_mask(call, left), as_mask(call, right)]
                return Tensor(edge=combined(call, kind, [mask for mask in masks if mask]))
            case _:
                return Unknown(operation=call.layer.kind, layer=call.layer.name)

    return translate


def _reduced(kind: MergeKind) -> _Translate:
    """Any or All over the last axis."""

    def translate(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
        axis = options.get("axis")
        axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
        unknown = Unknown(operation=call.layer.kind, layer=call.layer.name)
        if options.get("keepdims"):
            return unknown
        match args[0]:
            case Unequal(edge=edge, value=value) if kind is MergeKind.OR:
                if axis not in (-1, call.builder.rank(edge) - 1) or call.builder.rank(edge) != 3:
                    return unknown
                return Tensor(edge=feature_mask(call, edge, value))
            case Joined(parts=parts, axis=joined_axis) if axis in (-1, 2):
                along_features = joined_axis in (-1, 2)
                if along_features and kind is MergeKind.OR and any(p.everywhere for p in parts):
                    return AllValid()
                known = [as_mask(call, part.mask) for part in parts]
                masks = [mask for mask in known if mask is not None]
                if len(masks) != len(parts):
                    return unknown
                if along_features:
                    return Tensor(edge=combined(call, kind, masks))
                return Tensor(edge=joined(call, masks)) if joined_axis == 1 else unknown
            case _:
                return unknown

    return translate


_Translate: TypeAlias = Callable[[Call, list[Any], dict[str, Any]], Value]

MASK_OPERATIONS: Final[dict[str, _Translate]] = {
    "NotEqual": _unequal,
    "Any": _reduced(MergeKind.OR),
    "All": _reduced(MergeKind.AND),
    "LogicalOr": _logical(MergeKind.OR),
    "LogicalAnd": _logical(MergeKind.AND),
    "ZerosLike": _like(everywhere=False),
    "OnesLike": _like(everywhere=True),
}
