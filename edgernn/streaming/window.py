"""Convolution and pooling over the last few steps, which are stored in a state."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from typing_extensions import assert_never

from edgernn.graph import Conv1D, Conv2D, Padding, Pool1D, Pool2D, ZeroPad1D
from edgernn.streaming.stepper import Stepper, Time

#: Of two dimensions, the rows are the time.
_Window: TypeAlias = Conv1D | Conv2D | Pool1D | Pool2D


def windowed(layer: _Window, stepper: Stepper) -> None:
    """The state starts as the causal padding; without padding, the first results are invalid."""
    span, stride, padding = _over_time(layer)
    if padding is Padding.SAME and span > 1:
        stepper.refuse(
            layer,
            f"looks ahead (steps: {span // 2}; padding 'same')",
            f"Train it with {_that_looks_back(layer)}, or export the whole model without "
            "--streaming",
        )
    before = stepper.times[layer.input]
    source, added = layer.input, 0
    match padding:
        case Padding.VALID:
            added = (span - 1) * before.period
        case Padding.CAUSAL if isinstance(layer, Pool1D | Pool2D) and span > 1:
            stepper.refuse(
                layer, "pools over steps before the first", "Use padding='valid' and strides=1"
            )
        case Padding.CAUSAL:
            if span > 1 and before.period == 1:  # else the state is zeros until the first element
                source = stepper.silent_before_start(layer, layer.input)
        case Padding.SAME:
            pass
        case _:
            assert_never(padding)
    warm_up = before.warm_up + added
    if warm_up < 0 or (before.warm_up < 0 and padding is not Padding.VALID):
        stepper.refuse(
            layer,
            "would have results before the first call",
            "Pad by at most kernel_size - 1 steps, or use padding='causal'",
        )
    if span > 1:
        tick = stepper.tick(layer, layer.input) if before.period > 1 else None
        source = stepper.shift(layer, "window", source, span - 1, tick=tick)
    stepper.add(_of_one_step(layer, source))
    stepper.times[layer.output] = Time(
        is_sequence=True, warm_up=warm_up, period=before.period * stride
    )


def _that_looks_back(layer: _Window) -> str:
    match layer:
        case Conv1D():
            return "padding='causal'"
        case Conv2D():
            return "padding='valid' behind ZeroPadding2D of the first rows"
        case Pool1D() | Pool2D():
            return "padding='valid'"
        case _:
            assert_never(layer)


def _over_time(layer: _Window) -> tuple[int, int, Padding]:
    """Steps from the first to the last that the window sees, the stride, the padding."""
    match layer:
        case Conv1D():
            return (layer.kernel.shape[0] - 1) * layer.dilation + 1, layer.stride, layer.padding
        case Pool1D():
            return layer.window, layer.stride, layer.padding
        case Conv2D():
            return layer.spans[0], layer.strides[0], layer.paddings[0]
        case Pool2D():
            return layer.window[0], layer.strides[0], layer.paddings[0]
        case _:
            assert_never(layer)


def _of_one_step(layer: _Window, source: str) -> _Window:
    if isinstance(layer, Conv2D | Pool2D):
        return replace(layer, input=source, paddings=(Padding.VALID, layer.paddings[1]))
    return replace(layer, input=source, padding=Padding.VALID)


def zero_padded(layer: ZeroPad1D, stepper: Stepper) -> None:
    """The state of a window starts as zeros in front; the next layer must have such a state."""
    if layer.right:
        stepper.refuse(
            layer,
            f"adds {layer.right} steps behind the last, which a stream does not have",
            "Pad on the left only, or export the whole model without --streaming",
        )
    before = stepper.times[layer.input]
    if before.period > 1:
        stepper.refuse(
            layer,
            f"adds steps to a sequence with one of {before.period} steps",
            "Pad in front of the first stride, or export the whole model without --streaming",
        )
    stepper.renamed[layer.output] = stepper.silent_before_start(layer, layer.input)
    stepper.times[layer.output] = replace(before, warm_up=before.warm_up - layer.left)
    stepper.times[stepper.renamed[layer.output]] = stepper.times[layer.output]
