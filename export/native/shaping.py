"""Layers that move rows and features, and those that take several inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import prod

from edgernn.export.native import axes
from edgernn.export.native.builder import Builder
from edgernn.export.native.forms import refused
from edgernn.export.native.records import INT32_MAX, OP_INPUTS, EdgeForm, EdgeType, OpKind
from edgernn.graph import (
    Concatenate,
    DType,
    Graph,
    Merge,
    MergeKind,
    Output,
    Slice,
)

_MERGE_KINDS = tuple(MergeKind)  # in the order of ERNN_MERGE_LIST


def lower_slice(builder: Builder, layer: Slice) -> None:
    spec = builder.specs[layer.input]
    axis = layer.axis % spec.rank
    form = builder.forms[layer.input]
    if axis == 0:
        raise refused(layer.name, "Slice", "takes a part of the batch")
    if axis < spec.rank - 1 or spec.dtype is not DType.FLOAT32:
        stop = INT32_MAX if layer.stop is None else layer.stop
        if layer.squeeze:
            stop = INT32_MAX if layer.start == -1 else layer.start + 1
        axes.along(builder, layer, axis, OpKind.SLICE_STEPS, [layer.start, stop, layer.step])
        return
    if layer.squeeze and spec.rank == 2:
        raise refused(layer.name, "Slice", "leaves no features")
    end = layer.start + 1 or None if layer.squeeze else layer.stop
    taken = range(*slice(layer.start, end, layer.step).indices(form.width))
    if not taken:
        raise refused(layer.name, "Slice", "leaves no features")
    narrow = replace(form, width=len(taken))
    output = builder.temporary(layer.output, narrow) if layer.squeeze else layer.output
    arguments = [taken.start, 0, layer.step]
    builder.op(OpKind.SLICE_WIDTH, layer.name, [layer.input], [output], arguments)
    if layer.squeeze:  # [T, 1] is [T] in memory
        builder.op(OpKind.RESHAPE, layer.name, [output], [layer.output])


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
    form = _widths_joined([builder.forms[edge] for edge in wide])
    output = builder.temporary(layer.output, form)
    joined_in_order(builder, layer.name, OpKind.CONCAT_WIDTH, wide, output)
    builder.op(OpKind.RESHAPE, layer.name, [output], [layer.output])


def _as_rows(builder: Builder, layer: Concatenate, edge: str, axis: int) -> str:
    """The edge with everything from the axis on in one row."""
    inner = builder.specs[edge].shape[axis:]
    if None in inner:
        raise axes.unknown(layer)
    width = prod(size for size in inner if size is not None)
    form = replace(builder.forms[edge], width=width, steps=None)
    wide = builder.temporary(edge, form)
    builder.op(OpKind.RESHAPE, layer.name, [edge], [wide])
    return wide


def joined_in_order(
    builder: Builder, name: str, kind: OpKind, inputs: Sequence[str], output: str
) -> None:
    """A concatenation of any number of edges, as many at a time as an op takes."""
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
    for edge in layer.inputs:
        own = axes.rows_of(builder, edge)
        is_one_row = all(size == 1 for size in own) and not builder.folds[layer.output]
        if (len(sizes) > 1 or builder.folds[layer.output]) and own != sizes and not is_one_row:
            raise refused(layer.name, "Merge", f"broadcasts {own} to {sizes}")
    if not any(form.is_sequence == output.is_sequence for form in forms):
        raise refused(layer.name, "Merge", "broadcasts all of its inputs")
    add(layer.inputs, [layer.output], [_MERGE_KINDS.index(layer.kind)])


def copied_outputs(builder: Builder, graph: Graph) -> tuple[Output, ...]:
    """Outputs that are inputs get a copy of their own: the runtime writes each output itself."""
    inputs = {entry.name for entry in graph.inputs}
    outputs = []
    for output in graph.outputs:
        edge = output.edge
        if edge in inputs:
            copy = builder.temporary(edge, builder.forms[edge])
            builder.op(OpKind.RESHAPE, output.name, [edge], [copy])
            edge = copy
        outputs.append(Output(name=output.name, edge=edge))
    return tuple(outputs)


def keep_lengths_apart(builder: Builder, graph: Graph) -> None:
    """Makes the model one of whole sequences where its inputs may be of different lengths.

    A model of layers that all can run step by step is run so, all inputs at the same step: two
    questions that meet after their last words cannot be, nor can images of several rows a step.
    An op that needs a whole sequence (here one that adds no step) forbids it.
    """
    states = {state.input for state in graph.states}
    entries = [entry.name for entry in graph.inputs if entry.name not in states]
    sequences = [name for name in entries if builder.forms[name].is_sequence]
    is_of_rows = all(len(axes.rows_of(builder, edge)) < 2 for edge in graph.specs)
    lengths = {builder.forms[name].steps for name in sequences}
    if (
        is_of_rows
        and len(lengths) == 1
        and (lengths != {None} or _is_one_sequence(builder, graph, sequences))
    ):
        return
    if sequences:
        floats = [name for name in sequences if builder.forms[name].dtype is EdgeType.FLOAT32]
        source = (floats or sequences)[0]
        copy = builder.temporary(source, builder.forms[source])
        if floats:
            builder.op(OpKind.PAD, source, [source], [copy], [0, 0])
        else:
            builder.op(OpKind.SLICE_STEPS, source, [source], [copy], [0, INT32_MAX, 1])


def _is_one_sequence(builder: Builder, graph: Graph, inputs: Sequence[str]) -> bool:
    """Whether layers that go through several sequences step by step tie all of them together."""
    tied = {name: {name} for name in inputs}
    for layer in graph.layers:
        edges = [edge for edge in layer.reads if builder.forms[edge].is_sequence]
        together = set().union(*(tied.get(edge, set()) for edge in edges))
        if isinstance(layer, Concatenate) and layer.axis % graph.specs[layer.output].rank == 1:
            continue  # one behind the other: no step in common
        for name in together:
            tied[name] = tied[name] | together
        tied.update({edge: together for edge in layer.writes if builder.forms[edge].is_sequence})
    return all(tied[name] >= set(inputs) for name in inputs)
