"""Stacks of recurrent layers: one projection of the whole input, then a loop over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final

import numpy as np

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.builder import FreeSize, Subgraph, Tensor
from edgernn.export.tflite.cells import Cell, Direct, Projected, Source
from edgernn.export.tflite.edges import Lowering
from edgernn.export.tflite.loop import Loop
from edgernn.export.tflite.options import Profile
from edgernn.export.tflite.precision import cell_for
from edgernn.export.tflite.schema import TensorType
from edgernn.export.tflite.stacks import Stack
from edgernn.export.tflite.weights import index
from edgernn.graph import Lstm, Recurrent, consumers

#: Steps of a chunk, and of the chunks that it is cut into, if the length is free (see
#: _in_chunks): the time per step stays within 10 % of its median from 40 to 4000 steps.
_CHUNK_STEPS: Final = (128, 16)

#: A sequence of a known length up to this is not cut into chunks.
_WHOLE_STEPS: Final = 48


def lower_stack(low: Lowering, stack: Stack) -> None:
    """Adds the stack to the main subgraph and defines all its edges."""
    cells = [cell_for(low, layer) for layer in stack.layers]
    reads = cells[0].reads
    x = low.tensors[stack.input] if reads is None else low.tensors.int8(stack.input, reads)
    memories = [_initial_memory(low, cell, x) for cell in cells]
    if x.shape[1] == 1 and not isinstance(x.shape[1], FreeSize):
        memories, sequences = _single_step(low, cells, x, memories)
    else:
        memories, sequences = _loop(low, stack, cells, x, memories)
    for cell, memory in zip(cells, memories, strict=True):
        _define_edges(low, cell, memory, sequences.get(cell.layer.name))


def _define_edges(low: Lowering, cell: Cell, memory: _Memory, sequence: Tensor | None) -> None:
    layer = cell.layer
    edges = [layer.state_h, layer.state_c] if isinstance(layer, Lstm) else [layer.state_h]
    states = cell.leave(low.main, memory.states)
    for edge, forms in zip(edges, states, strict=True):
        for tensor in forms:
            low.tensors[edge] = tensor
    if sequence is not None:
        low.tensors[layer.output] = sequence
    elif not layer.return_sequences:
        for tensor in states[0] if memory.output is None else [memory.output]:
            low.tensors[layer.output] = tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    """The values that a layer keeps from step to step."""

    states: tuple[Tensor, ...]  # h; h and c: [B, H]
    output: Tensor | None  # the previous output [B, H]; None if it equals h

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return self.states if self.output is None else (*self.states, self.output)

    def of(self, tensors: Sequence[Tensor]) -> _Memory:
        """The same kind of memory in other tensors."""
        states = tuple(tensors[: len(self.states)])
        return _Memory(states=states, output=None if self.output is None else tensors[-1])


def _advance(
    graph: Subgraph, cell: Cell, source: Source, memory: _Memory, valid: Tensor | None
) -> tuple[_Memory, Tensor]:
    """One step of one layer by the rules of its mask `valid` (bool [B, 1]): memory and output."""
    states = cell.step(graph, source, memory.states)
    made = cell.output(graph, states)
    if valid is None:
        return _Memory(states=states, output=None), made
    kept = tuple(
        ops.select(graph, valid, new, old) for new, old in zip(states, memory.states, strict=True)
    )
    if cell.layer.zero_output_for_mask:
        output = ops.select(graph, valid, made, ops.zero(graph, like=made))
    elif memory.output is not None:
        output = ops.select(graph, valid, made, memory.output)
    else:
        output = cell.output(graph, kept)
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


def _single_step(
    low: Lowering, cells: Sequence[Cell], x: Tensor, memories: Sequence[_Memory]
) -> tuple[list[_Memory], dict[str, Tensor]]:
    """A sequence of one step needs no loop: the step model of a stream."""
    graph = low.main
    value = ops.reshape(graph, x, (x.shape[0], x.shape[2]))
    left: list[_Memory] = []
    sequences: dict[str, Tensor] = {}
    for cell, memory in zip(cells, memories, strict=True):
        layer = cell.layer
        valid = None if layer.mask is None else low.tensors[layer.mask]
        after, value = _advance(graph, cell, Direct(x=value), memory, valid)
        left.append(after)
        if layer.return_sequences:
            sequences[layer.name] = ops.reshape(graph, value, low.shape(layer.output))
    return left, sequences


def _loop(
    low: Lowering, stack: Stack, cells: Sequence[Cell], x: Tensor, memories: Sequence[_Memory]
) -> tuple[list[_Memory], dict[str, Tensor]]:
    graph = low.main
    masks = {layer.mask for layer in stack.layers if layer.mask is not None}
    # A microcontroller has no room for the projections of all steps, and its runtime moves
    # integers only.
    hoisted = low.options.profile is not Profile.MICRO
    columns = {}
    for mask in sorted(masks):
        valid = low.tensors[mask]
        stored = valid if hoisted else ops.mask_as_int8(graph, valid)
        columns[mask] = ops.expand_dims(graph, stored, axis=2)
    feed = _Feed(
        inputs=cells[0].project(graph, x) if hoisted else (x,),
        are_projected=hoisted,
        masks={layer.name: columns[layer.mask] for layer in stack.layers if layer.mask is not None},
        lowest=stack.layers[0].name,
    )
    kept = [cell for cell in cells if _is_read_outside(low, cell.layer, stack)]
    steps = ops.size_of(graph, x, axis=1)
    over = _in_chunks if kept else _over_steps
    backwards = cells[0].layer.go_backwards
    return over(graph, cells, feed, memories, steps=steps, kept=kept, backwards=backwards)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Feed:
    """The tensors that a loop reads step by step; all are [B, T, ...]."""

    inputs: tuple[Tensor, ...]  # the lowest layer's projections, one for each block, or x itself
    are_projected: bool
    masks: dict[str, Tensor]  # by layer
    lowest: str

    def taken(self, loop: Loop, times: Tensor, lowest_times: Tensor) -> _Feed:
        """The part of some times (int32 [k] or []), inside the loop.

        A lowest layer that runs backwards has its own times.  The layers above it read its outputs
        in the order of computation, but their masks from the start.
        """

        made: dict[tuple[int, int], Tensor] = {}

        def at(sequence: Tensor, when: Tensor) -> Tensor:
            key = sequence.index, when.index
            if key not in made:
                made[key] = ops.gather(loop.body, loop.invariant(sequence), when, axis=1)
            return made[key]

        return _Feed(
            inputs=tuple(at(sequence, lowest_times) for sequence in self.inputs),
            are_projected=self.are_projected,
            masks={
                layer: at(mask, lowest_times if layer == self.lowest else times)
                for layer, mask in self.masks.items()
            },
            lowest=self.lowest,
        )


def _over_steps(
    graph: Subgraph,
    cells: Sequence[Cell],
    feed: _Feed,
    memories: Sequence[_Memory],
    *,
    steps: Tensor,
    kept: Sequence[Cell],
    backwards: bool,
) -> tuple[list[_Memory], dict[str, Tensor]]:
    """The innermost loop: final memories, and the outputs of the layers `kept` as [B, T, H]."""
    loop = Loop.over(graph, steps)
    body, time = loop.body, loop.position
    lowest_time = time
    if backwards:
        last = ops.subtract(graph, steps, index(graph, 1))
        lowest_time = ops.subtract(body, loop.invariant(last), time)
    here = feed.taken(loop, time, lowest_time)
    carried = [memory.of([loop.carry(tensor) for tensor in memory.tensors]) for memory in memories]
    sequences = {
        cell.layer.name: loop.carry(_room(graph, cell, memory, feed))
        for cell, memory in zip(cells, memories, strict=True)
        if cell in kept
    }
    source: Source = Direct(x=here.inputs[0])
    if here.are_projected:
        source = Projected(parts=here.inputs)
    for cell, memory in zip(cells, carried, strict=True):
        valid = here.masks.get(cell.layer.name)
        if valid is not None and valid.type is TensorType.INT8:
            valid = ops.mask_of_int8(body, valid)
        after, output = _advance(body, cell, source, memory, valid)
        source = Direct(x=output)
        for before, now in zip(memory.tensors, after.tensors, strict=True):
            loop.update(before, now)
        if cell in kept:
            sequence = sequences[cell.layer.name]
            step = ops.reshape(body, output, (output.shape[0], 1, output.shape[1]))
            loop.update(sequence, _written(body, sequence, step, loop.position))
    final = loop.close()
    left = [memory.of([final[tensor.index] for tensor in memory.tensors]) for memory in carried]
    return left, {name: final[sequence.index] for name, sequence in sequences.items()}


def _in_chunks(
    graph: Subgraph,
    cells: Sequence[Cell],
    feed: _Feed,
    memories: Sequence[_Memory],
    *,
    steps: Tensor,
    kept: Sequence[Cell],
    backwards: bool,
) -> tuple[list[_Memory], dict[str, Tensor]]:
    """A loop over chunks of k steps around a loop over smaller chunks or over the steps.

    The interpreter copies a sequence whenever a step is written into it.  With chunks that is k
    steps copied at each step and all T at each chunk, instead of all T at each step.
    """
    total = feed.inputs[0].shape[1]
    is_free = isinstance(total, FreeSize)
    size = _chunk_steps(total)
    if size == total and not is_free:
        return _over_steps(
            graph, cells, feed, memories, steps=steps, kept=kept, backwards=backwards
        )
    # The last chunk may be short but is written as a whole: the sequence has space for it, which
    # is cut off afterwards.
    spare = size - 1 if is_free or total % size else 0
    loop = Loop.over(graph, steps, stride=size)
    body, start = loop.body, loop.position
    steps_inside = loop.invariant(steps)
    times = ops.add(body, start, body.constant(np.arange(size, dtype=np.int32)))
    last = ops.subtract(body, steps_inside, index(body, 1))
    times = ops.minimum(body, times, last)
    lowest_times = ops.subtract(body, last, times) if backwards else times
    left = ops.minimum(body, ops.subtract(body, steps_inside, start), index(body, size))
    carried = [memory.of([loop.carry(tensor) for tensor in memory.tensors]) for memory in memories]
    sequences = {}
    for cell, memory in zip(cells, memories, strict=True):
        if cell in kept:
            room = ops.pad(graph, _room(graph, cell, memory, feed), axis=1, left=0, right=spare)
            sequences[cell.layer.name] = loop.carry(room)
    here = feed.taken(loop, times, lowest_times)
    after, chunks = _in_chunks(body, cells, here, carried, steps=left, kept=kept, backwards=False)
    for memory, memory_after in zip(carried, after, strict=True):
        for before, now in zip(memory.tensors, memory_after.tensors, strict=True):
            loop.update(before, now)
    for name, sequence in sequences.items():
        loop.update(sequence, _written(body, sequence, chunks[name], start))
    final = loop.close()
    results = {name: final[sequence.index] for name, sequence in sequences.items()}
    if spare:
        results = {
            name: ops.strided_slice(graph, sequence, axis=1, stop=-spare)
            for name, sequence in results.items()
        }
    return [memory.of([final[t.index] for t in memory.tensors]) for memory in carried], results


def _chunk_steps(steps: int) -> int:
    """The steps of a chunk for this length; all steps if cutting is not faster.

    Each level of n chunks of k steps costs n + k copies of a step: so n is near k where that is
    the only level, and near the square root of k where k is long enough to be cut again.
    """
    if isinstance(steps, FreeSize):
        return _CHUNK_STEPS[0]
    if steps == _CHUNK_STEPS[0]:
        return _CHUNK_STEPS[1]
    if steps <= _WHOLE_STEPS:
        return steps
    wanted = isqrt(steps)
    if wanted > _WHOLE_STEPS:
        wanted = round(steps ** (2 / 3))
    return next((size for size in range(wanted, 2 * wanted) if steps % size == 0), wanted)


def _written(graph: Subgraph, sequence: Tensor, part: Tensor, start: Tensor) -> Tensor:
    """sequence [B, T, H] with part [B, k, H] from step `start` on."""
    corner = ops.multiply(graph, start, graph.constant(np.array([0, 1, 0], np.int32)))
    return ops.dynamic_update_slice(graph, sequence, part, corner)


def _is_read_outside(low: Lowering, layer: Recurrent, stack: Stack) -> bool:
    """Whether the whole sequence of the layer is wanted, not only each step by the next layer."""
    if not layer.return_sequences:
        return False
    readers = consumers(low.graph, layer.output)
    outputs = {output.edge for output in low.graph.outputs}
    return layer.output in outputs or any(reader not in stack.layers for reader in readers)


def _initial_memory(low: Lowering, cell: Cell, x: Tensor) -> _Memory:
    layer = cell.layer
    edges = [layer.initial_h]
    if isinstance(layer, Lstm):
        edges.append(layer.initial_c)
    remembers = _remembers_output(layer)
    zeros = [_zeros(low, layer, x) if edge is None or remembers else None for edge in edges]
    given = [
        _given(low, edge) if edge is not None else zero
        for edge, zero in zip(edges, zeros, strict=True)
    ]
    states = cell.enter(low.main, [tensor for tensor in given if tensor is not None])
    output = None
    if remembers:
        nothing = [zero for zero in zeros if zero is not None]
        output = cell.output(low.main, cell.enter(low.main, nothing))
    return _Memory(states=states, output=output)


def _given(low: Lowering, edge: str) -> Tensor:
    """An initial state; an input is not quantized, so that nothing is rounded between two steps."""
    if low.integers_only and not low.tensors.is_plain(edge):
        return low.tensors.stored(edge)
    return low.tensors[edge]


def _zeros(low: Lowering, layer: Recurrent, x: Tensor) -> Tensor:
    """Zeros float32 [B, H]; a free batch size is read from x [B, T, F]."""
    graph = low.main
    batch = x.shape[0]
    if not isinstance(batch, FreeSize):
        return graph.constant(np.zeros((batch, layer.units), np.float32))
    row = ops.as_float32(graph, ops.gather(graph, x, index(graph, 0), axis=1))
    return ops.zeros_like(graph, _with_last_axis(graph, row, layer.units))


def _room(graph: Subgraph, cell: Cell, memory: _Memory, feed: _Feed) -> Tensor:
    """Any tensor [B, T, H] that the loop overwrites with the outputs of the cell.

    It is one of the loop's inputs, which have B and T; its values do not matter.
    """
    units = cell.layer.units
    fitting = [part for part in feed.inputs if part.shape[2] == units]
    room = fitting[0] if fitting else _with_last_axis(graph, feed.inputs[0], units)
    like = cell.output(graph, memory.states)
    if like.quantization is None:
        return ops.as_float32(graph, room)
    return ops.quantize(graph, room, like.quantization)


def _with_last_axis(graph: Subgraph, x: Tensor, size: int) -> Tensor:
    axis = x.rank - 1
    missing = size - x.shape[axis]
    if missing > 0:
        return ops.pad(graph, x, axis=axis, left=0, right=missing)
    return ops.strided_slice(graph, x, axis=axis, stop=size) if missing < 0 else x
