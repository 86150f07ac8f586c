"""Pooling over all of time, step by step."""

from __future__ import annotations

import numpy as np
from typing_extensions import assert_never

from edgernn.graph import (
    Activate,
    Activation,
    ActivationKind,
    Affine,
    ApplyMask,
    GlobalPool1D,
    Merge,
    MergeKind,
    PoolKind,
    Slice,
)
from edgernn.streaming.stepper import Stepper, Time

# Far below any activation but finite: added to a maximum that is not valid yet.
_LOWEST = 1e30


def running_pool(layer: GlobalPool1D, stepper: Stepper) -> None:
    """Defines the pooled value of the sequence so far."""
    match layer.kind:
        case PoolKind.MAX:
            result = _running_maximum(layer, stepper)
        case PoolKind.AVERAGE:
            result = _running_average(layer, stepper)
        case _:
            assert_never(layer.kind)
    if layer.keepdims:
        stepper.renamed[layer.output] = result
    else:
        squeezed = Slice(name=layer.name, input=result, output=layer.output, axis=1, squeeze=True)
        stepper.add(squeezed)
    time = Time(is_sequence=False, warm_up=stepper.times[layer.input].warm_up)
    stepper.times[layer.output] = stepper.times[result] = time


def _merge(stepper: Stepper, wanted: str, kind: MergeKind, *inputs: str) -> str:
    name = stepper.name(wanted)
    return stepper.add(Merge(name=name, inputs=inputs, output=name, kind=kind))


def _affine(stepper: Stepper, wanted: str, edge: str, scale: float, offset: float) -> str:
    name = stepper.name(wanted)
    factor, term = np.array([scale], np.float32), np.array([offset], np.float32)
    return stepper.add(Affine(name=name, input=edge, output=name, scale=factor, offset=term))


def _masked(stepper: Stepper, wanted: str, edge: str, mask: str | None) -> str:
    if mask is None:
        return edge
    name = stepper.name(wanted)
    return stepper.add(ApplyMask(name=name, input=edge, mask=mask, output=name))


def _running_maximum(layer: GlobalPool1D, stepper: Stepper) -> str:
    """max(x, maximum so far); the latter is lowered as long as there is no valid step.

    Keras' maximum ignores masks; the steps of a warm-up are left out.
    """
    batch, _, channels = stepper.specs[layer.input].shape
    started = stepper.new_state(f"{layer.name}_started", (batch, 1, 1))
    maximum = stepper.new_state(f"{layer.name}_maximum", (batch, 1, channels))
    lowered = _affine(stepper, f"{layer.name}/lowered", started, _LOWEST, -_LOWEST)
    so_far = _merge(stepper, f"{layer.name}/so_far", MergeKind.ADD, maximum, lowered)
    result = _merge(stepper, f"{layer.name}/maximum", MergeKind.MAXIMUM, so_far, layer.input)
    ones = stepper.ones(layer, layer.input)
    ready = stepper.valid_steps(layer, layer.input, None)
    kept, has_started = result, _masked(stepper, f"{layer.name}/starts", ones, ready)
    if stepper.times[layer.input].period > 1 and ready is not None:
        ever = f"{layer.name}/has_started"
        has_started = _merge(stepper, ever, MergeKind.MAXIMUM, started, has_started)
        kept = stepper.chosen(layer, "kept", ready, result, maximum)
        result = stepper.chosen(layer, "shown", ready, result, so_far)
    stepper.ports.hand_on(started, has_started)
    stepper.ports.hand_on(maximum, kept)
    return result


def _running_average(layer: GlobalPool1D, stepper: Stepper) -> str:
    """average + (x - average) / n for the n-th valid step.

    1 / n comes from softsign(n - 1) = (n - 1) / n.  The count is exact up to 2^24 steps, then
    constant: from then on, the influence of old steps slowly decreases.  Before the first valid
    step the average is zero (the whole model has NaN there).
    """
    batch, _, channels = stepper.specs[layer.input].shape
    mask = stepper.valid_steps(layer, layer.input, layer.mask)
    before = stepper.new_state(f"{layer.name}_count", (batch, 1, 1))
    average = stepper.new_state(f"{layer.name}_average", (batch, 1, channels))
    ratio = stepper.name(f"{layer.name}/ratio")
    softsign = Activation(kind=ActivationKind.SOFTSIGN)
    stepper.add(Activate(name=ratio, input=before, output=ratio, activation=softsign))
    share = _affine(stepper, f"{layer.name}/share", ratio, -1.0, 1.0)
    difference = _merge(
        stepper, f"{layer.name}/difference", MergeKind.SUBTRACT, layer.input, average
    )
    step = _merge(stepper, f"{layer.name}/step", MergeKind.MULTIPLY, difference, share)
    counted = _masked(stepper, f"{layer.name}/counted_step", step, mask)
    result = _merge(stepper, f"{layer.name}/average", MergeKind.ADD, average, counted)
    ones = stepper.ones(layer, layer.input)
    one_more = _masked(stepper, f"{layer.name}/one_more", ones, mask)
    count = _merge(stepper, f"{layer.name}/count", MergeKind.ADD, before, one_more)
    stepper.ports.hand_on(before, count)
    stepper.ports.hand_on(average, result)
    return result
