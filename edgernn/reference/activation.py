"""The element-wise functions, in float32."""

from __future__ import annotations

from math import erf, pi, sqrt

import numpy as np
from typing_extensions import assert_never

from edgernn.graph import Activation, ActivationKind, FloatArray

# Klambauer et al., "Self-Normalizing Neural Networks" (2017), section 2.
_SELU_ALPHA = np.float32(1.6732632423543772)
_SELU_SCALE = np.float32(1.0507009873554805)

_ERF = np.vectorize(erf, otypes=[np.float64])  # numpy has none; exact, not fast


def activate(activation: Activation, x: FloatArray) -> FloatArray:
    """`activation` of x, same shape; float32 in and out."""
    # exp may overflow to infinity on the way to a result that is right (a sigmoid of -100 is 0).
    # The root of -1 is NaN and 1 / 0 infinite here as everywhere.
    with np.errstate(all="ignore"):
        return _activate(activation, x).astype(np.float32, copy=False)


def sigmoid(x: FloatArray) -> FloatArray:
    with np.errstate(over="ignore", under="ignore"):
        return _sigmoid(x)


def softmax(x: FloatArray, axis: int = -1) -> FloatArray:
    with np.errstate(under="ignore"):
        powers = np.exp(x - x.max(axis=axis, keepdims=True))
        return np.asarray(powers / powers.sum(axis=axis, keepdims=True), dtype=np.float32)


def _activate(activation: Activation, x: FloatArray) -> FloatArray:
    kind = activation.kind
    match kind:
        case ActivationKind.LINEAR:
            return x
        case ActivationKind.RELU:
            return _relu(activation, x)
        case ActivationKind.SIGMOID:
            return _sigmoid(x)
        case ActivationKind.HARD_SIGMOID:
            alpha, beta = np.float32(activation.alpha), np.float32(activation.beta)
            return np.asarray(np.clip(alpha * x + beta, np.float32(0), np.float32(1)))
        case ActivationKind.TANH:
            return np.tanh(x)
        case ActivationKind.SOFTMAX:
            return softmax(x, activation.axis)
        case ActivationKind.LOG_SOFTMAX:
            shifted = x - x.max(axis=activation.axis, keepdims=True)
            total = np.exp(shifted).sum(axis=activation.axis, keepdims=True)
            return np.asarray(shifted - np.log(total))
        case ActivationKind.SOFTPLUS:
            return _softplus(x)
        case ActivationKind.SOFTSIGN:
            return np.asarray(x / (1 + np.abs(x)))
        case ActivationKind.ELU:
            return _elu(x, np.float32(activation.alpha))
        case ActivationKind.SELU:
            return np.asarray(_SELU_SCALE * _elu(x, _SELU_ALPHA))
        case ActivationKind.GELU:
            return np.asarray(x * (0.5 * (1 + _ERF(x / sqrt(2)))), dtype=np.float32)
        case ActivationKind.GELU_TANH:
            inner = np.float32(sqrt(2 / pi)) * (x + np.float32(0.044715) * x * x * x)
            return np.asarray(np.float32(0.5) * x * (1 + np.tanh(inner)))
        case ActivationKind.SILU:
            return x * _sigmoid(x)
        case ActivationKind.HARD_SILU:
            return np.asarray(x * np.clip(x + 3, 0, 6) / np.float32(6))
        case ActivationKind.MISH:
            return np.asarray(x * np.tanh(_softplus(x)))
        case ActivationKind.EXPONENTIAL:
            return np.exp(x)
        case ActivationKind.SQRT:
            return np.sqrt(x)
        case ActivationKind.RSQRT:
            return np.asarray(1 / np.sqrt(x))
        case ActivationKind.LOGARITHM:
            return np.log(x)
        case ActivationKind.RECIPROCAL:
            return np.asarray(1 / x)
        case _:
            assert_never(kind)


def _relu(activation: Activation, x: FloatArray) -> FloatArray:
    threshold = np.float32(activation.beta)
    below = np.float32(activation.alpha) * np.minimum(x - threshold, np.float32(0))
    rectified = np.where(x > threshold, x, below)
    if activation.max_value is None:
        return rectified
    return np.minimum(rectified, np.float32(activation.max_value))


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-x)))


def _softplus(x: FloatArray) -> FloatArray:
    return np.logaddexp(x, np.float32(0))


def _elu(x: FloatArray, alpha: np.float32) -> FloatArray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, np.float32(0))))
