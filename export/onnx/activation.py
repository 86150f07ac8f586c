"""Activations as ONNX operators; newer operators are composed of older ones.

ONNX Runtime recognizes the pieces of Gelu and fuses them again.
"""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
from typing_extensions import assert_never

from edgernn.export.onnx.builder import Builder, Value
from edgernn.export.onnx.edges import PLAIN, Edges, Form, Layout
from edgernn.graph import Activate, Activation, ActivationKind

_OVER_AN_AXIS = (ActivationKind.SOFTMAX, ActivationKind.LOG_SOFTMAX)


def activate_layer(layer: Activate, edges: Edges) -> None:
    spec = edges.spec(layer.input)
    if layer.activation.kind in _OVER_AN_AXIS:
        axis = layer.activation.axis % spec.rank
        if axis == spec.rank - 1:
            x, form = edges.read_any(layer.input, Layout.BATCH_TIME, Layout.TIME_BATCH)
        else:
            x, form = edges.read(layer.input), PLAIN
    else:
        x, form = edges.read_any(layer.input, *Layout)
    result = activate(layer.activation, x, spec.rank, edges.builder, name=layer.name)
    edges.define(layer.output, result, form)


def activate_result(
    activation: Activation, x: Value, edge: str, edges: Edges, form: Form = PLAIN
) -> None:
    """Defines `edge` as the activation of x, whose elements are in `form`."""
    rank = edges.spec(edge).rank
    if activation.kind in _OVER_AN_AXIS and form.layout is not Layout.BATCH_TIME:
        before = f"{edge} before {activation.kind.value}"
        edges.define(before, x, form)
        x, form = edges.read(before), PLAIN
    edges.define(edge, activate(activation, x, rank, edges.builder), form)


def activate(
    activation: Activation, x: Value, rank: int, builder: Builder, *, name: str = ""
) -> Value:
    """The activation of x, a tensor of `rank` axes."""
    op = builder.op

    def scalar(value: float) -> Value:
        return builder.constant(np.array(value, np.float32))

    kind = activation.kind
    match kind:
        case ActivationKind.LINEAR:
            return x
        case ActivationKind.RELU:
            return _relu(activation, x, builder, name)
        case ActivationKind.SIGMOID:
            return op("Sigmoid", x, name=name)
        case ActivationKind.HARD_SIGMOID:
            return op("HardSigmoid", x, name=name, alpha=activation.alpha, beta=activation.beta)
        case ActivationKind.TANH:
            return op("Tanh", x, name=name)
        case ActivationKind.SOFTMAX | ActivationKind.LOG_SOFTMAX:
            axis = activation.axis % rank
            if axis != rank - 1:
                builder.needs(13)  # before, all axes from `axis` on were one
            operator = "Softmax" if kind is ActivationKind.SOFTMAX else "LogSoftmax"
            return op(operator, x, name=name, axis=axis)
        case ActivationKind.SOFTPLUS:
            return op("Softplus", x, name=name)
        case ActivationKind.SOFTSIGN:
            return op("Softsign", x, name=name)
        case ActivationKind.ELU:
            return op("Elu", x, name=name, alpha=activation.alpha)
        case ActivationKind.SELU:
            return op("Selu", x, name=name)
        case ActivationKind.GELU:
            error = op("Erf", op("Div", x, scalar(sqrt(2))), name=name)
            return op("Mul", op("Mul", x, op("Add", error, scalar(1))), scalar(0.5))
        case ActivationKind.GELU_TANH:
            cube = op("Pow", x, scalar(3))
            inner = op("Add", x, op("Mul", cube, scalar(0.044715)))
            curve = op("Tanh", op("Mul", inner, scalar(sqrt(2 / pi))), name=name)
            return op("Mul", op("Mul", x, op("Add", curve, scalar(1))), scalar(0.5))
        case ActivationKind.SILU:
            return op("Mul", x, op("Sigmoid", x), name=name)
        case ActivationKind.HARD_SILU:
            return op("Mul", x, op("HardSigmoid", x, alpha=1 / 6, beta=0.5), name=name)
        case ActivationKind.MISH:
            return op("Mul", x, op("Tanh", op("Softplus", x)), name=name)
        case ActivationKind.EXPONENTIAL:
            return op("Exp", x, name=name)
        case ActivationKind.SQRT:
            return op("Sqrt", x, name=name)
        case ActivationKind.RSQRT:
            return op("Reciprocal", op("Sqrt", x), name=name)
        case ActivationKind.LOGARITHM:
            return op("Log", x, name=name)
        case ActivationKind.RECIPROCAL:
            return op("Reciprocal", x, name=name)
        case _:
            assert_never(kind)


def _relu(activation: Activation, x: Value, builder: Builder, name: str) -> Value:
    op = builder.op
    threshold, slope, limit = activation.beta, activation.alpha, activation.max_value

    def scalar(value: float) -> Value:
        return builder.constant(np.array(value, np.float32))

    if threshold == 0 and slope == 0:
        if limit is None:
            return op("Relu", x, name=name)
        bounds = {"min": np.array(0, np.float32), "max": np.array(limit, np.float32)}
        return op("Clip", x, name=name, **bounds)
    if threshold == 0:
        rectified = op("LeakyRelu", x, name=name, alpha=slope)
    else:
        below = op("Min", op("Sub", x, scalar(threshold)), scalar(0))
        is_above = op("Greater", x, scalar(threshold))
        rectified = op("Where", is_above, x, op("Mul", below, scalar(slope)), name=name)
    return rectified if limit is None else op("Min", rectified, scalar(limit))
