"""Operators that compute."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgernn.export.tflite import schema
from edgernn.export.tflite.builder import Quantization, Subgraph, Tensor
from edgernn.export.tflite.operators.append import append, integer_version
from edgernn.export.tflite.operators.sizes import broadcast
from edgernn.export.tflite.schema import Fused, Op, Options, TensorType


def fully_connected(
    graph: Subgraph,
    x: Tensor,  # [..., K]
    weights: Tensor,  # [N, K]
    bias: Tensor | None,  # [N]
    *,
    fused: Fused = Fused.NONE,
    to: Quantization | None = None,
) -> Tensor:  # [..., N]
    """x times the transposed weights.  keep_num_dims always: without it XNNPACK adds a reshape.

    float32 times int8 quantizes each row of x at run time.  With a scale for each row of the
    weights this needs version 12: older kernels would use the first scale for all rows.
    """
    hybrid = x.type is TensorType.FLOAT32 and weights.type is TensorType.INT8
    version = 5 if bias is not None else 6
    if x.type is TensorType.INT16:
        version = 7
    if hybrid:
        version = 12 if _is_per_channel(weights) else 9
    return append(
        graph,
        Op.FULLY_CONNECTED,
        [x, weights, bias],
        (*x.shape[:-1], weights.shape[0]),
        options=schema.fully_connected(fused=fused, asymmetric_inputs=hybrid),
        version=version,
        to=to,
    )


def _is_per_channel(weights: Tensor) -> bool:
    return weights.quantization is not None and weights.quantization.scale.size > 1


def batch_matmul(
    graph: Subgraph,
    left: Tensor,  # [B, M, K], [B, K, M] if transposed
    right: Tensor,  # [B, K, N], [B, N, K] if transposed
    *,
    transpose_left: bool = False,
    transpose_right: bool = False,
) -> Tensor:  # [B, M, N]
    rows = left.shape[2 if transpose_left else 1]
    columns = right.shape[1 if transpose_right else 2]
    options = schema.batch_matmul(transpose_left=transpose_left, transpose_right=transpose_right)
    (batch,) = broadcast(left.shape[:1], right.shape[:1])
    return append(graph, Op.BATCH_MATMUL, [left, right], (batch, rows, columns), options=options)


def add(
    graph: Subgraph,
    left: Tensor,
    right: Tensor,
    *,
    fused: Fused = Fused.NONE,
    to: Quantization | None = None,
) -> Tensor:
    options = schema.add(fused, any_scale=left.type is TensorType.INT16)
    return _element_wise(graph, Op.ADD, [left, right], options, to)


def subtract(
    graph: Subgraph, left: Tensor, right: Tensor, *, to: Quantization | None = None
) -> Tensor:
    options = schema.sub(Fused.NONE, any_scale=left.type is TensorType.INT16)
    return _element_wise(graph, Op.SUB, [left, right], options, to)


def multiply(
    graph: Subgraph, left: Tensor, right: Tensor, *, to: Quantization | None = None
) -> Tensor:
    return _element_wise(graph, Op.MUL, [left, right], schema.mul(Fused.NONE), to)


def divide(graph: Subgraph, left: Tensor, right: Tensor) -> Tensor:
    return _element_wise(graph, Op.DIV, [left, right], schema.div())


def maximum(graph: Subgraph, left: Tensor, right: Tensor) -> Tensor:
    """Integers must all have the result's quantization."""
    return _element_wise(graph, Op.MAXIMUM, [left, right], to=left.quantization)


def minimum(graph: Subgraph, left: Tensor, right: Tensor) -> Tensor:
    return _element_wise(graph, Op.MINIMUM, [left, right], to=left.quantization)


def squared_difference(graph: Subgraph, left: Tensor, right: Tensor) -> Tensor:
    return _element_wise(graph, Op.SQUARED_DIFFERENCE, [left, right])


def prelu(graph: Subgraph, x: Tensor, alpha: Tensor) -> Tensor:
    return _element_wise(graph, Op.PRELU, [x, alpha])


def unary(
    graph: Subgraph,
    op: Op,
    x: Tensor,
    *,
    options: Options | None = None,
    to: Quantization | None = None,
) -> Tensor:
    """An operator of one tensor that keeps its shape: RELU, EXP, ABS, ..."""
    version = integer_version(x)
    return append(graph, op, [x], x.shape, options=options, version=version, to=to)


def logistic(graph: Subgraph, x: Tensor, *, to: Quantization | None = None) -> Tensor:
    return append(graph, Op.LOGISTIC, [x], x.shape, version=integer_version(x), to=to)


def tanh(graph: Subgraph, x: Tensor, *, to: Quantization | None = None) -> Tensor:
    return append(graph, Op.TANH, [x], x.shape, version=integer_version(x), to=to)


def softmax(graph: Subgraph, x: Tensor, *, to: Quantization | None = None) -> Tensor:
    """Over the last axis."""
    version = integer_version(x)
    return append(graph, Op.SOFTMAX, [x], x.shape, options=schema.softmax(), version=version, to=to)


def logical_and(graph: Subgraph, left: Tensor, right: Tensor) -> Tensor:
    return _element_wise(graph, Op.LOGICAL_AND, [left, right])


def logical_or(graph: Subgraph, left: Tensor, right: Tensor) -> Tensor:
    return _element_wise(graph, Op.LOGICAL_OR, [left, right])


