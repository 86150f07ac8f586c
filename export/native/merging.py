"""Several tensors into one: concatenation and element-wise merges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from edgernn.export.native.builder import Builder
from edgernn.export.native.edges import refused
from edgernn.export.native.records import OP_INPUTS, EdgeForm, OpKind
from edgernn.graph import Concatenate, Merge, MergeKind, TensorSpec

_MERGE_KINDS = tuple(MergeKind)  # in the order of ERNN_MERGE_LIST


def lower_concatenate(builder: Builder, layer: Concatenate, spec: TensorSpec) -> None:
    axis = layer.axis % spec.rank
    is_sequence = builder.forms[layer.output].is_sequence
    if axis == 0:
        raise refused(layer.name, "Concatenate", "joins batches")
    kind = OpKind.CONCAT_STEPS if axis == 1 and is_sequence else OpKind.CONCAT_WIDTH
    joined_in_order(builder, layer.name, kind, layer.inputs, layer.output)


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
    if not any(form.is_sequence == output.is_sequence for form in forms):
        raise refused(layer.name, "Merge", "broadcasts all of its inputs")
    add(layer.inputs, [layer.output], [_MERGE_KINDS.index(layer.kind)])
