"""Several tensors into one: concatenation, element-wise merges, dot products."""

from __future__ import annotations

from functools import reduce

import numpy as np
from typing_extensions import assert_never

from edgernn.export.onnx.builder import FLOAT, Builder, Value
from edgernn.export.onnx.edges import Edges, int64
from edgernn.graph import Cast, Compare, CompareKind, Concatenate, Dot, Merge, MergeKind, Where

# Below this sum of squares, tf.nn.l2_normalize divides by its root instead.
_L2_EPSILON = 1e-12


def concatenate(layer: Concatenate, edges: Edges) -> None:
    rank = edges.spec(layer.output).rank
    axis = layer.axis % rank
    if axis == rank - 1 and rank == 3:
        values, form = edges.read_alike(layer.inputs)
        position = form.layout.position(axis)
        joined = edges.builder.op("Concat", *values, name=layer.name, axis=position)
        edges.define(layer.output, joined, form)
    else:
        plain = [edges.read(edge) for edge in layer.inputs]
        joined = edges.builder.op("Concat", *plain, name=layer.name, axis=axis)
        edges.define(layer.output, joined)


def merge(layer: Merge, edges: Edges) -> None:
    values, form = edges.read_alike(layer.inputs)
    edges.define(layer.output, _merged(layer, values, edges.builder), form)


def _merged(layer: Merge, values: list[Value], builder: Builder) -> Value:
    def pairwise(operator: str) -> Value:
        return reduce(lambda left, right: builder.op(operator, left, right), values)

    match layer.kind:
        case MergeKind.ADD:
            return pairwise("Add") if len(values) < 3 else builder.op("Sum", *values)
        case MergeKind.SUBTRACT:
            return pairwise("Sub")
        case MergeKind.MULTIPLY:
            return pairwise("Mul")
        case MergeKind.AVERAGE:
            return builder.op("Mean", *values, name=layer.name)
        case MergeKind.MAXIMUM:
            return builder.op("Max", *values, name=layer.name)
        case MergeKind.MINIMUM:
            return builder.op("Min", *values, name=layer.name)
        case MergeKind.AND:
            return pairwise("And")
        case MergeKind.OR:
            return pairwise("Or")
        case _:
            assert_never(layer.kind)


def dot(layer: Dot, edges: Edges) -> None:
    """Einsum handles any axes; plain matrices and vectors use older operators."""
    builder = edges.builder
    left, right = edges.read(layer.left), edges.read(layer.right)
    if layer.normalize:
        left = _unit(left, layer.left_axis, builder)
        right = _unit(right, layer.right_axis, builder)
    left_rank, right_rank = edges.spec(layer.left).rank, edges.spec(layer.right).rank
    if left_rank == right_rank == 2:
        product = builder.op("Mul", left, right)
        axes = int64([1])
        result = builder.op("ReduceSum", product, name=layer.name, axes=axes, keepdims=1)
    elif left_rank == right_rank == 3:
        if layer.left_axis == 1:
            left = builder.op("Transpose", left, perm=[0, 2, 1])
        if layer.right_axis == 2:
            right = builder.op("Transpose", right, perm=[0, 2, 1])
        result = builder.op("MatMul", left, right, name=layer.name)
    else:
        equation = _equation(left_rank, layer.left_axis, right_rank, layer.right_axis)
        result = builder.op("Einsum", left, right, name=layer.name, equation=equation)
    edges.define(layer.output, result)


def _equation(left_rank: int, left_axis: int, right_rank: int, right_axis: int) -> str:
    letters = iter("cdefghijklm")
    left = ["b", *(next(letters) for _ in range(left_rank - 1))]
    right = ["b", *(next(letters) for _ in range(right_rank - 1))]
    left[left_axis] = right[right_axis] = "z"
    kept = [letter for letter in (*left[1:], *right[1:]) if letter != "z"]
    return f"{''.join(left)},{''.join(right)}->b{''.join(kept)}"


def _unit(x: Value, axis: int, builder: Builder) -> Value:
    squares = builder.op("ReduceSum", builder.op("Mul", x, x), axes=int64([axis]), keepdims=1)
    epsilon = builder.constant(np.array(_L2_EPSILON, np.float32))
    return builder.op("Div", x, builder.op("Sqrt", builder.op("Max", squares, epsilon)))


_COMPARISONS = {
    CompareKind.GREATER: "Greater",
    CompareKind.GREATER_EQUAL: "GreaterOrEqual",
    CompareKind.LESS: "Less",
    CompareKind.LESS_EQUAL: "LessOrEqual",
}


def compare(layer: Compare, edges: Edges) -> None:
    builder = edges.builder
    builder.needs(12 if layer.kind.value.endswith("equal") else 9)
    value = builder.constant(np.array(layer.value, np.float32))
    x = edges.read(layer.input)
    result = builder.op(_COMPARISONS[layer.kind], x, value, name=layer.name)
    edges.define(layer.output, result)


def cast(layer: Cast, edges: Edges) -> None:
    numbers = edges.builder.op("Cast", edges.read(layer.input), name=layer.name, to=FLOAT)
    edges.define(layer.output, numbers)


def where(layer: Where, edges: Edges) -> None:
    edges.builder.needs(9)
    parts = [edges.read(edge) for edge in layer.reads]
    edges.define(layer.output, edges.builder.op("Where", *parts, name=layer.name))
