"""Runs a graph with numpy, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgernn.graph import AnyArray, Graph
from edgernn.reference.arguments import checked_arguments
from edgernn.reference.layers import ObserveCell, apply

#: Products of small matrices may read lanes that belong to no number, and then warn of them.  Where
#: a result is no number, that is in the result.
_quiet = np.errstate(invalid="ignore")


@_quiet
def run(graph: Graph, inputs: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """The outputs by name, computed in float32.  This is the definition that back ends must meet.

    >>> run(graph, {"x": np.zeros((1, 40, 13), np.float32)})["y"].shape
    (1, 10)

    Raises DataError if the inputs do not fit the graph (see `arguments`).
    """
    values = checked_arguments(graph, inputs)
    last_use = _last_use(graph)
    for position, layer in enumerate(graph.layers):
        values.update(zip(layer.writes, apply(layer, values), strict=True))
        for edge in (*layer.reads, *layer.writes):
            if last_use.get(edge, position) <= position:
                values.pop(edge, None)
    return {output.name: values[output.edge] for output in graph.outputs}


@_quiet
def execute(
    graph: Graph, inputs: Mapping[str, AnyArray], *, observe: ObserveCell | None = None
) -> dict[str, AnyArray]:
    """Every edge by name, including inputs: for calibration, and to locate errors."""
    values = checked_arguments(graph, inputs)
    for layer in graph.layers:
        values.update(zip(layer.writes, apply(layer, values, observe), strict=True))
    return values


def _last_use(graph: Graph) -> dict[str, int]:
    """Position of the last layer that reads an edge; outputs are kept to the end."""
    last = {edge: position for position, layer in enumerate(graph.layers) for edge in layer.reads}
    last.update({output.edge: len(graph.layers) for output in graph.outputs})
    return last
