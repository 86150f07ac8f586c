"""Layers without a matrix in int8: norms, averages, sums, activations.

If floats are allowed, only layers between int8 layers are computed like this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from typing_extensions import assert_never

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite import quantization as quant
from edgernn.export.tflite.activation import fusable
from edgernn.export.tflite.builder import Quantization, Subgraph, Tensor
from edgernn.export.tflite.convolution import pool1d, with_height, without_height
from edgernn.export.tflite.edges import Lowering
from edgernn.export.tflite.images import pool2d
from edgernn.export.tflite.int8_activation import int8_activation
from edgernn.export.tflite.int8_product import bias_constant
from edgernn.export.tflite.precision import Computing, feeds_integers, quantization_of
from edgernn.export.tflite.schema import Fused, Op, TensorType, WindowPadding
from edgernn.export.tflite.weights import Matrix
from edgernn.graph import FloatArray, MergeKind, PoolKind, as_float32
from edgernn.graph import layers as ly

_LARGEST: Final = 127


def lowered_to_int8(low: Lowering, layer: Computing) -> Tensor | None:
    """The layer's result in integers; None if it has no such form, or float32 is better."""
    to = quantization_of(low, layer.output)
    inputs = [edge for edge in layer.reads if quantization_of(low, edge) is not None]
    if to is None or len(inputs) < len(layer.reads):
        return None
    given_int8 = all(low.tensors.is_int8(edge) for edge in inputs)
    if not low.integers_only and not (given_int8 and feeds_integers(low, layer.output)):
        return None
    match layer:
        case ly.Affine():
            return _affine(low, layer, to)
        case ly.Pool1D():
            return pool1d(low, layer, low.tensors.int8(layer.input, _known(low, layer.input)))
        case ly.Pool2D():
            return pool2d(low, layer, low.tensors.int8(layer.input, _known(low, layer.input)))
        case ly.GlobalPool1D():
            return _average(low, layer, to)
        case ly.Activate():
            return _activation(low, layer, to)
        case ly.Merge():
            return _merge(low, layer, to)
        case _:
            assert_never(layer)


def _known(low: Lowering, edge: str) -> Quantization:
    found = quantization_of(low, edge)
    if found is None:
        raise AssertionError(f"the range of '{edge}' is unknown")
    return found


def _affine(low: Lowering, layer: ly.Affine, to: Quantization) -> Tensor:
    """A depthwise convolution over one step has a scale and a bias for each channel.

    The model's inputs have channels of very different sizes, so they are scaled in int16.
    """
    scale, offset = as_float32(layer.scale), as_float32(layer.offset)
    shape = low.shape(layer.input)
    channels = shape[-1]
    fits = all(
        values.size in {1, channels} and values.shape[-1:] in {(), (1,), (channels,)}
        for values in (scale, offset)
    )
    from_outside = low.integers_only and low.tensors.is_plain(layer.input)
    if not fits or from_outside or len(shape) > 4:
        return _wide_affine(low, layer, scale, offset, to)
    graph = low.main
    x = low.tensors.int8(layer.input, _known(low, layer.input))
    rows = x if x.rank >= 3 else ops.expand_dims(graph, x, axis=1)
    image = rows if x.rank == 4 else with_height(graph, rows)
    factors, added = (
        np.broadcast_to(values.reshape(-1), channels).astype(np.float32)
        for values in (scale, offset)
    )
    # A channel's scale must not be so small that its bias leaves int32.
    least = np.abs(added) / (_known(low, layer.input).scale[0] * np.float32(2.0**30))
    sizes = np.maximum(np.abs(factors) / _LARGEST, least).astype(np.float32)
    sizes[sizes == 0] = 1.0
    stored = np.rint(factors / sizes).astype(np.int8)
    kernel = graph.constant(stored.reshape(1, 1, 1, channels), Quantization(scale=sizes, axis=3))
    made = ops.depthwise_convolution(
        graph,
        image,
        kernel,
        bias_constant(graph, x, Matrix(values=stored[:, None], scale=sizes), added),
        sizes=(image.shape[1], image.shape[2]),
        strides=(1, 1),
        padding=WindowPadding.VALID,
        to=to,
    )
    if x.rank == 4:
        return made
    made = without_height(graph, made)
    return made if x.rank == 3 else ops.squeeze(graph, made, axis=1)


