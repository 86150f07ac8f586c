"""Steps that a mask hides from all readers of an input: what they hold must not cost any bits.

Padding may be far from all data (-999).  Ranges around it, and schemes that draw a scale around a
whole call, would spend their integers on numbers that nobody reads.  So such steps become zeros in
front of the first layer, and calibration leaves them out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from edgernn.graph import (
    Activate,
    ActivationKind,
    Affine,
    AnyNotEqual,
    ApplyMask,
    Dense,
    DType,
    GlobalPool1D,
    Graph,
    Layer,
    Merge,
    Ranges,
    Recurrent,
    Reverse,
    consumers,
    fingerprint,
    producer,
)
from edgernn.graph.node import with_edges

_ACROSS_STEPS = (ActivationKind.SOFTMAX, ActivationKind.LOG_SOFTMAX)


def hidden_steps(graph: Graph) -> dict[str, str]:
    """The mask (bool [B, T]) that hides steps of an input [B, T, F] from all that it is used for.

    Layers that work step by step are followed.  Inputs without such a mask are left out.

    >>> hidden_steps(graph)  # LSTM(x, mask=valid)
    {'x': 'valid'}
    """
    states = {state.input for state in graph.states}
    found = {}
    for entry in graph.inputs:
        if entry.spec.dtype is DType.FLOAT32 and entry.spec.rank == 3 and entry.name not in states:
            masks = set(_masks(graph, entry.name))
            mask = masks.pop() if len(masks) == 1 else None
            if mask is not None and graph.specs[mask].shape[1] == entry.spec.shape[1]:
                found[entry.name] = mask
    return found


def without_hidden_steps(graph: Graph) -> Graph:
    """The same function with zeros in the hidden steps of its inputs; often the graph itself."""
    for edge, mask in hidden_steps(graph).items():
        readers = [layer for layer in consumers(graph, edge) if not _asks(layer)]
        before = _ancestors(graph, mask)
        is_done = all(isinstance(reader, ApplyMask) for reader in readers)
        if is_done or any(reader.name in before for reader in readers):
            continue
        seen = _seen_edge(graph, edge)
        names = {reader.name for reader in readers}
        masking = ApplyMask(name=f"{seen}.mask", input=edge, mask=mask, output=seen)
        first = [layer for layer in graph.layers if layer.name in before]
        others = [
            with_edges(layer, {edge: seen}) if layer.name in names else layer
            for layer in graph.layers
            if layer.name not in before
        ]
        graph = replace(graph, layers=(*first, masking, *others))
    return graph


def with_hidden_steps(graph: Graph, ranges: Ranges | None) -> tuple[Graph, Ranges | None]:
    """`without_hidden_steps`, and the ranges for that graph."""
    changed = without_hidden_steps(graph)
    if changed is graph or ranges is None:
        return changed, ranges
    of_sources = {  # for ranges of files that were written before these edges were known
        layer.output: ranges.edges[layer.input]
        for layer in changed.layers
        if isinstance(layer, ApplyMask) and layer.output not in graph.specs
    }
    return changed, replace(
        ranges, graph_fingerprint=fingerprint(changed), edges={**of_sources, **ranges.edges}
    )


def _seen_edge(graph: Graph, edge: str) -> str:
    """The name of what is left of an input: one that the graph does not use."""
    name = f"{edge}_seen"
    while name in graph.specs:
        name += "_"
    return name


def _masks(graph: Graph, edge: str) -> Iterator[str | None]:
    """For each use of `edge`, the mask that hides steps from it; None for a use of all steps."""
    if any(output.edge == edge for output in graph.outputs):
        yield None
    for layer in consumers(graph, edge):
        if _asks(layer):
            continue
        if isinstance(layer, Recurrent | GlobalPool1D | ApplyMask):
            yield layer.mask if layer.input == edge else None
        elif isinstance(layer, Reverse):
            for mask in _masks(graph, layer.output):
                writer = None if mask is None else producer(graph, mask)
                yield writer.input if isinstance(writer, Reverse) else None
        elif _works_step_by_step(graph, layer):
            for edge_behind in layer.writes:
                yield from _masks(graph, edge_behind)
        else:
            yield None


def _asks(layer: Layer) -> bool:
    """Whether the layer only compares, to make a mask: it needs what the steps hold."""
    return isinstance(layer, AnyNotEqual)


def _works_step_by_step(graph: Graph, layer: Layer) -> bool:
    if any(graph.specs[edge].rank != 3 for edge in (*layer.reads, *layer.writes)):
        return False
    if isinstance(layer, Dense | Activate):
        activation = layer.activation
        last = activation.axis in (-1, 2)
        return activation.kind not in _ACROSS_STEPS or last
    return isinstance(layer, Affine | Merge)


def _ancestors(graph: Graph, edge: str) -> Collection[str]:
    """Names of the layers that `edge` needs."""
    wanted, names = {edge}, set[str]()
    for layer in reversed(graph.layers):
        if wanted.intersection(layer.writes):
            names.add(layer.name)
            wanted.update(layer.reads)
    return names
