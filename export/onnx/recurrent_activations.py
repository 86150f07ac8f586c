"""The activations that ONNX's recurrent operators have built in."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import assert_never

from edgernn.graph import Activation, ActivationKind, Gru, Lstm, Recurrent, SimpleRnn


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """ONNX's name of the function, and its parameters."""

    name: str
    alpha: float | None = None
    beta: float | None = None


def operator_functions(layer: Recurrent) -> tuple[Function, ...] | None:
    """One for each function of the operator; None if it lacks one of them."""
    functions = tuple(_function(activation) for activation in _activations(layer))
    known = tuple(function for function in functions if function is not None)
    return known if len(known) == len(functions) else None


def _activations(layer: Recurrent) -> tuple[Activation, ...]:
    match layer:
        case Gru():
            return layer.recurrent_activation, layer.activation
        case Lstm():
            return layer.recurrent_activation, layer.activation, layer.activation
        case SimpleRnn():
            return (layer.activation,)
        case _:
            assert_never(layer)


def _function(activation: Activation) -> Function | None:
    match activation.kind:
        case ActivationKind.SIGMOID:
            return Function(name="Sigmoid")
        case ActivationKind.TANH:
            return Function(name="Tanh")
        case ActivationKind.HARD_SIGMOID:
            return Function(name="HardSigmoid", alpha=activation.alpha, beta=activation.beta)
        case ActivationKind.LINEAR:
            return Function(name="Affine", alpha=1.0, beta=0.0)
        case ActivationKind.SOFTSIGN:
            return Function(name="Softsign")
        case ActivationKind.SOFTPLUS:
            return Function(name="Softplus")
        case ActivationKind.ELU:
            return Function(name="Elu", alpha=activation.alpha)
        case ActivationKind.RELU if activation.max_value is None:
            return _relu(activation)
        case _:
            return None


def _relu(activation: Activation) -> Function | None:
    if activation.alpha == 0 and activation.beta == 0:
        return Function(name="Relu")
    if activation.beta == 0:
        return Function(name="LeakyRelu", alpha=activation.alpha)
    if activation.alpha == 0:
        return Function(name="ThresholdedRelu", alpha=activation.beta)
    return None