def _wide_affine(
    low: Lowering, layer: ly.Affine, scale: FloatArray, offset: FloatArray, to: Quantization
) -> Tensor:
    graph = low.main
    given = _known(low, layer.input)
    ends = np.array([given.real(-128), given.real(127)], np.float32)
    x = _from_outside(low, layer.input)
    x = ops.as_int16(graph, x, quant.symmetric16(*ends))
    reach = np.abs(ends).max()
    scaled = ops.multiply(
        graph, x, _wide_constant(graph, scale), to=_wide(float(np.abs(scale).max() * reach))
    )
    final = _wide(max(abs(to.real(-128)), abs(to.real(127))))
    moved = ops.add(graph, scaled, _wide_constant(graph, offset), to=final)
    return ops.quantize(graph, moved, to)


def _from_outside(low: Lowering, edge: str) -> Tensor:
    return low.tensors[edge] if low.tensors.is_plain(edge) else low.tensors.stored(edge)


def _wide(largest: float) -> Quantization:
    return quant.symmetric16(-largest, largest)


def _wide_constant(graph: Subgraph, values: FloatArray) -> Tensor:
    held = np.atleast_1d(values).astype(np.float32)
    return ops.quantize(
        graph, graph.constant(held), _wide(float(np.abs(held).max())), TensorType.INT16
    )


def _average(low: Lowering, layer: ly.GlobalPool1D, to: Quantization) -> Tensor | None:
    if layer.mask is not None or layer.kind is PoolKind.MAX:
        return None
    x = low.tensors.int8(layer.input, _known(low, layer.input))
    return ops.reduce(low.main, Op.MEAN, x, axes=[1], keep_dims=layer.keepdims, to=to)


def _activation(low: Lowering, layer: ly.Activate, to: Quantization) -> Tensor | None:
    x = low.tensors.int8(layer.input, _known(low, layer.input))
    match fusable(layer.activation):
        case Fused.RELU:
            return ops.unary(low.main, Op.RELU, x, to=to)
        case Fused.NONE:
            return x
        case _:
            # RELU6 too: tflite-micro's does not change the scale.
            return int8_activation(low.main, layer.activation, x, to)


def _merge(low: Lowering, layer: ly.Merge, to: Quantization) -> Tensor | None:
    graph = low.main
    parts = [low.tensors.int8(edge, _known(low, edge)) for edge in layer.inputs]
    match layer.kind:
        case MergeKind.ADD:
            return _folded(graph, ops.add, np.add, parts, to)
        case MergeKind.SUBTRACT:
            return _folded(graph, ops.subtract, np.subtract, parts, to)
        case MergeKind.MULTIPLY:
            return _folded(graph, ops.multiply, np.multiply, parts, to)
        case MergeKind.AVERAGE:
            count = len(parts)
            sums = quant.covering(count * to.real(-128), count * to.real(127))
            part = Quantization.per_tensor(1 / (_LARGEST * count))
            share = graph.constant(np.array(_LARGEST, np.int8), part)
            return ops.multiply(graph, _folded(graph, ops.add, np.add, parts, sums), share, to=to)
        case MergeKind.MAXIMUM | MergeKind.MINIMUM:
            combine = ops.maximum if layer.kind is MergeKind.MAXIMUM else ops.minimum
            alike = [ops.as_int8(graph, part, to) for part in parts]
            result = alike[0]
            for other in alike[1:]:
                result = combine(graph, result, other)
            return result
        case MergeKind.AND | MergeKind.OR:
            return None
        case _:
            assert_never(layer.kind)


def _folded(
    graph: Subgraph,
    combine: Callable[..., Tensor],
    reach: Callable[[FloatArray, FloatArray], FloatArray],
    parts: Sequence[Tensor],
    to: Quantization,
) -> Tensor:
    """Combines part after part; the type in between can represent all their results."""
    result, *others = parts
    for at, part in enumerate(others):
        ends = reach(_ends(result)[:, None], _ends(part)[None, :])
        between = quant.covering(float(ends.min()), float(ends.max()))
        result = combine(graph, result, part, to=to if at == len(others) - 1 else between)
    return result


def _ends(x: Tensor) -> FloatArray:
    if x.quantization is None:
        raise AssertionError("an int8 tensor has a quantization")
    return np.array([x.quantization.real(end) for end in (-128, 127)], np.float32)
