"""Chooses which recurrent layers run in one loop: a layer on top of another one, step by step.

One loop for the whole stack needs no sequence in between.  So no long tensor is written step by
step, for which the interpreter would copy the whole tensor at each step.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from edgernn.graph import Graph, GraphError, Gru, Layer, Lstm, Recurrent, SimpleRnn


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stack:
    """Recurrent layers, each (but the first) reading the one before it."""

    layers: tuple[Recurrent, ...]

    @property
    def input(self) -> str:
        return self.layers[0].input

    @property
    def side_inputs(self) -> set[str]:
        """Edges that the loop needs before it starts."""
        first, *others = self.layers
        return {*first.reads, *(edge for layer in others for edge in layer.reads[1:])}

    @property
    def writes(self) -> set[str]:
        return {edge for layer in self.layers for edge in layer.writes}


#: Above this, the weights of all layers do not stay in the second-level cache from step to step,
#: and a loop for each layer is faster: its input is projected for all steps at once.  2 x 256
#: units in float32 (2.4 MB) take 1.7 ms in two loops and 4.5 ms in one; 2 x 128 (0.6 MB) 1.0 and
#: 0.8 ms.
_CACHED_BYTES: Final = 1 << 20

Part: TypeAlias = Layer | Stack

_RECURRENT = (SimpleRnn, Gru, Lstm)


def plan(
    graph: Graph, *, bytes_per_weight: int = 4, alone: Collection[str] = ()
) -> tuple[Part, ...]:
    """The layers in an order in which they can run, recurrent ones gathered into stacks.

    alone: layers that share a loop with no other layer.
    """
    gathered = _ordered(graph, _gathered(graph, bytes_per_weight, alone))
    if gathered is not None:
        return gathered
    # Two stacks that need each other's inner results as initial states cannot run one after the
    # other; single layers always can.
    single = [Stack(layers=(layer,)) for layer in graph.layers if isinstance(layer, _RECURRENT)]
    separate = _ordered(graph, single)
    if separate is None:
        raise GraphError(f"the layers of '{graph.name}' depend on each other in a circle")
    return separate


def _gathered(graph: Graph, bytes_per_weight: int, alone: Collection[str]) -> list[Stack]:
    depends_on = _dependencies(graph)
    stacks: list[Stack] = []
    for layer in graph.layers:
        if not isinstance(layer, _RECURRENT):
            continue
        for position, stack in enumerate(stacks):
            if {layer.name, stack.layers[-1].name} & set(alone):
                continue
            if _fits_on(layer, stack, depends_on) and _is_cached(
                (*stack.layers, layer), bytes_per_weight
            ):
                stacks[position] = Stack(layers=(*stack.layers, layer))
                break
        else:
            stacks.append(Stack(layers=(layer,)))
    return stacks


def _fits_on(layer: Recurrent, stack: Stack, depends_on: dict[str, set[str]]) -> bool:
    """Whether the layer reads the stack's top step by step, and no other result of the stack."""
    top = stack.layers[-1]
    if layer.input != top.output or not top.return_sequences or layer.go_backwards:
        return False
    side_inputs = layer.reads[1:]
    return not any(depends_on[edge] & stack.writes for edge in side_inputs)


def _is_cached(layers: Sequence[Recurrent], bytes_per_weight: int) -> bool:
    """Whether the weights that one step reads are small enough for one loop."""
    first, *others = layers
    numbers = first.recurrent_kernel.size
    numbers += sum(layer.kernel.size + layer.recurrent_kernel.size for layer in others)
    return numbers * bytes_per_weight <= _CACHED_BYTES


def _dependencies(graph: Graph) -> dict[str, set[str]]:
    """For each edge, itself and all edges that it is computed from."""
    sources = {entry.name: {entry.name} for entry in graph.inputs}
    for layer in graph.layers:
        before = set().union(*(sources[edge] for edge in layer.reads))
        for edge in layer.writes:
            sources[edge] = before | {edge}
    return sources


def _ordered(graph: Graph, stacks: Sequence[Stack]) -> tuple[Part, ...] | None:
    """Parts in the graph's order as far as possible; None if they depend on each other."""
    stack_of = {layer.name: stack for stack in stacks for layer in stack.layers}
    waiting = list(dict.fromkeys(stack_of.get(layer.name, layer) for layer in graph.layers))
    known = {entry.name for entry in graph.inputs}
    ready: list[Part] = []
    while waiting:
        part = next((part for part in waiting if _needs(part) <= known), None)
        if part is None:
            return None
        waiting.remove(part)
        known.update(part.writes)
        ready.append(part)
    return tuple(ready)


def _needs(part: Part) -> set[str]:
    return part.side_inputs if isinstance(part, Stack) else set(part.reads)
