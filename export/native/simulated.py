"""What an int8 file computes in a layer: the integers of docs/integer-arithmetic.md."""

from __future__ import annotations

from collections.abc import Mapping

from edgernn.graph import AnyArray, Graph, Layer
from edgernn.reference import apply, integer


def simulated(graph: Graph, layer: Layer, values: Mapping[str, AnyArray]) -> tuple[AnyArray, ...]:
    """A layer without a plan computes in float."""
    plan = graph.quantization.plans.get(layer.name) if graph.quantization else None
    return apply(layer, values) if plan is None else integer.apply(layer, plan, values)
