"""Comparisons, and what they choose: `x > 0.5`, `x != 0`, `logical_not`, `keras.ops.where`."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, Final

import numpy as np

from edgernn.export.keras.call import Call, Tensor
from edgernn.export.keras.masks import combined
from edgernn.export.keras.symbolic import (
    Translate,
    Value,
    constant,
    tensor_of,
    two_arguments,
    unknown,
)
from edgernn.export.keras.whole_numbers import EXACT, Whole, constant_of, refusal
from edgernn.graph import Affine, Compare, CompareKind, DType, Merge, MergeKind, Where

_ONE: Final = np.ones(1, np.float32)

_FLIPPED: Final = {
    CompareKind.GREATER: CompareKind.LESS,
    CompareKind.LESS: CompareKind.GREATER,
    CompareKind.GREATER_EQUAL: CompareKind.LESS_EQUAL,
    CompareKind.LESS_EQUAL: CompareKind.GREATER_EQUAL,
}


def _compare(kind: CompareKind) -> Translate:
    """A tensor with a number, or the difference of two tensors with 0."""

    def translate(call: Call, args: list[Any], _: dict[str, Any]) -> Value:
        pair = tensor_and_number(call, args)
        if pair is None:
            return unknown(call)
        edge, value = pair
        if call.builder.dtype(edge) is DType.BOOL:
            return unknown(call, f"{call.layer.kind} of masks")
        used = kind if constant(args[0]) is None else _FLIPPED[kind]
        return Tensor(edge=_compared(call, used, edge, value, call.name))

    return translate


def tensor_and_number(call: Call, args: list[Any]) -> tuple[str, float] | None:
    """The edge of a tensor and the number that it is compared with, in whichever order.

    Raises UnsupportedLayer where float32 has other numbers than Keras.
    """
    left, right = two_arguments(call, args)
    match constant(left), constant(right):
        case (None, None):
            pair = tensor_of(call, left).edge, tensor_of(call, right).edge
            if DType.BOOL in map(call.builder.dtype, pair):
                return None
            _require_exact(call, [call.builder.wholes.get(edge) for edge in pair])
            name = call.aside("difference")
            call.add(Merge(name=name, inputs=pair, output=name, kind=MergeKind.SUBTRACT))
            return name, 0.0
        case (None, array) if array.size == 1:
            edge, value = tensor_of(call, left).edge, float(array[0])
        case (array, None) if array.size == 1:
            edge, value = tensor_of(call, right).edge, float(array[0])
        case _:
            return None
    if abs(value) >= EXACT:  # smaller ones are on the same side of a rounded number
        _require_exact(call, [call.builder.wholes.get(edge)])
    return edge, value


def _compared(call: Call, kind: CompareKind, edge: str, value: float, name: str) -> str:
    call.add(Compare(name=name, input=edge, output=name, kind=kind, value=value))
    return name


def _equal(call: Call, args: list[Any], _: dict[str, Any]) -> Value:
    pair = tensor_and_number(call, args)
    if pair is None or call.builder.dtype(pair[0]) is DType.BOOL:
        return unknown(call)
    return Tensor(edge=_both(call, *pair, CompareKind.GREATER_EQUAL, CompareKind.LESS_EQUAL))


def not_equal(call: Call, edge: str, value: float) -> str:
    """The numbers of an edge of any rank that are not `value`."""
    if abs(value) >= EXACT:
        _require_exact(call, [call.builder.wholes.get(edge)])
    return _both(call, edge, value, CompareKind.GREATER, CompareKind.LESS, MergeKind.OR)


def _both(
    call: Call,
    edge: str,
    value: float,
    first: CompareKind,
    second: CompareKind,
    kind: MergeKind = MergeKind.AND,
) -> str:
    pair = [_compared(call, each, edge, value, call.aside(each.value)) for each in (first, second)]
    return combined(call, kind, pair)


def _logical_not(call: Call, args: list[Any], _: dict[str, Any]) -> Value:
    edge = tensor_of(call, args[0]).edge
    if call.builder.dtype(edge) is not DType.BOOL:
        return unknown(call, "LogicalNot of numbers")
    numbers = call.builder.as_numbers(edge, call.layer)
    return Tensor(edge=_compared(call, CompareKind.LESS, numbers, 0.5, call.name))


def _require_exact(call: Call, wholes: Sequence[Whole | None]) -> None:
    """Refuses whole numbers that float32 may round, unless Keras makes floats of them too."""
    known = [whole for whole in wholes if whole is not None]
    if len(known) == len(wholes) and not all(whole.is_exact for whole in known):
        raise refusal(call.layer, f"compares whole numbers beyond {EXACT}")


def _where(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    if len(args) == 2 and "x" in options:  # tf.where, which names them x and y
        args = [args[0], options["x"], args[1]]
    if len(args) != 3 or not isinstance(args[0], Tensor):
        return unknown(call)
    condition = args[0].edge
    if call.builder.dtype(condition) is not DType.BOOL:
        return unknown(call, "Where with a condition of numbers")
    tensors = [value.edge for value in args[1:] if isinstance(value, Tensor)]
    like = _finite(call, condition, tensors) if len(tensors) < 2 else ""
    edges = []
    for value in args[1:]:
        if isinstance(value, Tensor):
            edges.append(value.edge)
            continue
        array = constant(value)
        if array is None:
            return unknown(call)
        name = call.aside("number")
        call.add(Affine(name=name, input=like, output=name, scale=0 * _ONE, offset=array))
        call.builder.note_whole(name, constant_of(value))
        edges.append(name)
    call.add(Where(
        name=call.name, condition=condition, then=edges[0], otherwise=edges[1], output=call.name
    ))  # fmt: skip
    return Tensor(edge=call.name)


def _finite(call: Call, condition: str, tensors: Sequence[str]) -> str:
    """Zeros and ones in the shape of the tensor that is chosen, else of the condition.

    The tensor itself may be infinite or NaN just where it is not chosen: log(x) where x > 0.
    """
    builder = call.builder
    if not tensors or builder.shape(tensors[0]) == builder.shape(condition):
        return builder.as_numbers(condition, call.layer)
    numbers = builder.as_numbers(tensors[0], call.layer)
    never = _compared(call, CompareKind.LESS, numbers, -inf, call.aside("never"))
    return builder.as_numbers(never, call.layer)


CHOICES: Final[dict[str, Translate]] = {
    "Greater": _compare(CompareKind.GREATER),
    "GreaterEqual": _compare(CompareKind.GREATER_EQUAL),
    "Less": _compare(CompareKind.LESS),
    "LessEqual": _compare(CompareKind.LESS_EQUAL),
    "Equal": _equal,
    "LogicalNot": _logical_not,
    "Where": _where,
}
