"""Which rows of the native runtime's tensors make up an axis of the graph's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from edgernn.errors import UnsupportedLayer
from edgernn.export.native.builder import Builder
from edgernn.export.native.edges import refused
from edgernn.export.native.records import AXIS_ARGUMENTS, OP_ARGUMENTS, EdgeType, OpKind
from edgernn.graph import (
    DType,
    FoldTime,
    Layer,
    Slice,
    Transpose,
    UnfoldTime,
    Upsample1D,
    ZeroPad1D,
)


def folds_behind(builder: Builder, layer: Layer) -> int:
    """How many axes are in the first one of what the layer writes.

    The runtime computes one sequence: what is folded into the batch stays rows in the same order.
    """
    match layer:
        case FoldTime():
            folded = (*builder.folded_from[layer.input], layer.input)
        case UnfoldTime():
            folded = builder.folded_from[layer.input]
            if not folded or not _is_way_back(builder, folded[-1], layer.like):
                raise refused(
                    layer.name,
                    "UnfoldTime",
                    "makes other sequences of the rows than they were before",
                )
            folded = folded[:-1]
        case _:
            folded = max((builder.folded_from[edge] for edge in layer.reads), key=len)
    for edge in layer.writes:
        builder.folded_from[edge] = folded
    return len(folded)


def _is_way_back(builder: Builder, folded: str, like: str) -> bool:
    """Whether `like` has the steps of what was folded."""
    steps = builder.specs[folded].shape[1]
    return folded == like or (steps is not None and steps == builder.specs[like].shape[1])


def rows_of(builder: Builder, edge: str) -> tuple[int | None, ...]:
    """Sizes of the axes behind the first that rows are along; None: the run will tell."""
    spec = builder.specs[edge]
    return spec.shape[1:-1] if spec.dtype is DType.FLOAT32 else spec.shape[1:]


def one_axis_of_time(builder: Builder, layer: Layer, edge: str) -> None:
    """Raises UnsupportedLayer for a layer that goes through time where there is more than time."""
    if builder.folds[edge] or len(rows_of(builder, edge)) > 1:
        raise refused(
            layer.name,
            type(layer).__name__,
            "goes through the steps of a sequence inside of another one",
        )


def axis_arguments(builder: Builder, layer: Layer, edge: str, axis: int) -> list[int]:
    """Size and rows of an axis (not the last one of floats): the last two arguments of an op."""
    sizes = builder.specs[edge].shape
    behind = (
        sizes[axis + 1 : -1] if builder.specs[edge].dtype is DType.FLOAT32 else sizes[axis + 1 :]
    )
    is_first = axis == 1 and not builder.folds[edge]
    size = 0 if is_first else sizes[axis]
    if size is None or None in behind:
        raise unknown(layer)
    rows = prod(each for each in behind if each is not None)
    return [0, 0] if is_first and rows == 1 else [size, rows]


def unknown(layer: Layer) -> UnsupportedLayer:
    return refused(
        layer.name,
        type(layer).__name__,
        "works on an axis whose place only the run will tell",
        "Give the model's input fixed sizes, or export it to ONNX or TFLite",
    )


def with_axis(arguments: Sequence[int], axis: Sequence[int]) -> list[int]:
    return [*arguments, *[0] * (OP_ARGUMENTS - AXIS_ARGUMENTS - len(arguments)), *axis]


def along(
    builder: Builder,
    layer: Upsample1D | ZeroPad1D | Slice,
    axis: int,
    kind: OpKind,
    arguments: Sequence[int],
) -> None:
    """An op that works on rows, over any axis; the features become rows of one number for it."""
    spec = builder.specs[layer.input]
    if spec.dtype is not DType.FLOAT32 and spec.rank > 2:
        raise refused(
            layer.name, type(layer).__name__, "moves tokens that have more axes than time"
        )
    if axis < spec.rank - 1 or spec.dtype is not DType.FLOAT32:
        whole = with_axis(arguments, axis_arguments(builder, layer, layer.input, axis))
        builder.op(kind, layer.name, [layer.input], [layer.output], whole)
        return
    form = builder.forms[layer.input]
    numbers = replace(form, is_sequence=True, width=1, steps=None)
    apart, made = (builder.temporary(layer.output, numbers) for _ in range(2))
    builder.op(OpKind.RESHAPE, layer.name, [layer.input], [apart])
    builder.op(kind, layer.name, [apart], [made], with_axis(arguments, [form.width, 1]))
    builder.op(OpKind.RESHAPE, layer.name, [made], [layer.output])


def lower_transpose(builder: Builder, layer: Transpose) -> None:
    """Axes move to the front one by one: each time two blocks of them change places."""
    order = [axis - 1 for axis in layer.permutation[1:]]
    is_folded = builder.folds[layer.input] > 0
    if layer.permutation[0] != 0:
        raise refused(layer.name, "Transpose", f"orders the axes {layer.permutation}")
    if order == sorted(order):
        builder.op(OpKind.RESHAPE, layer.name, [layer.input], [layer.output])
        return
    if order == [1, 0] and not is_folded and len(rows_of(builder, layer.input)) == 1:
        builder.op(OpKind.TRANSPOSE, layer.name, [layer.input], [layer.output])
        return
    if builder.forms[layer.input].dtype is not EdgeType.FLOAT32:
        raise refused(layer.name, "Transpose", f"orders the axes {layer.permutation} of no floats")
    sizes = builder.specs[layer.input].shape[1:]
    current, edge = list(range(len(order))), layer.input
    while current != order:
        place = next(at for at, axis in enumerate(order) if current[at] != axis)
        found = current.index(order[place])
        free_first = place == 0 and not is_folded
        first = 0 if free_first else _known(layer, [sizes[axis] for axis in current[place:found]])
        second = _known(layer, [sizes[current[found]]])
        inner = _known(layer, [sizes[axis] for axis in current[found + 1 :]])
        current.insert(place, current.pop(found))
        output = layer.output
        if current != order:
            width = _known(layer, [sizes[current[-1]]])
            form = replace(builder.forms[layer.output], is_sequence=True, width=width, steps=None)
            output = builder.temporary(layer.output, form)
        builder.op(OpKind.SWAP, layer.name, [edge], [output], [first, second, inner])
        edge = output


def _known(layer: Transpose, sizes: Sequence[int | None]) -> int:
    if None in sizes:
        raise unknown(layer)
    return prod(size for size in sizes if size is not None)
