"""One step of a causal model: its states contain what it needs of the past.

Call number t of the step model returns the whole model's result for the first t + 1 steps: the
newest element of a sequence or, without a time axis (the last output of a recurrent layer, a pooled
value), the result for the sequence so far.

A convolution without padding has no result until its window is full.  The whole model then has
fewer steps than its input, and the step model's first results are invalid: `warm_up_steps` is their
number.  Later layers with states (recurrent, pooling) do not change during these steps.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from typing_extensions import assert_never

from edgernn.graph import (
    ActivationKind,
    DType,
    Graph,
    Gru,
    Input,
    Lstm,
    Output,
    SimpleRnn,
    TensorSpec,
    Weight,
    with_edges,
    without_dead_layers,
)
from edgernn.graph import layers as ly
from edgernn.streaming.cell import hand_on_given, one_step
from edgernn.streaming.running import running_pool
from edgernn.streaming.states import with_ports
from edgernn.streaming.stepper import Stepper, Time
from edgernn.streaming.window import windowed, zero_padded

_WHOLE = "Export the whole model without --streaming"


def to_streaming(graph: Graph) -> Graph:
    """A model of one step per call ([B, 1, F] or [B, 1] tokens), its states as inputs and outputs.

    An initial state that is an input of the whole model is now the input of the state: pass it in
    the first call, and in later calls the result of the previous call.

    Raises UnsupportedLayer for a layer that needs later steps or the number of all steps.
    """
    return _converted(without_dead_layers(graph))[0]


def warm_up_steps(graph: Graph) -> dict[str, int]:
    """How many first results of `to_streaming(graph)` are invalid, by output of `graph`."""
    return {name: warm_up for name, (warm_up, _) in rhythms(graph).items()}


def rhythms(graph: Graph) -> dict[str, tuple[int, int]]:
    """Which calls of `to_streaming(graph)` have a result, by output of `graph`: (first, every).

    Counted from 0.  Behind a stride a sequence has an element in each so manieth call only; what
    sums up the sequence (the last output of a GRU) has a result in each call from the first on.
    """
    _, stepper = _converted(without_dead_layers(graph))
    return {output.name: stepper.times[output.edge].rhythm for output in graph.outputs}


def _converted(graph: Graph) -> tuple[Graph, Stepper]:
    stepper = Stepper(graph)
    stepper.ports.inputs = [_step_input(entry, stepper) for entry in graph.inputs]
    for layer in graph.layers:
        _convert(with_edges(layer, stepper.renamed), stepper)
    stepper.ports.outputs = [
        Output(name=output.name, edge=stepper.renamed.get(output.edge, output.edge))
        for output in stepper.ports.outputs
    ]
    return with_ports(graph, stepper.layers, stepper.ports), stepper


def _step_input(entry: Input, stepper: Stepper) -> Input:
    """A sequence is passed one step for each call; states and vectors do not change."""
    spec = entry.spec
    is_sequence = not stepper.ports.is_state(entry.name) and (
        spec.rank > 2 or (spec.rank == 2 and spec.dtype is not DType.FLOAT32)
    )
    if is_sequence:
        spec = TensorSpec(shape=(spec.shape[0], 1, *spec.shape[2:]), dtype=spec.dtype)
    stepper.define(entry.name, spec, Time(is_sequence=is_sequence))
    return replace(entry, spec=spec)


def _convert(layer: ly.Layer, stepper: Stepper) -> None:
    """Adds the layers for one step; refuses layers that need more than one step."""
    sequences = [edge for edge in layer.reads if stepper.times[edge].is_sequence]
    windows = (ly.Conv1D, ly.Conv2D, ly.Pool1D, ly.Pool2D, ly.ZeroPad1D)
    if not isinstance(layer, windows) and any(stepper.times[e].warm_up < 0 for e in sequences):
        stepper.refuse(
            layer,
            "reads a sequence with zeros added in front",
            "Let the convolution pad by itself (padding='causal'), or " + _lower_first(_WHOLE),
        )
    if not sequences:
        _keep(layer, stepper)
        if isinstance(layer, SimpleRnn | Gru | Lstm):
            hand_on_given(layer, stepper)
        return
    match layer:
        case SimpleRnn() | Gru() | Lstm():
            one_step(layer, stepper)
        case ly.Conv1D() | ly.Conv2D() | ly.Pool1D() | ly.Pool2D():
            windowed(layer, stepper)
        case ly.ZeroPad1D() if layer.axis != 1:
            _refuse_if(stepper.times[layer.input].warm_up < 0, layer, stepper)
            _keep(layer, stepper)
        case ly.ZeroPad1D():
            zero_padded(layer, stepper)
        case ly.GlobalPool1D():
            running_pool(layer, stepper)
        case ly.Embedding() | ly.Dense() | ly.NotEqual() | ly.AnyNotEqual() | ly.ApplyMask():
            _keep(layer, stepper)
        case ly.Cast() | ly.Compare():
            _keep(layer, stepper)
        case ly.Where():
            _refuse_if(len(sequences) < len(layer.reads), layer, stepper)
            _refuse_if(len({stepper.times[e].rhythm for e in sequences}) > 1, layer, stepper)
            _keep(layer, stepper)
        case ly.Affine():
            _refuse_if(_varies_over_time(layer, layer.scale, stepper), layer, stepper)
            _refuse_if(_varies_over_time(layer, layer.offset, stepper), layer, stepper)
            _keep(layer, stepper)
        case ly.PRelu():
            _refuse_if(_varies_over_time(layer, layer.alpha, stepper), layer, stepper)
            _keep(layer, stepper)
        case ly.LayerNorm():
            _refuse_if(layer.axes >= stepper.specs[layer.input].rank - 1, layer, stepper)
            _keep(layer, stepper)
        case ly.Activate():
            _refuse_if(_is_softmax_over_time(layer, stepper), layer, stepper)
            _keep(layer, stepper)
        case ly.Reshape():
            _reshape(layer, stepper)
        case ly.Transpose():
            _refuse_if(layer.permutation[1] != 1, layer, stepper)
            _keep(layer, stepper)
        case ly.Slice():
            _slice(layer, stepper)
        case ly.FoldTime():
            stepper.add(layer)
            warm_up = stepper.times[layer.input].warm_up
            stepper.times[layer.output] = Time(is_sequence=False, warm_up=warm_up)
        case ly.UnfoldTime():
            stepper.add(layer)
            stepper.times[layer.output] = stepper.times[layer.like]
        case ly.Concatenate():
            rank = stepper.specs[layer.inputs[0]].rank
            _refuse_if(layer.axis % rank == 1, layer, stepper)
            _join(layer, stepper)
        case ly.Merge():
            _join(layer, stepper)
        case ly.Upsample1D() if layer.axis != 1:
            _keep(layer, stepper)
        case ly.Reverse() | ly.Upsample1D() | ly.Dot() | ly.Attention():
            _refuse_if(True, layer, stepper)
        case ly.Repeat():
            raise AssertionError("Repeat reads a tensor of rank 2, which is no sequence of floats")
        case _:
            assert_never(layer)


def _keep(layer: ly.Layer, stepper: Stepper) -> None:
    """Adds the layer unchanged; its results have the time of its inputs."""
    stepper.add(layer)
    times = [stepper.times[edge] for edge in layer.reads]
    time = Time(
        is_sequence=any(time.is_sequence for time in times),
        warm_up=max(time.warm_up for time in times),
        period=max(time.period for time in times),
    )
    stepper.times.update(dict.fromkeys(layer.writes, time))


def _join(layer: ly.Concatenate | ly.Merge, stepper: Stepper) -> None:
    """Sequences of one length, and tensors without a time axis."""
    sequences = [edge for edge in layer.inputs if stepper.times[edge].is_sequence]
    rank = stepper.specs[sequences[0]].rank
    _refuse_if(len({stepper.times[edge].rhythm for edge in sequences}) > 1, layer, stepper)
    for edge in set(layer.inputs) - set(sequences):
        spec = stepper.specs[edge]
        _refuse_if(spec.rank != rank or spec.shape[1] != 1, layer, stepper)
    _keep(layer, stepper)


def _varies_over_time(layer: ly.Affine | ly.PRelu, weight: Weight, stepper: Stepper) -> bool:
    rank = stepper.specs[layer.input].rank
    steps: int = ((1,) * (rank - len(weight.shape)) + tuple(weight.shape))[1]
    return steps != 1


def _is_softmax_over_time(layer: ly.Activate, stepper: Stepper) -> bool:
    over_an_axis = {ActivationKind.SOFTMAX, ActivationKind.LOG_SOFTMAX}
    axis = layer.activation.axis % stepper.specs[layer.input].rank
    return layer.activation.kind in over_an_axis and axis == 1


def _reshape(layer: ly.Reshape, stepper: Stepper) -> None:
    """Time must stay a separate axis, in front."""
    inner = stepper.specs[layer.input].shape[2:]
    steps = stepper.graph.specs[layer.output].shape[1]
    target = layer.target[1:]
    known = [size for size in inner if size is not None]
    keeps_time = (
        len(known) == len(inner)
        and -1 not in target
        and prod(target) == prod(known)
        and (layer.target[0] == -1 or layer.target[0] == steps)
    )
    _refuse_if(not keeps_time, layer, stepper)
    _keep(replace(layer, target=(1, *target)), stepper)


def _slice(layer: ly.Slice, stepper: Stepper) -> None:
    axis = layer.axis % stepper.specs[layer.input].rank
    if axis != 1:
        _keep(layer, stepper)
        return
    is_newest = layer.start == -1 and (layer.squeeze or layer.stop is None)
    _refuse_if(not is_newest, layer, stepper)
    stepper.add(replace(layer, input=stepper.held(layer, layer.input)))
    warm_up = stepper.times[layer.input].warm_up
    stepper.times[layer.output] = Time(is_sequence=False, warm_up=warm_up)


def _refuse_if(condition: bool, layer: ly.Layer, stepper: Stepper) -> None:
    if condition:
        stepper.refuse(
            layer,
            "combines steps of the whole sequence, of which a stream has one at a time",
            f"Take it out (or put it behind the last recurrent layer), or {_lower_first(_WHOLE)}",
        )


def _lower_first(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
