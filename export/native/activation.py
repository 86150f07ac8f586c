"""Activations as four arguments of an op: kind, alpha, beta, max_value."""

from __future__ import annotations

from typing import Final

from edgernn.graph import Activation, ActivationKind

#: In the order of ERNN_ACTIVATION_LIST.
KINDS: Final = tuple(ActivationKind)


def activation_arguments(activation: Activation) -> tuple[int, float, float, float]:
    """Without a maximum, max_value is infinity."""
    most = float("inf") if activation.max_value is None else activation.max_value
    return (
        KINDS.index(activation.kind),
        float(activation.alpha),
        float(activation.beta),
        float(most),
    )
