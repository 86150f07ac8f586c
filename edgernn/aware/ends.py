"""The two ends of a model: what reads its inputs, and what gives its answers."""

from __future__ import annotations

from collections.abc import Callable

from edgernn.dtype import DType
from edgernn.graph import Graph, Layer

#: Whether a layer holds a matrix that is trained on a grid: a walk ends there.
Holds = Callable[[Layer], bool]


def readers_of_inputs(graph: Graph, holds: Holds) -> frozenset[str]:
    """Layers whose kernel multiplies inputs, as they are or after layers without a matrix."""
    edges = {entry.name for entry in graph.inputs}
    found = set()
    for layer in graph.layers:
        if edges.isdisjoint(_values(graph, layer.reads)):
            continue
        if holds(layer):
            if layer.reads[0] in edges:  # and not only an initial state
                found.add(layer.name)
        else:
            edges.update(layer.writes)
    return frozenset(found)


def givers_of_answers(graph: Graph, holds: Holds) -> frozenset[str]:
    """Layers with a matrix that reach an output without passing another one."""
    edges = {output.edge for output in graph.outputs}
    found = set()
    for layer in reversed(graph.layers):
        if edges.isdisjoint(layer.writes):
            continue
        if holds(layer):
            found.add(layer.name)
        else:
            edges.update(_values(graph, layer.reads))
    return frozenset(found)


def _values(graph: Graph, edges: tuple[str, ...]) -> list[str]:
    """Without masks, which reach every layer."""
    return [edge for edge in edges if graph.specs[edge].dtype is not DType.BOOL]
