"""Affine maps, normalization and PReLU: a few numbers for each channel."""

from __future__ import annotations

import numpy as np

from edgernn.export.onnx.builder import Value
from edgernn.export.onnx.edges import PLAIN, Edges, Form, Layout, int64
from edgernn.export.onnx.weights import weight
from edgernn.graph import Affine, LayerNorm, PRelu, Weight

_CHANNELS_LAST = (Layout.BATCH_TIME, Layout.TIME_BATCH)
_CHANNELS_FIRST = (Layout.CHANNELS_TIME, Layout.CHANNELS_IMAGE)


def affine(layer: Affine, edges: Edges) -> None:
    op, builder = edges.builder.op, edges.builder
    per_channel = _is_per_channel(layer.scale) and _is_per_channel(layer.offset)
    x, form = edges.read_any(layer.input, *Layout) if per_channel else _plain(layer.input, edges)
    if form.layout in _CHANNELS_FIRST:
        after = (1,) * (len(form.layout.value) - 2)
        scale, offset = (
            weight(builder, stored, lambda v: v.reshape(-1, *after), key=("channels first", after))
            for stored in (layer.scale, layer.offset)
        )
    else:
        scale, offset = weight(builder, layer.scale), weight(builder, layer.offset)
    edges.define(layer.output, op("Add", op("Mul", x, scale, name=layer.name), offset), form)


def layer_norm(layer: LayerNorm, edges: Edges) -> None:
    """In primitive operators, which ONNX Runtime fuses: LayerNormalization needs opset 17."""
    builder, op = edges.builder, edges.builder.op
    rank = edges.spec(layer.input).rank
    if layer.axes == 1:
        x, form = edges.read_any(layer.input, *_CHANNELS_LAST)
    else:
        x, form = _plain(layer.input, edges)
    axes = int64(list(range(rank - layer.axes, rank)))
    centred = x
    if not layer.rms:
        centred = op("Sub", x, op("ReduceMean", x, axes=axes, keepdims=1))
    squares = op("Pow", centred, builder.constant(np.array(2, np.float32)))
    variance = op("ReduceMean", squares, axes=axes, keepdims=1)
    epsilon = builder.constant(np.array(layer.epsilon, np.float32))
    deviation = op("Sqrt", op("Add", variance, epsilon))
    result = op("Div", centred, deviation, name=layer.name)
    if layer.gamma is not None:
        result = op("Mul", result, weight(builder, layer.gamma))
    if layer.beta is not None:
        result = op("Add", result, weight(builder, layer.beta))
    edges.define(layer.output, result, form)


def prelu(layer: PRelu, edges: Edges) -> None:
    if _is_per_channel(layer.alpha):
        x, form = edges.read_any(layer.input, *_CHANNELS_LAST)
    else:
        x, form = _plain(layer.input, edges)
    slope = weight(edges.builder, layer.alpha)
    edges.define(layer.output, edges.builder.op("PRelu", x, slope, name=layer.name), form)


def _plain(edge: str, edges: Edges) -> tuple[Value, Form]:
    return edges.read(edge), PLAIN


def _is_per_channel(stored: Weight) -> bool:
    """Whether the weight varies along the last axis at most."""
    return all(size == 1 for size in stored.shape[:-1])
