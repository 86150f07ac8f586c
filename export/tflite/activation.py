"""Activations as operators; those without an operator are composed of others."""

from __future__ import annotations

from typing_extensions import assert_never

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite import schema
from edgernn.export.tflite.builder import Subgraph, Tensor
from edgernn.export.tflite.schema import Fused, Op
from edgernn.export.tflite.weights import scalar
from edgernn.graph import Activation, ActivationKind

# Constants of SELU (Klambauer et al. 2017), with Keras' digits.
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


def activate(graph: Subgraph, activation: Activation, x: Tensor) -> Tensor:
    """activation(x), float32, shape kept."""
    match activation.kind:
        case ActivationKind.LINEAR:
            return x
        case ActivationKind.RELU:
            return _relu(graph, activation, x)
        case ActivationKind.SIGMOID:
            return ops.logistic(graph, x)
        case ActivationKind.HARD_SIGMOID:
            return _hard_sigmoid(graph, activation, x)
        case ActivationKind.TANH:
            return ops.tanh(graph, x)
        case ActivationKind.SOFTMAX:
            return _over_axis(graph, Op.SOFTMAX, activation.axis, x)
        case ActivationKind.LOG_SOFTMAX:
            return _over_axis(graph, Op.LOG_SOFTMAX, activation.axis, x)
        case ActivationKind.SOFTPLUS:
            return _softplus(graph, x)
        case ActivationKind.SOFTSIGN:
            one_more = ops.add(graph, ops.unary(graph, Op.ABS, x), scalar(graph, 1.0))
            return ops.divide(graph, x, one_more)
        case ActivationKind.ELU:
            return _elu(graph, x, activation.alpha)
        case ActivationKind.SELU:
            return _scaled(graph, _elu(graph, x, _SELU_ALPHA), _SELU_SCALE)
        case ActivationKind.GELU:
            return ops.unary(graph, Op.GELU, x, options=schema.gelu(approximate=False))
        case ActivationKind.GELU_TANH:
            return ops.unary(graph, Op.GELU, x, options=schema.gelu(approximate=True))
        case ActivationKind.SILU:
            return ops.multiply(graph, x, ops.logistic(graph, x))
        case ActivationKind.HARD_SILU:
            return ops.unary(graph, Op.HARD_SWISH, x)
        case ActivationKind.MISH:
            return ops.multiply(graph, x, ops.tanh(graph, _softplus(graph, x)))
        case ActivationKind.EXPONENTIAL:
            return ops.unary(graph, Op.EXP, x)
        case ActivationKind.SQRT:
            return ops.unary(graph, Op.SQRT, x)
        case ActivationKind.RSQRT:
            return ops.unary(graph, Op.RSQRT, x)
        case ActivationKind.LOGARITHM:
            return ops.unary(graph, Op.LOG, x)
        case ActivationKind.RECIPROCAL:
            return ops.divide(graph, scalar(graph, 1.0), x)
        case _:
            assert_never(activation.kind)


def fusable(activation: Activation) -> Fused | None:
    """The activation as an option of a matrix product or convolution; None if it is none."""
    if activation.kind is ActivationKind.LINEAR:
        return Fused.NONE
    if activation.kind is ActivationKind.RELU and activation.alpha == activation.beta == 0.0:
        return {None: Fused.RELU, 6.0: Fused.RELU6}.get(activation.max_value)
    return None


def _relu(graph: Subgraph, activation: Activation, x: Tensor) -> Tensor:
    alpha, beta, top = activation.alpha, activation.beta, activation.max_value
    match fusable(activation):
        case Fused.RELU:
            return ops.unary(graph, Op.RELU, x)
        case Fused.RELU6:
            return ops.unary(graph, Op.RELU6, x)
        case _:
            pass
    if beta == 0.0:
        rising = ops.unary(graph, Op.LEAKY_RELU, x, options=schema.leaky_relu(alpha))
    else:
        threshold = scalar(graph, beta)
        below = _scaled(graph, ops.subtract(graph, x, threshold), alpha)
        rising = ops.select(graph, ops.greater_equal(graph, threshold, x), below, x)
    return rising if top is None else ops.minimum(graph, rising, scalar(graph, top))


def _hard_sigmoid(graph: Subgraph, activation: Activation, x: Tensor) -> Tensor:
    """clip(alpha x + beta, 0, 1) as relu6(6 alpha x + 6 beta) / 6: Keras 3 has 6 alpha = 1."""
    shifted = ops.add(
        graph,
        _scaled(graph, x, 6 * activation.alpha),
        scalar(graph, 6 * activation.beta),
        fused=Fused.RELU6,
    )
    return _scaled(graph, shifted, 1 / 6)


def _softplus(graph: Subgraph, x: Tensor) -> Tensor:
    """log(1 + exp x) = max(x, 0) + log(1 + exp(-|x|)), which cannot overflow."""
    decay = ops.unary(graph, Op.EXP, ops.unary(graph, Op.NEG, ops.unary(graph, Op.ABS, x)))
    tail = ops.unary(graph, Op.LOG, ops.add(graph, decay, scalar(graph, 1.0)))
    return ops.add(graph, ops.unary(graph, Op.RELU, x), tail)


def _elu(graph: Subgraph, x: Tensor, alpha: float) -> Tensor:
    if alpha == 1.0:
        return ops.unary(graph, Op.ELU, x)
    negative = ops.unary(graph, Op.ELU, ops.minimum(graph, x, scalar(graph, 0.0)))
    return ops.add(graph, ops.unary(graph, Op.RELU, x), _scaled(graph, negative, alpha))


def _scaled(graph: Subgraph, x: Tensor, factor: float) -> Tensor:
    return x if factor == 1.0 else ops.multiply(graph, x, scalar(graph, factor))


def _over_axis(graph: Subgraph, op: Op, axis: int, x: Tensor) -> Tensor:
    """TFLite's softmax supports only the last axis."""
    order = list(range(x.rank))
    axis %= x.rank
    order[axis], order[-1] = order[-1], order[axis]
    moved = ops.transpose(graph, x, order)
    result = ops.softmax(graph, moved) if op is Op.SOFTMAX else ops.unary(graph, op, moved)
    return ops.transpose(graph, result, order)
