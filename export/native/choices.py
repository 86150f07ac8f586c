"""Comparisons of numbers, and the choices that follow from them."""

from __future__ import annotations

from edgernn.export.native.builder import Builder
from edgernn.export.native.edges import refused
from edgernn.export.native.records import OpKind
from edgernn.graph import Compare, CompareKind, DType, Where

_COMPARE_KINDS = tuple(CompareKind)  # in the order of ERNN_COMPARE_LIST


def lower_compare(builder: Builder, layer: Compare) -> None:
    arguments = [_COMPARE_KINDS.index(layer.kind), float(layer.value)]
    builder.op(OpKind.COMPARE, layer.name, [layer.input], [layer.output], arguments)


def lower_where(builder: Builder, layer: Where) -> None:
    """The runtime chooses among numbers of one shape; one mark may stand for all behind it."""
    spec = builder.specs[layer.output]
    if spec.dtype is not DType.FLOAT32:
        raise refused(layer.name, "Where", "chooses among tokens or masks")
    for edge in (layer.then, layer.otherwise):
        if builder.specs[edge].shape != spec.shape:
            raise refused(layer.name, "Where", f"broadcasts {builder.specs[edge].shape}")
    marks = builder.specs[layer.condition].shape
    shared = len(marks)
    while shared > 1 and marks[shared - 1] == 1 and spec.shape[shared - 1] != 1:
        shared -= 1
    if len(marks) != spec.rank or marks[:shared] != spec.shape[:shared]:
        raise refused(layer.name, "Where", f"broadcasts a condition of shape {marks}")
    inputs = [layer.then, layer.otherwise, layer.condition]
    builder.op(OpKind.WHERE, layer.name, inputs, [layer.output])
