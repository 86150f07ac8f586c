"""Comparisons of numbers, and the choices that follow from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgernn.export.native import packing
from edgernn.export.native.builder import Builder
from edgernn.export.native.edges import edge_form, refused
from edgernn.export.native.merging import lower_merge
from edgernn.export.native.records import OpKind
from edgernn.graph import Compare, CompareKind, DType, Merge, MergeKind, TensorSpec, Where

_COMPARE_KINDS = tuple(CompareKind)  # in the order of ERNN_COMPARE_LIST


def lower_compare(builder: Builder, layer: Compare) -> None:
    arguments = [_COMPARE_KINDS.index(layer.kind), float(layer.value)]
    builder.op(OpKind.COMPARE, layer.name, [layer.input], [layer.output], arguments)


def lower_where(builder: Builder, layer: Where) -> None:
    """The runtime chooses among numbers of one shape; one mark may stand for all behind it."""
    spec = builder.specs[layer.output]
    if spec.dtype is not DType.FLOAT32:
        raise refused(layer.name, "Where", "chooses among tokens or masks")
    then, otherwise = (_spread(builder, layer, edge) for edge in (layer.then, layer.otherwise))
    condition = layer.condition
    if not _stands_for_all_behind(builder.specs[condition], spec):
        numbers = _written(builder, layer, OpKind.CAST, condition, DType.FLOAT32)
        numbers = _spread(builder, layer, numbers)
        above = [_COMPARE_KINDS.index(CompareKind.GREATER), 0.0]
        condition = _written(builder, layer, OpKind.COMPARE, numbers, DType.BOOL, above)
    builder.op(OpKind.WHERE, layer.name, [then, otherwise, condition], [layer.output])


def _stands_for_all_behind(marks: TensorSpec, spec: TensorSpec) -> bool:
    shared = marks.rank
    while shared > 1 and marks.shape[shared - 1] == 1 and spec.shape[shared - 1] != 1:
        shared -= 1
    return marks.rank == spec.rank and marks.shape[:shared] == spec.shape[:shared]


def _spread(builder: Builder, layer: Where, edge: str) -> str:
    """Numbers of the result's shape: `edge`, plus zeros where it is repeated.

    The zeros are made of marks, so that no infinity or NaN gets into them.
    """
    spec = builder.specs[layer.output]
    if builder.specs[edge].shape == spec.shape:
        return edge
    if builder.specs[edge].rank != spec.rank:
        raise refused(layer.name, "Where", f"broadcasts {builder.specs[edge].shape}")
    whole = [one for one in layer.reads if builder.specs[one].shape == spec.shape]
    if not whole:
        raise refused(layer.name, "Where", "broadcasts all that it reads")
    zeros = whole[0]
    if builder.specs[zeros].dtype is not DType.BOOL:
        less = [_COMPARE_KINDS.index(CompareKind.LESS), 0.0]
        zeros = _written(builder, layer, OpKind.COMPARE, zeros, DType.BOOL, less)
    zeros = _written(builder, layer, OpKind.CAST, zeros, DType.FLOAT32)
    width = builder.forms[zeros].width
    none = builder.constant(packing.vector(np.zeros(width, np.float32)))
    zeros = _written(builder, layer, OpKind.AFFINE, zeros, DType.FLOAT32, [none, none])
    result = _new(builder, layer, TensorSpec(shape=spec.shape))
    added = Merge(name=layer.name, inputs=(zeros, edge), output=result, kind=MergeKind.ADD)
    lower_merge(builder, added)
    return result


def _written(
    builder: Builder,
    layer: Where,
    kind: OpKind,
    edge: str,
    dtype: DType,
    arguments: Sequence[int | float] = (),
) -> str:
    """The result of an op that keeps the shape of `edge`."""
    result = _new(builder, layer, TensorSpec(shape=builder.specs[edge].shape, dtype=dtype))
    builder.op(kind, layer.name, [edge], [result], arguments)
    return result


def _new(builder: Builder, layer: Where, spec: TensorSpec) -> str:
    folds = builder.folds[layer.output]
    form = edge_form(spec, layer=layer.name, kind="Where", is_folded=folds > 0)
    name = builder.temporary(layer.output, form)
    builder.specs = {**builder.specs, name: spec}
    builder.folds[name] = folds
    return name
