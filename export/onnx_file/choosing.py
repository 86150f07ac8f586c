"""Comparisons of data, and what they choose: `x > 0.5`, `masked_fill`, `torch.where`."""

from __future__ import annotations

from math import inf
from typing import Final

import numpy as np
from onnx import TensorProto

from edgernn.export.onnx_file.builder import Builder
from edgernn.export.onnx_file.elementwise import (
    affine,
    aligned,
    combined,
    computed,
    with_constant,
)
from edgernn.export.onnx_file.node import Node
from edgernn.export.onnx_file.values import Array, Fill, Tensor, Value, same_axis
from edgernn.graph import Cast, Compare, CompareKind, DType, MergeKind, Where

_KINDS: Final = {
    "Greater": CompareKind.GREATER,
    "GreaterOrEqual": CompareKind.GREATER_EQUAL,
    "Less": CompareKind.LESS,
    "LessOrEqual": CompareKind.LESS_EQUAL,
}
_FLIPPED: Final = {
    CompareKind.GREATER: CompareKind.LESS,
    CompareKind.LESS: CompareKind.GREATER,
    CompareKind.GREATER_EQUAL: CompareKind.LESS_EQUAL,
    CompareKind.LESS_EQUAL: CompareKind.GREATER_EQUAL,
}
_FLOAT, _BOOL = TensorProto.FLOAT, TensorProto.BOOL
_INT32, _INT64 = TensorProto.INT32, TensorProto.INT64

#: float32 has each whole number below.
_EXACT: Final = 2**24


