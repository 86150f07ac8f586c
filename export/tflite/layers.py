"""Every layer but the recurrent ones in float32: edges in, operators and edges out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
from typing_extensions import assert_never

from edgernn.export.tflite import attention, convolution, dense, images, normalization, shaping
from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.activation import activate
from edgernn.export.tflite.arithmetic import Computing, quantization_of
from edgernn.export.tflite.builder import Quantization, Subgraph, Tensor
from edgernn.export.tflite.int8_layers import lowered_to_int8
from edgernn.export.tflite.options import Profile
from edgernn.export.tflite.schema import Op, TensorType
from edgernn.export.tflite.values import Lowering
from edgernn.export.tflite.weights import constant, floats, index, scalar
from edgernn.graph import (
    FloatArray,
    Gru,
    Lstm,
    MergeKind,
    Moving,
    PoolKind,
    QTensor,
    SimpleRnn,
    as_float32,
)
from edgernn.graph import layers as ly


def lower_layer(low: Lowering, layer: ly.Layer) -> None:
    """Adds the layer to the main subgraph and defines the edge it writes.

    Raises UnsupportedLayer where TFLite's built-in operators cannot express it.
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
            return _embedding(graph, layer, tensors[layer.input])
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
            scaled = _unless(
                graph, Op.MUL, tensors[layer.input], as_float32(layer.scale), neutral=1.0
            )
            return _unless(graph, Op.ADD, scaled, as_float32(layer.offset), neutral=0.0)
        case ly.LayerNorm():
            return normalization.layer_norm(graph, layer, tensors[layer.input])
        case ly.Activate():
            return activate(graph, layer.activation, tensors[layer.input])
        case ly.PRelu():
            x = tensors[layer.input]
            alpha = as_float32(layer.alpha)
            return ops.prelu(graph, x, graph.constant(alpha.reshape(alpha.shape[-(x.rank - 1) :])))
        case ly.Concatenate():
            return _concatenate(low, layer)
        case ly.Merge():
            return _merge(graph, layer, [tensors[edge] for edge in layer.inputs])
        case ly.Dot():
            return attention.dot(low, layer)
        case ly.Attention():
            return attention.attention(low, layer)
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
    """Where the input is not the value, bool [B, T, F]; as int8 where floats are shunned."""
    graph = low.main
    if not low.integers_only:
        return ops.not_equal(graph, low.tensors[layer.input], scalar(graph, layer.value))
    x = low.tensors.stored(layer.input)
    if x.quantization is None:
        return ops.not_equal(graph, x, scalar(graph, layer.value))
    value = graph.model.values_of(ops.quantize(graph, scalar(graph, layer.value), x.quantization))
    return ops.not_equal(graph, ops.cast(graph, x, TensorType.INT32), index(graph, int(value)))


def _embedding(graph: Subgraph, layer: ly.Embedding, tokens: Tensor) -> Tensor:
    """int8 rows are fetched as such."""
    table = layer.table
    if isinstance(table, QTensor) and table.axis is None:
        stored = graph.constant(table.values, Quantization(scale=table.scale))
    else:
        stored = constant(graph, floats(table))
    return ops.gather(graph, stored, tokens, axis=0)


def _concatenate(low: Lowering, layer: ly.Concatenate) -> Tensor:
    """int8 parts of one quantization are joined as such, of several where floats are shunned."""
    parts = [low.tensors.stored(edge) for edge in layer.inputs]
    units = {
        None
        if part.quantization is None
        else (float(part.quantization.scale[0]), part.quantization.zero_point)
        for part in parts
    }
    to = quantization_of(low, layer.output)
    if len(units) > 1 and low.integers_only and to is not None:
        parts = [ops.as_int8(low.main, part, to) for part in parts]
    elif len(units) > 1:
        parts = [low.tensors[edge] for edge in layer.inputs]
    return ops.concatenation(low.main, parts, axis=layer.axis)


def _unless(graph: Subgraph, op: Op, x: Tensor, values: FloatArray, *, neutral: float) -> Tensor:
    """x combined with constants, left out where they change nothing."""
    grows = len(values.shape) > x.rank or any(
        mine == 1 < theirs for mine, theirs in zip(x.shape[::-1], values.shape[::-1], strict=False)
    )
    if np.all(values == neutral) and not grows:
        return x
    combine = ops.multiply if op is Op.MUL else ops.add
    return combine(graph, x, graph.constant(values))


def _merge(graph: Subgraph, layer: ly.Merge, inputs: Sequence[Tensor]) -> Tensor:
    match layer.kind:
        case MergeKind.ADD:
            return _folded(graph, ops.add, inputs)
        case MergeKind.SUBTRACT:
            return _folded(graph, ops.subtract, inputs)
        case MergeKind.MULTIPLY:
            return _folded(graph, ops.multiply, inputs)
        case MergeKind.AVERAGE:
            total = _folded(graph, ops.add, inputs)
            return ops.multiply(graph, total, scalar(graph, 1 / len(inputs)))
        case MergeKind.MAXIMUM:
            return _folded(graph, ops.maximum, inputs)
        case MergeKind.MINIMUM:
            return _folded(graph, ops.minimum, inputs)
        case MergeKind.AND:
            return _folded(graph, ops.logical_and, inputs)
        case MergeKind.OR:
            return _folded(graph, ops.logical_or, inputs)
        case _:
            assert_never(layer.kind)


def _folded(
    graph: Subgraph,
    combine: Callable[[Subgraph, Tensor, Tensor], Tensor],
    inputs: Sequence[Tensor],
) -> Tensor:
    return reduce(lambda left, right: combine(graph, left, right), inputs)
