"""Chooses what each layer computes with: float32, or int8 where the graph has a plan for it."""

from __future__ import annotations

from collections.abc import Mapping

from edgernn.export.tflite.blocks import blocks_of
from edgernn.export.tflite.builder import Quantization
from edgernn.export.tflite.cells import Cell, FloatCell
from edgernn.export.tflite.int8_cells import int8_cell
from edgernn.export.tflite.options import Profile
from edgernn.export.tflite.quantization import covering_range
from edgernn.export.tflite.values import Lowering
from edgernn.graph import LayerPlan, Range, Recurrent, RecurrentPlan
from edgernn.graph.node import Node


def cell_for(low: Lowering, layer: Recurrent) -> Cell:
    blocks = blocks_of(layer)
    plan = plan_of(low, layer)
    x = quantization_of(low, layer.input)
    if isinstance(plan, RecurrentPlan) and x is not None:
        return int8_cell(
            layer,
            blocks,
            ranges=_cell_ranges(low, layer),
            x=x,
            hard_sigmoid=plan.hard_sigmoid,
            integer_state=low.options.profile is not Profile.MIXED,
        )
    return FloatCell(layer=layer, blocks=blocks, runtime_min=low.options.runtime_min)


def plan_of(low: Lowering, layer: Node) -> LayerPlan | None:
    quantization = low.graph.quantization
    return None if quantization is None else quantization.plans.get(layer.name)


def quantization_of(low: Lowering, edge: str) -> Quantization | None:
    """How an edge is as int8; None where nothing is known about its range."""
    stored = low.tensors.quantization(edge)
    if stored is not None:
        return stored
    quantization = low.graph.quantization
    found = None if quantization is None else quantization.ranges.edges.get(edge)
    return None if found is None else covering_range(found)


def _cell_ranges(low: Lowering, layer: Recurrent) -> Mapping[str, Range]:
    quantization = low.graph.quantization
    return {} if quantization is None else quantization.ranges.cells.get(layer.name, {})
