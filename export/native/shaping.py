"""Layers that move elements and compute nothing."""

from __future__ import annotations

from dataclasses import replace

from edgernn.export.native import axes
from edgernn.export.native.builder import Builder
from edgernn.export.native.edges import refused
from edgernn.export.native.records import INT32_MAX, OpKind
from edgernn.graph import DType, Slice


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
