"""A recurrent layer that runs one step from the state after the previous call."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from edgernn.graph import (
    ApplyMask,
    DType,
    Merge,
    MergeKind,
    Recurrent,
    Repeat,
    Slice,
    consumers,
)
from edgernn.streaming.states import state_fields
from edgernn.streaming.stepper import Stepper, Time


def one_step(layer: Recurrent, stepper: Stepper) -> None:
    """The output of a step is the state h, whether the step is masked (h is kept) or not."""
    if layer.go_backwards:
        stepper.refuse(
            layer,
            "runs backward in time, from a last step that a stream does not have",
            "Use a layer that runs forward only, or export the whole model without --streaming",
        )
    mask = stepper.valid_steps(layer, layer.input, layer.mask)
    given = {initial: _initial_state(layer, initial, stepper) for initial, _ in state_fields(layer)}
    step = replace(layer, mask=mask, stateful=False, **given)  # type: ignore[arg-type]
    time = Time(is_sequence=False, warm_up=stepper.times[layer.input].warm_up)
    if mask is None or layer.zero_output_for_mask:
        stepper.add(step)
    else:
        # A step that is masked and alone has the output zero; in a sequence, that of the step
        # before, which is h.
        last = stepper.name(f"{layer.name}/last")
        stepper.add(replace(step, return_sequences=False, output=last))
        # Unless the caller chooses the first state: then h is not zero before the first step.
        is_chosen = layer.initial_h is not None and not stepper.ports.is_state(layer.initial_h)
        _emit_state(layer, stepper, shown_since=mask if is_chosen else None)
    for initial, final in state_fields(layer):
        if not stepper.ports.is_state(given[initial]):
            stepper.ports.hand_on(given[initial], getattr(layer, final))
    period = stepper.times[layer.input].period if layer.return_sequences else 1
    stepper.times[layer.output] = replace(time, is_sequence=layer.return_sequences, period=period)
    for _, final in state_fields(layer):
        stepper.times[getattr(layer, final)] = time


def hand_on_given(layer: Recurrent, stepper: Stepper) -> None:
    """A layer over a vector, as one step: the state that the model is given is handed on.

    The model is a step already.  A layer that begins with zeros does so in each call.
    """
    given = {entry.name for entry in stepper.graph.inputs}
    given -= {state.input for state in stepper.graph.states}
    if stepper.specs[layer.input].shape[1] != 1:
        return
    for initial, final in state_fields(layer):
        edge = getattr(layer, initial)
        if edge not in given:
            continue
        if stepper.ports.is_state(edge):
            _refuse_shared(layer, edge, stepper)
        stepper.ports.hand_on(edge, getattr(layer, final))


def _initial_state(layer: Recurrent, field_name: str, stepper: Stepper) -> str:
    edge: str | None = getattr(layer, field_name)
    if edge is None:
        batch = stepper.specs[layer.input].shape[0]
        return stepper.new_state(f"{layer.name}_{field_name[-1]}", (batch, layer.units))
    if stepper.ports.is_state(edge):
        return edge
    if edge not in {entry.name for entry in stepper.graph.inputs}:
        stepper.refuse(
            layer,
            "starts from a state that other layers compute (an encoder and its decoder)",
            "Split the model there: the decoder takes its initial state as an input",
        )
    is_result = any(output.edge == edge for output in stepper.graph.outputs)
    uses = [reader.reads.count(edge) for reader in consumers(stepper.graph, edge)]
    if sum(uses) > 1 or is_result:
        _refuse_shared(layer, edge, stepper)
    return edge


def _refuse_shared(layer: Recurrent, edge: str, stepper: Stepper) -> NoReturn:
    stepper.refuse(
        layer,
        f"shares the initial state '{edge}' with other layers",
        "Give each layer an input of its own",
    )


def _emit_state(layer: Recurrent, stepper: Stepper, *, shown_since: str | None) -> None:
    """Defines the layer's output as its state h; zeros before `shown_since` is first true."""
    if shown_since is None:
        if layer.return_sequences:
            name = stepper.name(f"{layer.name}/output")
            stepper.add(Repeat(name=name, input=layer.state_h, output=layer.output, times=1))
        else:
            stepper.renamed[layer.output] = layer.state_h
        return
    state = stepper.name(f"{layer.name}/output")
    stepper.add(Repeat(name=state, input=layer.state_h, output=state, times=1))
    seen = _seen(layer, shown_since, stepper)
    shown = stepper.name(f"{layer.name}/shown")
    if layer.return_sequences:
        stepper.add(ApplyMask(name=shown, input=state, mask=seen, output=layer.output))
    else:
        stepper.add(ApplyMask(name=shown, input=state, mask=seen, output=shown))
        newest = stepper.name(f"{layer.name}/newest")
        stepper.add(Slice(name=newest, input=shown, output=layer.output, axis=1, squeeze=True))


def _seen(layer: Recurrent, mask: str, stepper: Stepper) -> str:
    """bool [B, 1]: this step or one before it was valid."""
    batch = stepper.specs[layer.input].shape[0]
    before = stepper.new_state(f"{layer.name}_seen", (batch, 1), DType.BOOL)
    name = stepper.name(f"{layer.name}/seen")
    stepper.add(Merge(name=name, inputs=(before, mask), output=name, kind=MergeKind.OR))
    stepper.ports.hand_on(before, name)
    return name
