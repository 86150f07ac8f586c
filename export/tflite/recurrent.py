"""Stacks of recurrent layers: one projection of the whole input, then one loop over the steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgernn.export.tflite import cells
from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.builder import Subgraph, Tensor
from edgernn.export.tflite.cells import Direct, InputSide, Projected
from edgernn.export.tflite.loop import Loop, Variable
from edgernn.export.tflite.stacks import Stack
from edgernn.export.tflite.values import Lowering
from edgernn.export.tflite.weights import constant, index, scalar
from edgernn.graph import Lstm, Recurrent, consumers


def lower_stack(low: Lowering, stack: Stack) -> None:
    """Adds the stack to the main subgraph and defines all edges it writes."""
    steps = low.shape(stack.layers[0].input)[1]
    if steps == 1 and type(steps) is int:
        _lower_single_step(low, stack)
    else:
        _lower_loop(low, stack)


@dataclass(slots=True, kw_only=True, eq=False)
class _Memory:
    """What a layer remembers from step to step, as the current step sees it."""

    states: tuple[Tensor, ...]  # h; h and c: [B, H]
    output: Tensor | None  # the previous output [B, H]; None where it is always h


def _advance(
    graph: Subgraph, layer: Recurrent, source: InputSide, memory: _Memory, valid: Tensor | None
) -> tuple[_Memory, Tensor]:
    """One step of one layer by the rules of its mask `valid` (bool [B, 1]): memory and output."""
    states = cells.step(graph, layer, source, memory.states)
    if valid is None:
        return _Memory(states=states, output=None), states[0]
    kept = tuple(
        ops.select(graph, valid, new, old) for new, old in zip(states, memory.states, strict=True)
    )
    if layer.zero_output_for_mask:
        output = ops.select(graph, valid, states[0], scalar(graph, 0.0))
    elif memory.output is not None:
        output = ops.select(graph, valid, states[0], memory.output)
    else:
        output = kept[0]
    return _Memory(states=kept, output=output if memory.output is not None else None), output


def _remembers_output(layer: Recurrent) -> bool:
    """Whether the output may differ from h, so that the next step or the caller needs it.

    Before the first valid step it is zeros, not the initial state; with zero_output_for_mask it
    is zeros at a masked step, which counts if that is the last one.
    """
    if layer.mask is None:
        return False
    if layer.zero_output_for_mask:
        return not layer.return_sequences
    return layer.initial_h is not None


def _lower_single_step(low: Lowering, stack: Stack) -> None:
    graph = low.main
    first = stack.layers[0]
    x = low.tensors[first.input]
    value = ops.reshape(graph, x, (x.shape[0], x.shape[2]))
    for layer in stack.layers:
        valid = None if layer.mask is None else low.tensors[layer.mask]
        memory = _Memory(states=_initial_states(low, layer, value), output=None)
        if _remembers_output(layer):
            memory.output = _zero_state(low, layer, value)
        source = Direct(blocks=cells.blocks_of(layer), x=value)
        memory, value = _advance(graph, layer, source, memory, valid)
        _define_states(low, layer, memory.states)
        output = value
        if layer.return_sequences:
            output = ops.reshape(graph, value, low.shape(layer.output))
        low.tensors[layer.output] = output


def _lower_loop(low: Lowering, stack: Stack) -> None:
    graph = low.main
    first = stack.layers[0]
    x = low.tensors[first.input]
    blocks = cells.blocks_of(first)
    projections = [
        ops.fully_connected(graph, x, constant(graph, block.kernel), graph.constant(block.bias))
        for block in blocks
    ]
    loop = Loop.over(graph, ops.size_of(graph, x, axis=1))
    inside, position = loop.body, loop.step.current
    time = _reversed_time(low, loop) if first.go_backwards else position

    def at_this_time(sequence: Tensor) -> Tensor:
        return ops.gather(inside, loop.invariant(sequence), time, axis=1)

    source: InputSide = Projected(
        blocks=blocks, projections=[at_this_time(projection) for projection in projections]
    )
    masks: dict[str, Tensor] = {}
    finish: list[Callable[[dict[int, Tensor]], None]] = []
    row: Tensor | None = None
    for layer in stack.layers:
        if layer.mask is not None and layer.mask not in masks:
            mask = low.tensors[layer.mask]
            masks[layer.mask] = at_this_time(ops.expand_dims(graph, mask, axis=2))
        variables = [loop.carry(state) for state in _initial_states(low, layer, projections[0])]
        memory = _Memory(states=tuple(variable.current for variable in variables), output=None)
        previous: Variable | None = None
        if _remembers_output(layer):
            previous = loop.carry(_zero_state(low, layer, projections[0]))
            memory.output = previous.current
        valid = None if layer.mask is None else masks[layer.mask]
        memory, output = _advance(inside, layer, source, memory, valid)
        for variable, state in zip(variables, memory.states, strict=True):
            variable.update(state)
        if previous is not None and memory.output is not None:
            previous.update(memory.output)
        sequence = None
        if layer.return_sequences and _is_read_outside(low, layer, stack):
            sequence = loop.carry(_sequence_of(low, layer, projections))
            if row is None:
                row = _row_start(inside, position)
            step_shape = (output.shape[0], 1, output.shape[1])
            update = ops.reshape(inside, output, step_shape)
            sequence.update(ops.dynamic_update_slice(inside, sequence.current, update, row))
        finish.append(_finisher(low, layer, variables, previous, sequence))
        source = Direct(blocks=(), x=output)
        following = stack.layers.index(layer) + 1
        if following < len(stack.layers):
            source = Direct(blocks=cells.blocks_of(stack.layers[following]), x=output)
    results = loop.close()
    for define in finish:
        define(results)


def _finisher(
    low: Lowering,
    layer: Recurrent,
    states: Sequence[Variable],
    previous: Variable | None,
    sequence: Variable | None,
) -> Callable[[dict[int, Tensor]], None]:
    """What is left to do for a layer when the loop is closed: define the edges it writes."""

    def define(results: dict[int, Tensor]) -> None:
        final = tuple(results[variable.current.index] for variable in states)
        _define_states(low, layer, final)
        if sequence is not None:
            low.tensors[layer.output] = results[sequence.current.index]
        elif not layer.return_sequences:
            last = previous or states[0]
            low.tensors[layer.output] = results[last.current.index]

    return define


def _define_states(low: Lowering, layer: Recurrent, states: Sequence[Tensor]) -> None:
    low.tensors[layer.state_h] = states[0]
    if isinstance(layer, Lstm):
        low.tensors[layer.state_c] = states[1]


def _is_read_outside(low: Lowering, layer: Recurrent, stack: Stack) -> bool:
    readers = consumers(low.graph, layer.output)
    outputs = {output.edge for output in low.graph.outputs}
    return layer.output in outputs or any(reader not in stack.layers for reader in readers)


def _reversed_time(low: Lowering, loop: Loop) -> Tensor:
    last = ops.subtract(low.main, loop.steps, index(low.main, 1))
    return ops.subtract(loop.body, loop.invariant(last), loop.step.current)


def _row_start(graph: Subgraph, position: Tensor) -> Tensor:
    """[0, position, 0], where a step lies in a sequence [B, T, H]."""
    return ops.multiply(graph, position, graph.constant(np.array([0, 1, 0], np.int32)))


def _initial_states(low: Lowering, layer: Recurrent, like: Tensor) -> tuple[Tensor, ...]:
    edges = [layer.initial_h]
    if isinstance(layer, Lstm):
        edges.append(layer.initial_c)
    return tuple(
        _zero_state(low, layer, like) if edge is None else low.tensors[edge] for edge in edges
    )


def _zero_state(low: Lowering, layer: Recurrent, like: Tensor) -> Tensor:
    """Zeros [B, H]; where the batch is free it is taken from `like` [B, ...]."""
    batch = like.shape[0]
    graph = low.main
    if type(batch) is int:
        return graph.constant(np.zeros((batch, layer.units), np.float32))
    row = like if like.rank == 2 else ops.gather(graph, like, index(graph, 0), axis=1)
    return ops.zeros_like(graph, _with_last_axis(graph, row, layer.units))


def _sequence_of(low: Lowering, layer: Recurrent, projections: Sequence[Tensor]) -> Tensor:
    """Some tensor [B, T, H] for the loop to overwrite: the projections have B and T at hand."""
    graph = low.main
    fitting = [part for part in projections if part.shape[2] == layer.units]
    return fitting[0] if fitting else _with_last_axis(graph, projections[0], layer.units)


def _with_last_axis(graph: Subgraph, x: Tensor, size: int) -> Tensor:
    axis = x.rank - 1
    missing = size - x.shape[axis]
    if missing > 0:
        return ops.pad(graph, x, axis=axis, left=0, right=missing)
    return ops.strided_slice(graph, x, axis=axis, stop=size) if missing < 0 else x
