"""Element-wise functions that Keras puts behind a layer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ActivationKind(str, Enum):
    """The function's name; its parameters are fields of `Activation`."""

    LINEAR = "linear"
    RELU = "relu"  # x > max_value: max_value; x >= beta: x; else alpha * (x - beta)
    SIGMOID = "sigmoid"
    HARD_SIGMOID = "hard_sigmoid"  # clip(alpha * x + beta, 0, 1)
    TANH = "tanh"
    SOFTMAX = "softmax"  # over `axis`
    LOG_SOFTMAX = "log_softmax"  # over `axis`
    SOFTPLUS = "softplus"
    SOFTSIGN = "softsign"
    ELU = "elu"  # x > 0: x; else alpha * (exp(x) - 1)
    SELU = "selu"
    GELU = "gelu"  # exact: x * Phi(x)
    GELU_TANH = "gelu_tanh"  # the tanh approximation
    SILU = "silu"
    HARD_SILU = "hard_silu"  # x * relu6(x + 3) / 6
    MISH = "mish"
    EXPONENTIAL = "exponential"
    SQRT = "sqrt"
    RSQRT = "rsqrt"  # 1 / sqrt(x)
    LOGARITHM = "log"
    RECIPROCAL = "reciprocal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """One activation with its parameters; which ones count is said at each `ActivationKind`."""

    kind: ActivationKind
    alpha: float = 0.0
    beta: float = 0.0
    max_value: float | None = None
    axis: int = -1


LINEAR = Activation(kind=ActivationKind.LINEAR)
RELU = Activation(kind=ActivationKind.RELU)
SIGMOID = Activation(kind=ActivationKind.SIGMOID)
TANH = Activation(kind=ActivationKind.TANH)
SOFTMAX = Activation(kind=ActivationKind.SOFTMAX)

#: Keras 3: relu6(x + 3) / 6.  Keras 1 and 2: clip(0.2 x + 0.5, 0, 1).
HARD_SIGMOID_KERAS3 = Activation(kind=ActivationKind.HARD_SIGMOID, alpha=1 / 6, beta=0.5)
HARD_SIGMOID_KERAS2 = Activation(kind=ActivationKind.HARD_SIGMOID, alpha=0.2, beta=0.5)
