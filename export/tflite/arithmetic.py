"""Chooses what each layer computes with: float32, or int8 where the graph has a plan for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from edgernn.export.tflite.blocks import blocks_of
from edgernn.export.tflite.builder import Quantization
from edgernn.export.tflite.cells import Cell, FloatCell
from edgernn.export.tflite.int8_cells import int8_cell
from edgernn.export.tflite.options import Profile
from edgernn.export.tflite.quantization import covering
from edgernn.export.tflite.values import Lowering
from edgernn.graph import LayerPlan, Range, Recurrent, RecurrentPlan
from edgernn.graph import layers as ly
from edgernn.graph.node import Node

#: Layers whose results are elements of what they read (and zeros).
Moving: TypeAlias = (
    ly.Reshape
    | ly.Transpose
    | ly.Reverse
    | ly.Repeat
    | ly.Upsample1D
    | ly.ZeroPad1D
    | ly.Slice
    | ly.FoldTime
    | ly.UnfoldTime
    | ly.ApplyMask
)


def cell_for(low: Lowering, layer: Recurrent) -> Cell:
    blocks = blocks_of(layer)
    plan = plan_of(low, layer)
    x = quantization_of(low, layer.input)
    if isinstance(plan, RecurrentPlan) and x is not None:
        return int8_cell(
            layer,
            blocks,
            ranges=cell_ranges(low, layer),
            x=x,
            hard_sigmoid=plan.hard_sigmoid,
            integer_state=low.options.profile is not Profile.DEFAULT,
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
    found = _seen(low, edge)
    return None if found is None else covering(*found)


def _seen(low: Lowering, edge: str) -> tuple[float, float] | None:
    """What calibration saw on the edge, or on those whose elements it is made of.

    Edges that a streaming model adds (the window of a convolution) were not calibrated.
    """
    quantization = low.graph.quantization
    if quantization is None:
        return None
    if edge in quantization.ranges.edges:
        found = quantization.ranges.edges[edge]
        return found.low, found.high
    writer = next((layer for layer in low.graph.layers if edge in layer.writes), None)
    if not isinstance(writer, Moving | ly.Concatenate):
        return None
    parts = [part for part in (_seen(low, source) for source in writer.reads) if part is not None]
    if not parts:
        return None
    return min(low for low, _ in parts), max(high for _, high in parts)


def cell_ranges(low: Lowering, layer: Recurrent) -> Mapping[str, Range]:
    quantization = low.graph.quantization
    return {} if quantization is None else quantization.ranges.cells.get(layer.name, {})
