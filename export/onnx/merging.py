"""Several tensors into one: concatenation, element-wise merges, dot products, attention."""

from __future__ import annotations

from functools import reduce

import numpy as np
from typing_extensions import assert_never

from edgernn.export.onnx.builder import FLOAT, Builder, Value
from edgernn.export.onnx.edges import Edges, int64
from edgernn.graph import Attention, Compare, CompareKind, Concatenate, Dot, Merge, MergeKind, Where

# Keras' Attention subtracts this from a masked score; it is finite, so that a row in which every
# score is masked is the softmax of the scores and not NaN.
_FORBIDDEN = 1e9

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


def attention(layer: Attention, edges: Edges) -> None:
    builder, op = edges.builder, edges.builder.op
    key = op("Transpose", edges.read(layer.key), perm=[0, 2, 1])
    scores = op("MatMul", edges.read(layer.query), key, name=layer.name)
    if layer.scale != 1:
        scores = op("Mul", scores, builder.constant(np.array(layer.scale, np.float32)))
    forbidden = _forbidden(layer, edges)
    if forbidden is not None:
        much = builder.constant(np.array(_FORBIDDEN, np.float32))
        scores = op("Sub", scores, op("Mul", op("Cast", forbidden, to=FLOAT), much))
    result = op("MatMul", op("Softmax", scores, axis=2), edges.read(layer.value))
    if layer.query_mask is not None:
        kept = op("Unsqueeze", edges.read(layer.query_mask), axes=int64([2]))
        result = op("Where", kept, result, builder.constant(np.zeros((), np.float32)))
    edges.define(layer.output, result)


def _forbidden(layer: Attention, edges: Edges) -> Value | None:
    """bool, broadcasting against [B, Tq, Tk]: masked pairs."""
    op = edges.builder.op
    reasons: list[Value] = []
    if layer.key_mask is not None:
        allowed = op("Unsqueeze", edges.read(layer.key_mask), axes=int64([1]))
        reasons.append(op("Not", allowed))
    if layer.causal:
        reasons.append(_later(layer, edges))
    return reduce(lambda one, other: op("Or", one, other), reasons) if reasons else None


def _later(layer: Attention, edges: Edges) -> Value:
    """bool [Tq, Tk]: the key's step is later than the query's."""
    builder = edges.builder
    rows, columns = edges.spec(layer.query).shape[1], edges.spec(layer.key).shape[1]
    if rows is not None and columns is not None:
        return builder.constant(~np.tri(rows, columns, dtype=np.bool_))
    row, column = _positions(layer.query, edges), _positions(layer.key, edges)
    return builder.op("Less", builder.op("Unsqueeze", row, axes=int64([1])), column)


def _positions(edge: str, edges: Edges) -> Value:
    """int64 [T]: 0, 1, ... for the steps of the edge."""
    builder = edges.builder
    steps = builder.op("Squeeze", edges.sizes(edge, [1]), axes=int64([0]))
    zero, one = (builder.constant(np.array(number, np.int64)) for number in (0, 1))
    return builder.op("Range", zero, steps, one)


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


def where(layer: Where, edges: Edges) -> None:
    edges.builder.needs(9)
    parts = [edges.read(edge) for edge in layer.reads]
    edges.define(layer.output, edges.builder.op("Where", *parts, name=layer.name))
