"""Several tensors into one: concatenation, element-wise merges, dot products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from typing_extensions import assert_never

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.builder import Subgraph, Tensor
from edgernn.export.tflite.edges import Lowering
from edgernn.export.tflite.precision import quantization_of
from edgernn.export.tflite.schema import Op
from edgernn.export.tflite.weights import scalar
from edgernn.graph import Compare, CompareKind, Concatenate, Dot, Merge, MergeKind

# As tf.nn.l2_normalize: below this sum of squares it divides by the root of this number.
_L2_EPSILON = 1e-12


def concatenate(low: Lowering, layer: Concatenate) -> Tensor:
    """Joins int8 parts of one quantization as int8; of several, only in profiles without floats."""
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


def merge(graph: Subgraph, layer: Merge, inputs: Sequence[Tensor]) -> Tensor:
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


def dot(low: Lowering, layer: Dot) -> Tensor:
    graph = low.main
    left, right = low.tensors[layer.left], low.tensors[layer.right]
    if max(left.rank, right.rank) > 3:
        raise low.refuse(
            layer,
            f"multiplies tensors of rank {left.rank} and {right.rank}; TFLite's has at most 3",
            "Reshape them to [batch, rows, columns] first",
        )
    if layer.normalize:
        left = _unit(graph, left, layer.left_axis)
        right = _unit(graph, right, layer.right_axis)
    rows = left if left.rank == 3 else ops.expand_dims(graph, left, axis=1)  # [B, 1, K]
    columns = right if right.rank == 3 else ops.expand_dims(graph, right, axis=2)  # [B, K, 1]
    product = ops.batch_matmul(
        graph,
        rows,
        columns,
        transpose_left=left.rank == 3 and layer.left_axis == 1,
        transpose_right=right.rank == 3 and layer.right_axis == 2,
    )
    if right.rank == 2:
        product = ops.squeeze(graph, product, axis=2)
    if left.rank == 2 and product.rank == 3:
        product = ops.squeeze(graph, product, axis=1)
    return product


def _unit(graph: Subgraph, x: Tensor, axis: int) -> Tensor:
    squares = ops.multiply(graph, x, x)
    total = ops.reduce(graph, Op.SUM, squares, axes=[axis], keep_dims=True)
    floor = ops.maximum(graph, total, scalar(graph, _L2_EPSILON))
    return ops.multiply(graph, x, ops.unary(graph, Op.RSQRT, floor))


_COMPARISONS = {
    CompareKind.GREATER: Op.GREATER,
    CompareKind.GREATER_EQUAL: Op.GREATER_EQUAL,
    CompareKind.LESS: Op.LESS,
    CompareKind.LESS_EQUAL: Op.LESS_EQUAL,
}


def compare(low: Lowering, layer: Compare) -> Tensor:
    graph = low.main
    value = scalar(graph, layer.value)
    return ops.comparison(graph, _COMPARISONS[layer.kind], low.tensors[layer.input], value)