def less(graph: Subgraph, left: Tensor, right: Tensor) -> Tensor:
    return comparison(graph, Op.LESS, left, right)


def greater_equal(graph: Subgraph, left: Tensor, right: Tensor) -> Tensor:
    return comparison(graph, Op.GREATER_EQUAL, left, right)


def not_equal(graph: Subgraph, left: Tensor, right: Tensor) -> Tensor:
    return comparison(graph, Op.NOT_EQUAL, left, right)


def select(graph: Subgraph, condition: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """`yes` where the condition is true, else `no`; all three are broadcast."""
    shape = broadcast(condition.shape, yes.shape, no.shape)
    operands = [condition, yes, no]
    return append(graph, Op.SELECT_V2, operands, shape, type_=yes.type, to=yes.quantization)


def reduce(
    graph: Subgraph,
    op: Op,
    x: Tensor,
    *,
    axes: Sequence[int],
    keep_dims: bool,
    to: Quantization | None = None,
) -> Tensor:
    """MEAN, SUM, REDUCE_MAX or REDUCE_ANY over axes."""
    reduced = {axis % x.rank for axis in axes}
    shape = [
        1 if axis in reduced else size
        for axis, size in enumerate(x.shape)
        if keep_dims or axis not in reduced
    ]
    return append(
        graph,
        op,
        [x, graph.constant(np.array(sorted(reduced), np.int32))],
        shape,
        options=schema.reducer(keep_dims=keep_dims),
        version=integer_version(x),
        to=to,
    )


def quantize(
    graph: Subgraph, x: Tensor, to: Quantization, type_: TensorType = TensorType.INT8
) -> Tensor:
    """float32 to integers, or integers of one quantization to another; constants at once."""
    if x.buffer and x.type is TensorType.FLOAT32:
        limits = np.iinfo(np.int16 if type_ is TensorType.INT16 else np.int8)
        steps = np.rint(graph.model.values_of(x) / to.scale[0]) + to.zero_point
        return graph.constant(np.clip(steps, limits.min, limits.max).astype(limits.dtype), to)
    version = 1 if x.type is TensorType.FLOAT32 else 2
    if TensorType.INT16 in {x.type, type_}:
        version = 3
    return append(graph, Op.QUANTIZE, [x], x.shape, type_=type_, version=version, to=to)


def dequantize(graph: Subgraph, x: Tensor) -> Tensor:
    """float16 or int8 to float32."""
    version = 3 if x.type in {TensorType.FLOAT16, TensorType.INT16} else 2
    return append(graph, Op.DEQUANTIZE, [x], x.shape, type_=TensorType.FLOAT32, version=version)


def as_float32(graph: Subgraph, x: Tensor) -> Tensor:
    return dequantize(graph, x) if x.type in {TensorType.INT8, TensorType.INT16} else x


def as_int8(graph: Subgraph, x: Tensor, to: Quantization) -> Tensor:
    """x itself if it has this quantization, otherwise x quantized."""
    return _as_integer(graph, x, to, TensorType.INT8)


def as_int16(graph: Subgraph, x: Tensor, to: Quantization) -> Tensor:
    return _as_integer(graph, x, to, TensorType.INT16)


def _as_integer(graph: Subgraph, x: Tensor, to: Quantization, type_: TensorType) -> Tensor:
    if x.type is type_ and x.quantization is not None and x.quantization.is_same(to):
        return x
    return quantize(graph, x, to, type_)


def zero(graph: Subgraph, like: Tensor) -> Tensor:
    """The constant 0 in the type and quantization of another tensor, []."""
    if like.quantization is None:
        return graph.constant(np.array(0, np.float32))
    dtype = np.int16 if like.type is TensorType.INT16 else np.int8
    return graph.constant(np.array(like.quantization.zero_point, dtype), like.quantization)


def cast(
    graph: Subgraph, x: Tensor, target: TensorType, *, to: Quantization | None = None
) -> Tensor:
    options = schema.cast(source=x.type, target=target)
    version = 3 if TensorType.INT8 in {x.type, target} else 1
    return append(
        graph, Op.CAST, [x], x.shape, type_=target, options=options, version=version, to=to
    )


def mask_as_int8(graph: Subgraph, mask: Tensor) -> Tensor:
    """bool as 0 and 1.  Comparisons of int8 abort the process unless all scales are below 1."""
    return cast(graph, mask, TensorType.INT8, to=Quantization.per_tensor(0.5))


def mask_of_int8(graph: Subgraph, stored: Tensor) -> Tensor:
    return not_equal(graph, stored, zero(graph, like=stored))


def comparison(graph: Subgraph, op: Op, left: Tensor, right: Tensor) -> Tensor:
    shape = broadcast(left.shape, right.shape)
    version = 2 if left.type is TensorType.INT8 else 1
    return append(graph, op, [left, right], shape, type_=TensorType.BOOL, version=version)


def _element_wise(
    graph: Subgraph,
    op: Op,
    inputs: Sequence[Tensor],
    options: Options | None = None,
    to: Quantization | None = None,
) -> Tensor:
    shape = broadcast(*(tensor.shape for tensor in inputs))
    version = integer_version(inputs[0])
    return append(graph, op, inputs, shape, options=options, version=version, to=to)
