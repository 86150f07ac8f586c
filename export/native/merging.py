"""Several tensors into one: concatenation and element-wise merges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import prod

from edgernn.export.native import axes
from edgernn.export.native.builder import Builder
from edgernn.export.native.edges import refused
from edgernn.export.native.records import OP_INPUTS, EdgeForm, OpKind
from edgernn.graph import Concatenate, DType, Merge, MergeKind

_MERGE_KINDS = tuple(MergeKind)  # in the order of ERNN_MERGE_LIST


def lower_concatenate(builder: Builder, layer: Concatenate) -> None:
    spec = builder.specs[layer.output]
    axis = layer.axis % spec.rank
    if axis == 0:
        raise refused(layer.name, "Concatenate", "joins batches")
    is_last = axis == spec.rank - 1 and spec.dtype is DType.FLOAT32
    if not is_last and axis == 1 and not builder.folds[layer.output]:
        joined_in_order(builder, layer.name, OpKind.CONCAT_STEPS, layer.inputs, layer.output)
        return
    if is_last:
        joined_in_order(builder, layer.name, OpKind.CONCAT_WIDTH, layer.inputs, layer.output)
        return
    wide = [_as_rows(builder, layer, edge, axis) for edge in layer.inputs]
    output = builder.temporary(layer.output, _widths_joined([builder.forms[edge] for edge in wide]))
    joined_in_order(builder, layer.name, OpKind.CONCAT_WIDTH, wide, output)
    builder.op(OpKind.RESHAPE, layer.name, [output], [layer.output])


def _as_rows(builder: Builder, layer: Concatenate, edge: str, axis: int) -> str:
    """The edge with everything from the axis on in one row."""
    inner = builder.specs[edge].shape[axis:]
    if None in inner:
        raise axes.unknown(layer)
    width = prod(size for size in inner if size is not None)
    wide = builder.temporary(edge, replace(builder.forms[edge], width=width, steps=None))
    builder.op(OpKind.RESHAPE, layer.name, [edge], [wide])
    return wide


def joined_in_order(
    builder: Builder, name: str, kind: OpKind, inputs: Sequence[str], output: str
) -> None:
    """Concatenates any number of edges, at most as many at a time as an op takes."""
    edges = list(inputs)
    join = _steps_joined if kind is OpKind.CONCAT_STEPS else _widths_joined
    while len(edges) > OP_INPUTS:
        taken, edges = edges[:OP_INPUTS], edges[OP_INPUTS:]
        part = builder.temporary(output, join([builder.forms[edge] for edge in taken]))
        builder.op(kind, name, taken, [part])
        edges.insert(0, part)
    builder.op(kind, name, edges, [output])


def _steps_joined(forms: list[EdgeForm]) -> EdgeForm:
    return replace(forms[0], steps=None)


def _widths_joined(forms: list[EdgeForm]) -> EdgeForm:
    return replace(forms[0], width=sum(form.width for form in forms))


def lower_merge(builder: Builder, layer: Merge) -> None:
    forms = [builder.forms[edge] for edge in layer.inputs]
    output = builder.forms[layer.output]
    add = partial(builder.op, OpKind.MERGE, layer.name)
    if len(layer.inputs) > OP_INPUTS:
        raise refused(layer.name, "Merge", f"takes more than {OP_INPUTS} inputs")
    sizes = axes.rows_of(builder, layer.output)
    is_folded = builder.folds[layer.output] > 0
    for edge in layer.inputs:
        own = axes.rows_of(builder, edge)
        is_one_row = all(size == 1 for size in own) and not is_folded
        if (len(sizes) > 1 or is_folded) and own != sizes and not is_one_row:
            raise refused(layer.name, "Merge", f"broadcasts {own} to {sizes}")
    if not any(form.is_sequence == output.is_sequence for form in forms):
        raise refused(layer.name, "Merge", "broadcasts all of its inputs")
    add(layer.inputs, [layer.output], [_MERGE_KINDS.index(layer.kind)])
