"""Convolution and pooling over the last few steps, which are stored in a state."""

from __future__ import annotations

from dataclasses import replace

from typing_extensions import assert_never

from edgernn.graph import Conv1D, Padding, Pool1D, ZeroPad1D
from edgernn.streaming.stepper import Stepper, Time


def windowed(layer: Conv1D | Pool1D, stepper: Stepper) -> None:
    """The state starts as the causal padding; without padding, the first results are invalid."""
    span = _span(layer)
    if layer.stride != 1:
        stepper.refuse(
            layer,
            f"takes one of {layer.stride} steps, so some calls would have no result",
            "Use strides=1, or export the whole model without --streaming",
        )
    if layer.padding is Padding.SAME and span > 1:
        stepper.refuse(
            layer,
            f"looks ahead (steps: {span // 2}; padding 'same')",
            "Train it with padding='causal', or export the whole model without --streaming",
        )
    before = stepper.times[layer.input]
    source, added = layer.input, 0
    match layer.padding:
        case Padding.VALID:
            added = span - 1
        case Padding.CAUSAL if isinstance(layer, Pool1D) and span > 1:
            stepper.refuse(
                layer, "pools over steps before the first", "Use padding='valid' and strides=1"
            )
        case Padding.CAUSAL:
            if span > 1:
                source = stepper.silent_before_start(layer, layer.input)
        case Padding.SAME:
            pass
        case _:
            assert_never(layer.padding)
    warm_up = before.warm_up + added
    if warm_up < 0 or (before.warm_up < 0 and layer.padding is not Padding.VALID):
        stepper.refuse(
            layer,
            "would have results before the first call",
            "Pad by at most kernel_size - 1 steps, or use padding='causal'",
        )
    if span > 1:
        source = stepper.shift(layer, "window", source, span - 1)
    stepper.add(replace(layer, input=source, padding=Padding.VALID))
    stepper.times[layer.output] = Time(is_sequence=True, warm_up=warm_up)


def _span(layer: Conv1D | Pool1D) -> int:
    """Steps from the first to the last one in the window."""
    if isinstance(layer, Pool1D):
        return layer.window
    return (layer.kernel.shape[0] - 1) * layer.dilation + 1


def zero_padded(layer: ZeroPad1D, stepper: Stepper) -> None:
    """The state of a window starts as zeros in front; the next layer must have such a state."""
    if layer.right:
        stepper.refuse(
            layer,
            f"adds {layer.right} steps behind the last, which a stream does not have",
            "Pad on the left only, or export the whole model without --streaming",
        )
    before = stepper.times[layer.input]
    stepper.renamed[layer.output] = stepper.silent_before_start(layer, layer.input)
    stepper.times[layer.output] = replace(before, warm_up=before.warm_up - layer.left)
    stepper.times[stepper.renamed[layer.output]] = stepper.times[layer.output]
