"""Activations as four arguments of an op: kind, alpha, beta, max_value."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from edgernn.export.native.builder import Builder
from edgernn.export.native.records import OpKind
from edgernn.graph import Activate, Activation, ActivationKind

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


def lower_over_steps(builder: Builder, layer: Activate) -> None:
    """A softmax over steps: over the features of the same numbers with both axes in turn."""
    form = builder.forms[layer.input]
    turned = replace(form, width=form.steps or 1, steps=form.width)
    before, behind = (builder.temporary(layer.output, turned) for _ in range(2))
    builder.op(OpKind.TRANSPOSE, layer.name, [layer.input], [before])
    builder.op(
        OpKind.ACTIVATE, layer.name, [before], [behind], activation_arguments(layer.activation)
    )
    builder.op(OpKind.TRANSPOSE, layer.name, [behind], [layer.output])
