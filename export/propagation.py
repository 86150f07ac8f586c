"""The float graph with a single layer changed: what the change alone makes of the outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from math import ceil, prod
from typing import Final

import numpy as np

from edgernn.graph import AnyArray, Graph, Layer
from edgernn.reference import apply
from edgernn.side_by_side import side_by_side

#: Numbers on all edges of the changes of a group, which run together: 64 MB of float32.
_MOST_NUMBERS: Final = 2**24

#: Parameters from which on a step takes so long that a second processor helps.
_LARGE: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Change:
    """Layer `layer` writes these arrays, one for each edge that it writes."""

    layer: str
    written: Sequence[AnyArray]


def with_changes(
    graph: Graph, changes: Sequence[Change], exact: Mapping[str, AnyArray], edges: Set[str]
) -> list[dict[str, AnyArray]]:
    """These edges, for each change as if it were the only one; all other layers compute in float.

    exact: every edge of the unchanged graph, which takes any number of rows.  What does not depend
    on a change is taken from it.  Later layers run once for the rows of several changes: a step of
    60 rows takes little more time than one of 10.  Large models run in two groups side by side.
    """
    numbers = sum(prod(value.shape) for value in exact.values())
    groups = ceil(len(changes) * max(numbers, 1) / _MOST_NUMBERS)
    if graph.parameters > _LARGE:
        groups = max(groups, 2)
    groups = min(groups, len(changes))
    found: list[dict[str, AnyArray]] = [{} for _ in changes]

    def run(first: int) -> None:
        found[first::groups] = _together(graph, changes[first::groups], exact, edges)

    side_by_side([partial(run, first) for first in range(groups)])
    return found


def _together(
    graph: Graph, changes: Sequence[Change], exact: Mapping[str, AnyArray], edges: Set[str]
) -> Iterator[dict[str, AnyArray]]:
    changed: list[dict[str, AnyArray]] = [{} for _ in changes]
    last = {edge: layer.name for layer in graph.layers for edge in layer.reads}
    for layer in graph.layers:
        for change, values in zip(changes, changed, strict=True):
            if change.layer == layer.name:
                values.update(zip(layer.writes, change.written, strict=True))
        _run(
            layer,
            [
                values
                for change, values in zip(changes, changed, strict=True)
                if change.layer != layer.name and not values.keys().isdisjoint(layer.reads)
            ],
            exact,
        )
        for edge in layer.reads:
            if last[edge] == layer.name and edge not in edges:
                for values in changed:
                    values.pop(edge, None)
    for values in changed:
        yield {edge: values.get(edge, exact[edge]) for edge in edges}


def _run(
    layer: Layer, changed: Sequence[dict[str, AnyArray]], exact: Mapping[str, AnyArray]
) -> None:
    """Adds what the layer writes to each of `changed`, the edges that a change leads to."""
    if not changed:
        return
    stacked = {
        edge: np.concatenate([values.get(edge, exact[edge]) for values in changed])
        for edge in layer.reads
    }
    for edge, array in zip(layer.writes, apply(layer, stacked), strict=True):
        for values, part in zip(changed, np.split(array, len(changed)), strict=True):
            values[edge] = part
