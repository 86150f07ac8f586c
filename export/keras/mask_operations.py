"""The operations with which Keras 3 computes masks, and their intermediate values.

A recorded mask may be NotEqual and Any, or for Concatenate: ExpandDims, ZerosLike, LogicalOr,
Concatenate, Any.  The values in between are kept symbolic, and become edges where a layer reads
the mask: most are never read.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from edgernn.export.keras.call import Call, Tensor
from edgernn.export.keras.choice_operations import not_equal, tensor_and_number
from edgernn.export.keras.masks import (
    always,
    combined,
    feature_mask,
    joined,
    number_mask,
    token_mask,
)
from edgernn.export.keras.symbolic import (
    AllValid,
    Joined,
    Spread,
    Translate,
    Unequal,
    Unknown,
    Value,
    constant,
    two_arguments,
    unknown,
)
from edgernn.graph import Affine, DType, MergeKind, Reshape


def as_mask(call: Call, value: Any) -> str | None:
    """The edge of a recorded mask.  Raises UnsupportedLayer if it cannot be computed."""
    match value:
        case None | AllValid():
            return None
        case Tensor() if call.builder.dtype(value.edge) is DType.BOOL:
            return value.edge
        case Unequal(edge=edge, value=number) if call.builder.rank(edge) == 2:
            # Only an Embedding turns an input into tokens; it runs before the readers of its mask.
            if call.builder.dtype(edge) is DType.FLOAT32:
                return number_mask(call, edge, number)
            if not float(number).is_integer():
                return None  # a token is never a fraction: every step is valid
            return token_mask(call, edge, int(number))
        case _:
            raise call.layer.unsupported(
                "is given a mask that edgernn cannot compute"
                + (f" (operation {value.operation})" if isinstance(value, Unknown) else ""),
                "Create the mask with Embedding(mask_zero=True) or Masking",
            )


def as_tensor(call: Call, value: Any) -> Any:
    """A symbolic mask, or ones or zeros, as the tensor that an operation on numbers takes.

    Other values stay as they are.

    Raises UnsupportedLayer where float32 has other numbers than Keras.
    """
    match value:
        case Unequal(edge=edge, value=number):
            if call.builder.rank(edge) == 2 and (mask := as_mask(call, value)) is not None:
                return Tensor(edge=mask)
            return Tensor(edge=not_equal(call, edge, number))
        case Spread(mask=Tensor() | Unequal() as mask):
            narrow, name = as_tensor(call, mask).edge, call.aside("spread")
            sizes = [-1 if size is None else size for size in call.builder.shape(narrow)[1:]]
            if sizes.count(-1) > 1:
                return value
            call.add(Reshape(name=name, input=narrow, output=name, target=(*sizes, 1)))
            return Tensor(edge=name)
        case Spread(mask=None, like=Tensor(edge=edge)) if (
            call.builder.dtype(edge) is not DType.BOOL
        ):
            name, zero = call.aside("number"), np.zeros(1, np.float32)
            offset = zero + value.everywhere
            call.add(Affine(name=name, input=edge, output=name, scale=zero, offset=offset))
            return Tensor(edge=name)
        case _:
            return value


def _unequal(call: Call, args: list[Any], _: dict[str, Any]) -> Value:
    left, right = two_arguments(call, args)
    value = constant(right)
    if isinstance(left, Tensor) and value is not None and value.size == 1:
        return Unequal(edge=left.edge, value=float(value[0]))
    if not all(isinstance(one, Tensor) or constant(one) is not None for one in args):
        return unknown(call)
    pair = tensor_and_number(call, args)
    return unknown(call) if pair is None else Tensor(edge=not_equal(call, *pair))


def _like(everywhere: bool) -> Translate:
    def translate(_call: Call, args: list[Any], _: dict[str, Any]) -> Value:
        like = args[0] if args and isinstance(args[0], Tensor) else None
        return Spread(mask=None, everywhere=everywhere, like=like)

    return translate


def _logical(kind: MergeKind) -> Translate:
    def translate(call: Call, args: list[Any], _: dict[str, Any]) -> Value:
        left, right = two_arguments(call, args)
        match left, right:
            case Spread(), Spread(mask=None, everywhere=False) if kind is MergeKind.OR:
                return left
            case (AllValid(), _) | (_, AllValid()):
                every, other = (left, right) if isinstance(left, AllValid) else (right, left)
                if isinstance(other, AllValid | Tensor | Unequal):
                    return every if kind is MergeKind.OR else other
                return unknown(call)
            case ((Tensor() | Unequal()), (Tensor() | Unequal())):
                masks = [as_mask(call, left), as_mask(call, right)]
                return Tensor(edge=combined(call, kind, [mask for mask in masks if mask]))
            case _:
                return unknown(call)

    return translate


def _unspread(call: Call, part: Spread) -> str | None:
    if part.mask is None and part.everywhere and part.like is not None:
        return always(call, part.like.edge)
    return as_mask(call, part.mask)


def _reduced(kind: MergeKind) -> Translate:
    """Any or All over the last axis."""

    def translate(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
        axis = options.get("axis")
        axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
        unclear = unknown(call)
        if options.get("keepdims"):
            return unclear
        match args[0]:
            case Unequal(edge=edge, value=value) if kind is MergeKind.OR:
                if axis not in (-1, call.builder.rank(edge) - 1) or call.builder.rank(edge) != 3:
                    return unclear
                return Tensor(edge=feature_mask(call, edge, value))
            case Joined(parts=parts, axis=joined_axis) if axis in (-1, 2):
                along_features = joined_axis in (-1, 2)
                everywhere = [part for part in parts if part.everywhere]
                if along_features and kind is MergeKind.OR and everywhere:
                    return AllValid(like=everywhere[0].like)
                known = [_unspread(call, part) for part in parts]
                masks = [mask for mask in known if mask is not None]
                if len(masks) != len(parts):
                    return unclear
                if along_features:
                    return Tensor(edge=combined(call, kind, masks))
                return Tensor(edge=joined(call, masks)) if joined_axis == 1 else unclear
            case _:
                return unclear

    return translate


MASK_OPERATIONS: Final[dict[str, Translate]] = {
    "NotEqual": _unequal,
    "Any": _reduced(MergeKind.OR),
    "All": _reduced(MergeKind.AND),
    "LogicalOr": _logical(MergeKind.OR),
    "LogicalAnd": _logical(MergeKind.AND),
    "ZerosLike": _like(everywhere=False),
    "OnesLike": _like(everywhere=True),
}
