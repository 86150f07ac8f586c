"""`reshape` of tensors, also where it folds time into the batch and unfolds it again.

All of it keeps the elements in their order, so that any two steps may be taken for one: a reshape
to fewer numbers a row is a Reshape of each row and a FoldTime of its parts into the batch; one to
more numbers a row takes back an earlier fold first.
"""

from __future__ import annotations

from math import prod
from typing import Any, Final

from edgernn.export.keras.call import Call, Tensor
from edgernn.export.keras.symbolic import Value, tensor_of, unknown
from edgernn.graph import FoldTime, Reshape, UnfoldTime

_MAX_SIZE: Final = 1 << 31


def reshape(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    edge = tensor_of(call, args[0]).edge
    shape = options.get("newshape", options.get("shape"))
    if not isinstance(shape, list | tuple) or not all(type(size) is int for size in shape):
        return unknown(call)
    batch, target = call.builder.shape(edge)[0], tuple(shape[1:])
    leading = shape[0] if shape else 0
    rows_stay = leading == batch and target.count(-1) == 1
    if not target or not (leading == -1 or leading == batch):
        return _refused(call, shape, "its first axis, the batch, has to stay open (-1)")
    if not all(0 < size < _MAX_SIZE or (size == -1 and rows_stay) for size in target):
        return _refused(call, shape, "only its first axis, the batch, can be open (-1)")
    if rows_stay:
        call.add(Reshape(name=call.name, input=edge, output=call.name, target=target))
        return Tensor(edge=call.name)
    result = _with_rows(call, edge, target)
    return Tensor(edge=result) if isinstance(result, str) else _refused(call, shape, result.why)


class _Impossible:
    def __init__(self, why: str) -> None:
        self.why = why


def _refused(call: Call, shape: list[int] | tuple[int, ...], why: str) -> Value:
    return unknown(
        call,
        limit=f"reshapes a tensor to {list(shape)}: {why}",
        remedy="Keep the batch as the first axis; for a layer on each part, use TimeDistributed",
    )


def _with_rows(call: Call, edge: str, target: tuple[int, ...]) -> str | _Impossible:
    """The edge of `edge` reshaped to [-1, *target]."""
    rest = call.builder.shape(edge)[1:]
    wanted = prod(target)
    known = prod(size for size in rest if size is not None)
    free = rest.count(None)
    if free > 1:
        return _Impossible("it has more than one open axis besides the batch")
    if known % wanted == 0 and not (free == 0 and known == wanted):
        parts = -1 if free else known // wanted
        return _folded(call, _rows(call, edge, (parts, *target)))
    if known == wanted and not free:
        return _rows(call, edge, target)
    like = _folded_edge(call, edge)
    if like is None:
        if free:
            return _Impossible(f"a row of shape {rest} has no known number of parts of {target}")
        return _Impossible(f"rows of {known} numbers would be joined to rows of {wanted}")
    name = call.aside("unfolded")
    call.add(UnfoldTime(name=name, input=edge, like=like, output=name))
    return _with_rows(call, name, target)


def _rows(call: Call, edge: str, target: tuple[int, ...]) -> str:
    """Each row in a new shape; the edge itself where it has it already."""
    if tuple(-1 if size is None else size for size in call.builder.shape(edge)[1:]) == target:
        return edge
    name = call.aside("rows")
    call.add(Reshape(name=name, input=edge, output=name, target=target))
    return name


def _folded(call: Call, edge: str) -> str:
    name = call.aside("folded")
    call.add(FoldTime(name=name, input=edge, output=name))
    return name


def _folded_edge(call: Call, edge: str) -> str | None:
    """The edge [B, T, ...] of which the batch of `edge` is B * T; None where nothing was folded."""
    writer = call.builder.writer(edge)
    while writer is not None:
        if isinstance(writer, FoldTime):
            return writer.input
        source = writer.like if isinstance(writer, UnfoldTime) else writer.reads[0]
        writer = call.builder.writer(source)
    return None
