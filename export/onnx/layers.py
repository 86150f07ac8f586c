"""Chooses the function that writes a layer."""

from __future__ import annotations

import numpy as np
from typing_extensions import assert_never

from edgernn.export.onnx import (
    attention,
    convolution,
    dense,
    images,
    merging,
    normalization,
    shaping,
)
from edgernn.export.onnx.activation import activate_layer
from edgernn.export.onnx.builder import Value
from edgernn.export.onnx.edges import Edges, int64
from edgernn.export.onnx.recurrent import recurrent
from edgernn.graph import layers as ly
from edgernn.graph.recurrent import Gru, Lstm, SimpleRnn


def lower_layer(layer: ly.Layer, edges: Edges) -> None:
    """Defines the edges that the layer writes."""
    match layer:
        case SimpleRnn() | Gru() | Lstm():
            recurrent(layer, edges)
        case ly.Embedding():
            dense.embedding(layer, edges)
        case ly.Dense():
            dense.dense(layer, edges)
        case ly.Conv1D():
            convolution.conv1d(layer, edges)
        case ly.Conv2D():
            images.conv2d(layer, edges)
        case ly.Pool2D():
            images.pool2d(layer, edges)
        case ly.Pool1D():
            convolution.pool1d(layer, edges)
        case ly.GlobalPool1D():
            convolution.global_pool1d(layer, edges)
        case ly.Upsample1D():
            convolution.upsample1d(layer, edges)
        case ly.ZeroPad1D():
            convolution.zero_pad1d(layer, edges)
        case ly.Affine():
            normalization.affine(layer, edges)
        case ly.LayerNorm():
            normalization.layer_norm(layer, edges)
        case ly.PRelu():
            normalization.prelu(layer, edges)
        case ly.Activate():
            activate_layer(layer, edges)
        case ly.Reshape():
            shaping.reshape(layer, edges)
        case ly.Transpose():
            shaping.transpose(layer, edges)
        case ly.Reverse():
            edges.define_reversed(layer.output, layer.input)
        case ly.Repeat():
            shaping.repeat(layer, edges)
        case ly.Slice():
            shaping.sliced(layer, edges)
        case ly.FoldTime():
            shaping.fold_time(layer, edges)
        case ly.UnfoldTime():
            shaping.unfold_time(layer, edges)
        case ly.Concatenate():
            merging.concatenate(layer, edges)
        case ly.Merge():
            merging.merge(layer, edges)
        case ly.Dot():
            merging.dot(layer, edges)
        case ly.Attention():
            attention.attention(layer, edges)
        case ly.NotEqual():
            _not_equal(layer, edges)
        case ly.AnyNotEqual():
            _any_not_equal(layer, edges)
        case ly.Cast():
            merging.cast(layer, edges)
        case ly.Compare():
            merging.compare(layer, edges)
        case ly.Where():
            merging.where(layer, edges)
        case ly.ApplyMask():
            _apply_mask(layer, edges)
        case _:
            assert_never(layer)


def _not_equal(layer: ly.NotEqual, edges: Edges) -> None:
    value = edges.builder.constant(np.array(layer.value, np.int32))
    equal = edges.builder.op("Equal", edges.read(layer.input), value)
    edges.define(layer.output, edges.builder.op("Not", equal, name=layer.name))


def _any_not_equal(layer: ly.AnyNotEqual, edges: Edges) -> None:
    """Some |x - value| is positive exactly if their sum is, so two operators are enough.

    Of exact numbers: the range of an input leaves out what a mask hides, such as this value.
    """
    op, builder = edges.builder.op, edges.builder
    x = edges.read_exact(layer.input)
    if layer.value != 0:
        x = op("Sub", x, builder.constant(np.array(layer.value, np.float32)))
    last = int64([edges.spec(layer.input).rank - 1])
    total = op("ReduceL1", x, axes=last, keepdims=0)
    builder.needs(7)
    edges.define(layer.output, op("Greater", total, builder.constant(np.zeros((), np.float32))))


def _apply_mask(layer: ly.ApplyMask, edges: Edges) -> None:
    """Omitted if all its readers skip masked steps anyway."""

    def make() -> Value:
        kept = edges.builder.op("Unsqueeze", edges.read(layer.mask), axes=int64([2]))
        zero = edges.builder.constant(np.zeros((), np.float32))
        return edges.builder.op("Where", kept, edges.read(layer.input), zero, name=layer.name)

    edges.defer(layer.output, make)
