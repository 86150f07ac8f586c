"""The float graph with a single layer changed: what the change alone makes of every edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgernn.graph import AnyArray, Graph
from edgernn.reference import apply


def with_layer(
    graph: Graph, name: str, written: Sequence[AnyArray], exact: Mapping[str, AnyArray]
) -> dict[str, AnyArray]:
    """Every edge, where layer `name` writes `written` and all others compute in float.

    exact: every edge of the unchanged graph.  What does not depend on the layer is taken from it.
    """
    values, changed = dict(exact), set[str]()
    for layer in graph.layers:
        if layer.name == name:
            made: Sequence[AnyArray] = written
        elif changed.intersection(layer.reads):
            made = apply(layer, values)
        else:
            continue
        values.update(zip(layer.writes, made, strict=True))
        changed.update(layer.writes)
    return values
