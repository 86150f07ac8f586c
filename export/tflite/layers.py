"""Chooses the function that writes a layer; recurrent layers are written as stacks."""

from __future__ import annotations

import numpy as np
from typing_extensions import assert_never

from edgernn.export.tflite import (
    attention,
    convolution,
    dense,
    images,
    merging,
    normalization,
    shaping,
)
from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.activation import activate
from edgernn.export.tflite.builder import Tensor
from edgernn.export.tflite.edges import Lowering
from edgernn.export.tflite.int8_layers import lowered_to_int8
from edgernn.export.tflite.options import Profile
from edgernn.export.tflite.precision import Computing
from edgernn.export.tflite.schema import Op, TensorType
from edgernn.export.tflite.weights import index, scalar
from edgernn.graph import (
    Gru,
    Lstm,
    Moving,
    PoolKind,
    SimpleRnn,
)
from edgernn.graph import layers as ly


def lower_layer(low: Lowering, layer: ly.Layer) -> None:
    """Adds the layer to the main subgraph and defines its edge.

    Raises UnsupportedLayer if TFLite's built-in operators cannot express it.
    """
    low.tensors[layer.writes[0]] = _lowered(low, layer)


def _lowered(low: Lowering, layer: ly.Layer) -> Tensor:
    graph, tensors = low.main, low.tensors
    if isinstance(layer, Computing):
        made = lowered_to_int8(low, layer)
        if made is not None:
            return made
    if isinstance(layer, Moving):
        return shaping.lowered(low, layer)
    match layer:
        case SimpleRnn() | Gru() | Lstm():
            raise AssertionError("recurrent layers are lowered as stacks")
        case ly.Embedding():
            return dense.embedding(low, layer, tensors[layer.input])
        case ly.Dense():
            return dense.dense(low, layer)
        case ly.Conv1D():
            return convolution.conv1d(low, layer)
        case ly.Conv2D():
            return images.conv2d(low, layer)
        case ly.Pool1D() | ly.Pool2D():
            is_max = layer.kind is PoolKind.MAX
            x = tensors.stored(layer.input) if is_max else tensors[layer.input]
            if isinstance(layer, ly.Pool2D):
                return images.pool2d(low, layer, x)
            return convolution.pool1d(low, layer, x)
        case ly.GlobalPool1D():
            return convolution.global_pool1d(low, layer)
        case ly.Affine():
            return normalization.affine(graph, layer, tensors[layer.input])
        case ly.LayerNorm():
            return normalization.layer_norm(graph, layer, tensors[layer.input])
        case ly.Activate():
            return activate(graph, layer.activation, tensors[layer.input])
        case ly.PRelu():
            return normalization.prelu(graph, layer, tensors[layer.input])
        case ly.Concatenate():
            return merging.concatenate(low, layer)
        case ly.Merge():
            return merging.merge(graph, layer, [tensors[edge] for edge in layer.inputs])
        case ly.Dot():
            return merging.dot(low, layer)
        case ly.Attention():
            return attention.attention(low, layer)
        case ly.Cast():
            return ops.cast(graph, tensors[layer.input], TensorType.FLOAT32)
        case ly.Compare():
            return merging.compare(low, layer)
        case ly.Where():
            parts = (tensors[layer.then], tensors[layer.otherwise])
            return ops.select(graph, tensors[layer.condition], *parts)
        case ly.NotEqual():
            value = graph.constant(np.array(layer.value, np.int32))
            return ops.not_equal(graph, tensors[layer.input], value)
        case ly.AnyNotEqual():
            unlike = _unlike(low, layer)
            if low.options.profile is not Profile.MICRO:
                return ops.reduce(graph, Op.REDUCE_ANY, unlike, axes=[-1], keep_dims=False)
            marks = ops.mask_as_int8(graph, unlike)
            any_mark = ops.reduce(
                graph, Op.REDUCE_MAX, marks, axes=[-1], keep_dims=False, to=marks.quantization
            )
            return ops.mask_of_int8(graph, any_mark)
        case _:
            assert_never(layer)


def _unlike(low: Lowering, layer: ly.AnyNotEqual) -> Tensor:
    """Where the input is not the value, bool [B, T, F]; in int8 in profiles without floats."""
    graph = low.main
    # As floats where they are: the integers of an input leave out what a mask hides.
    if not low.integers_only or low.tensors.is_plain(layer.input):
        return ops.not_equal(graph, low.tensors[layer.input], scalar(graph, layer.value))
    x = low.tensors.stored(layer.input)
    if x.quantization is None:
        return ops.not_equal(graph, x, scalar(graph, layer.value))
    value = graph.model.values_of(ops.quantize(graph, scalar(graph, layer.value), x.quantization))
    return ops.not_equal(graph, ops.cast(graph, x, TensorType.INT32), index(graph, int(value)))
