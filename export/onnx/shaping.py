"""Layers that move elements and compute nothing."""

from __future__ import annotations

from collections.abc import Sequence

from edgernn.export.onnx.builder import Value
from edgernn.export.onnx.edges import PLAIN, TO_THE_END, Edges, Form, Layout, int64
from edgernn.graph import (
    FoldTime,
    Gru,
    Lstm,
    Repeat,
    Reshape,
    SimpleRnn,
    Slice,
    Transpose,
    UnfoldTime,
    consumers,
)


def reshape(layer: Reshape, edges: Edges) -> None:
    known = edges.spec(layer.output).shape[1:]
    target = [size for size in known if size is not None]
    if len(target) != len(known):
        target = list(layer.target)
    shape = edges.builder.constant(int64([0, *target]))  # 0: keeps the batch
    x = edges.read(layer.input)
    edges.define(layer.output, edges.builder.op("Reshape", x, shape, name=layer.name))


def transpose(layer: Transpose, edges: Edges) -> None:
    """Nothing is moved if a layout of the result describes the new order of axes."""
    if layer.permutation == Layout.CHANNELS_TIME.value:
        for form in edges.forms(layer.input):
            if form == PLAIN:
                edges.define(layer.output, edges.read(layer.input), Form(Layout.CHANNELS_TIME))
                return
            if form == Form(Layout.CHANNELS_TIME):
                edges.define(layer.output, edges.read(layer.input, form))
                return
    x = edges.read(layer.input)
    order = list(layer.permutation)
    edges.define(layer.output, edges.builder.op("Transpose", x, name=layer.name, perm=order))


def repeat(layer: Repeat, edges: Edges) -> None:
    """Time first if a recurrent layer reads it."""
    for_recurrent = any(
        isinstance(reader, SimpleRnn | Gru | Lstm)
        for reader in consumers(edges.graph, layer.output)
    )
    layout = Layout.TIME_BATCH if for_recurrent else Layout.BATCH_TIME
    axis = layout.position(1)
    x = edges.read(layer.input)
    once = edges.builder.op("Unsqueeze", x, axes=int64([axis]))
    if layer.times == 1:
        edges.define(layer.output, once, Form(layout))
        return
    tiles = [1, 1, 1]
    tiles[axis] = layer.times
    count = edges.builder.constant(int64(tiles))
    result = edges.builder.op("Tile", once, count, name=layer.name)
    edges.define(layer.output, result, Form(layout))


def sliced(layer: Slice, edges: Edges) -> None:
    spec = edges.spec(layer.input)
    axis = layer.axis % spec.rank
    form = _unreversed(layer.input, edges) if axis == 1 and spec.rank == 3 else PLAIN
    x = edges.read(layer.input, form)
    position = form.layout.position(axis)
    if layer.squeeze:
        edges.define(layer.output, _element(layer, x, position, spec.shape[axis], edges))
        return
    stop = TO_THE_END if layer.stop is None else layer.stop
    bounds = {
        "starts": int64([layer.start]),
        "ends": int64([stop]),
        "axes": int64([position]),
    }
    if layer.step != 1:
        edges.builder.needs(10)
        bounds["steps"] = int64([layer.step])
    edges.define(layer.output, edges.builder.op("Slice", x, name=layer.name, **bounds), form)


def _unreversed(edge: str, edges: Edges) -> Form:
    """An existing form in which time runs forward."""
    return next((form for form in edges.forms(edge) if not form.reversed), PLAIN)


def _element(layer: Slice, x: Value, axis: int, size: int | None, edges: Edges) -> Value:
    builder = edges.builder
    start = layer.start if size is None or layer.start >= 0 else layer.start + size
    if start < 0:
        builder.needs(11)  # Gather takes no negative index before
    return builder.op("Gather", x, builder.constant(int64([start])[0]), name=layer.name, axis=axis)


def fold_time(layer: FoldTime, edges: Edges) -> None:
    rest = edges.spec(layer.input).shape[2:]
    shape = _joined_shape([-1], layer.input, rest, 2, edges)
    x = edges.read(layer.input)
    edges.define(layer.output, edges.builder.op("Reshape", x, shape, name=layer.name))


def unfold_time(layer: UnfoldTime, edges: Edges) -> None:
    batch, steps = edges.spec(layer.like).shape[:2]
    rest = edges.spec(layer.input).shape[1:]
    builder = edges.builder
    if steps is not None:
        shape = _joined_shape([-1, steps], layer.input, rest, 1, edges)
    elif batch is not None:
        shape = _joined_shape([batch, -1], layer.input, rest, 1, edges)
    else:
        around = edges.sizes(layer.like, [0, 1])
        inner = _joined_shape([], layer.input, rest, 1, edges)
        shape = builder.op("Concat", around, inner, axis=0) if rest else around
    x = edges.read(layer.input)
    edges.define(layer.output, builder.op("Reshape", x, shape, name=layer.name))


def _joined_shape(
    leading: Sequence[int], edge: str, rest: Sequence[int | None], first_axis: int, edges: Edges
) -> Value:
    """int64 [len(leading) + len(rest)]: `rest` are the edge's axes from `first_axis` on."""
    builder = edges.builder
    known = [size for size in rest if size is not None]
    if len(known) == len(rest):
        return builder.constant(int64([*leading, *known]))
    sizes = edges.sizes(edge, range(first_axis, first_axis + len(rest)))
    return builder.op("Concat", builder.constant(int64(leading)), sizes, axis=0)