def compared(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """Greater, Less, Equal: of a value and a number, or of two values by their difference."""
    left, right = values
    x, number, is_flipped = _pair(builder, node, left, right)
    if node.kind == "Equal":
        ends = (CompareKind.GREATER_EQUAL, CompareKind.LESS_EQUAL)
        both = [_compared(builder, node, kind, x, number) for kind in ends]
        return [combined(builder, node, MergeKind.AND, *both)]
    kind = _KINDS[node.kind]
    return [_compared(builder, node, _FLIPPED[kind] if is_flipped else kind, x, number)]


def _pair(
    builder: Builder, node: Node, left: Value | None, right: Value | None
) -> tuple[Tensor, float, bool]:
    """A value of floats, the number that it is compared with, and whether that stands first."""
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        pair = [as_numbers(builder, node, one) for one in (left, right)]
        return combined(builder, node, MergeKind.SUBTRACT, *pair), 0.0, False
    x, other = (left, right) if isinstance(left, Tensor) else (right, left)
    number = _number(node, other)
    return as_numbers(builder, node, computed(node, x)), number, x is right


def _number(node: Node, value: Value | None) -> float:
    if isinstance(value, Fill):
        return value.value
    if not isinstance(value, np.ndarray) or value.size != 1:
        raise node.unsupported(
            "compares with several numbers, or with sizes", "Compare with one number, or two values"
        )
    number = float(value.reshape(-1)[0])
    if value.dtype.kind in "iu" and abs(number) > _EXACT:
        raise node.unsupported(
            f"compares with {number:.0f}, which float32 may not hold",
            f"Keep whole numbers below {_EXACT}",
        )
    return number


def _compared(builder: Builder, node: Node, kind: CompareKind, x: Tensor, number: float) -> Tensor:
    name = builder.unique(node.role)
    layer = Compare(name=name, input=x.edge, output=name, kind=kind, value=number)
    return Tensor(edge=builder.add(layer, node), axes=x.axes, view=x.view)


def as_numbers(builder: Builder, node: Node, x: Tensor) -> Tensor:
    """Tokens or a mask as float32; floats as they are."""
    if builder.dtype(x.edge) is DType.FLOAT32:
        return x
    name = builder.unique(f"{node.role}/numbers")
    edge = builder.add(Cast(name=name, input=x.edge, output=name), node)
    return Tensor(edge=edge, axes=x.axes, view=x.view)


def cast(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """A type that edgernn keeps anyway (tokens are int32, numbers float32), or of a mask."""
    x = computed(node, values[0])
    to, now = node.integer("to", 0), builder.dtype(x.edge)
    if (now is DType.INT32 and to in (_INT32, _INT64)) or (now is DType.FLOAT32 and to == _FLOAT):
        return [x]
    if now is DType.BOOL and to == _FLOAT:
        return [as_numbers(builder, node, x)]
    if to == _BOOL:
        return [_is_not_zero(builder, node, x)]
    raise node.unsupported(
        "casts between numbers and tokens, or to another precision",
        "Give tokens as integers and numbers as float32, and cast outside of the model",
    )


def _is_not_zero(builder: Builder, node: Node, x: Tensor) -> Tensor:
    """Numbers that are not 0; a mask as it is."""
    if builder.dtype(x.edge) is DType.BOOL:
        return x
    x = as_numbers(builder, node, x)
    both = [_compared(builder, node, kind, x, 0.0) for kind in (_KINDS["Greater"], _KINDS["Less"])]
    return combined(builder, node, MergeKind.OR, *both)


def negated(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """Not, of a mask."""
    x = as_numbers(builder, node, _mask(builder, node, values[0]))
    return [_compared(builder, node, CompareKind.LESS, x, 0.5)]


def together(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """And, Or: of two masks."""
    kind = MergeKind.AND if node.kind == "And" else MergeKind.OR
    left, right = (_mask(builder, node, value) for value in values)
    return [combined(builder, node, kind, left, right)]


def _mask(builder: Builder, node: Node, value: Value | None) -> Tensor:
    if isinstance(value, Tensor) and builder.dtype(value.edge) is DType.BOOL:
        return value
    raise node.unsupported(
        "takes a mask that is a constant", "Leave constant masks out, or multiply by them"
    )


def chosen(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """Where: one of two values, or a number, as a mask of data says."""
    condition, *choices = values
    mask = _mask(builder, node, condition)
    known = [one for one in choices if isinstance(one, Tensor)]
    if any(builder.dtype(one.edge) is not DType.FLOAT32 for one in known):
        raise node.unsupported("chooses among tokens or masks", "Choose among float32 numbers")
    if len(known) < len(choices):
        like = _finite(builder, node, mask, known)
        choices = [
            one if isinstance(one, Tensor) else _filled(builder, node, like, one) for one in choices
        ]
    then, otherwise = (computed(node, one) for one in choices)
    edges, axes, view = aligned(builder, node, [mask, then, otherwise])
    name = builder.unique(node.role)
    layer = Where(
        name=name, condition=edges[0], then=edges[1], otherwise=edges[2], output=name
    )  # fmt: skip
    return [Tensor(edge=builder.add(layer, node), axes=axes, view=view)]


def _finite(builder: Builder, node: Node, mask: Tensor, known: list[Tensor]) -> Tensor:
    """Zeros and ones in the shape of the value that is chosen, else of the mask.

    The value itself may be infinite or NaN just where it is not chosen: log(x) where x > 0.
    """
    axes = known[0].view if known else mask.view
    if len(axes) == len(mask.view) and all(map(same_axis, axes, mask.view)):
        return as_numbers(builder, node, mask)
    never = _compared(builder, node, CompareKind.LESS, known[0], -inf)
    return as_numbers(builder, node, never)


def _filled(builder: Builder, node: Node, like: Tensor, value: Value | None) -> Tensor:
    """The numbers of a constant, in the shape of `like`."""
    array: Array
    if isinstance(value, Fill):
        array = np.array(value.value, np.float32)
    elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
        array = value
    else:
        raise node.unsupported("chooses among sizes or whole numbers", "Choose among float32 ones")
    edge, axes, numbers = with_constant(builder, like, array, node)
    return affine(builder, node, edge, axes, like.view, np.zeros_like(numbers), numbers)
