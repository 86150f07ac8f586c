"""Chooses the precision of each layer: int8 where the graph has a plan for it, else float32."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil, log2
from typing import Final, TypeAlias

from typing_extensions import assert_never

from edgernn.export.tflite import quantization as quant
from edgernn.export.tflite.blocks import blocks_of
from edgernn.export.tflite.builder import Quantization
from edgernn.export.tflite.cells import Cell, FloatCell
from edgernn.export.tflite.edges import Lowering
from edgernn.export.tflite.int8_cells import int8_cell
from edgernn.export.tflite.wide_cells import WideCell
from edgernn.graph import (
    Gru,
    Layer,
    LayerPlan,
    Lstm,
    Moving,
    Range,
    Recurrent,
    RecurrentPlan,
    SimpleRnn,
    consumers,
    moved_edges,
    producer,
)
from edgernn.graph import layers as ly
from edgernn.graph.node import Node

#: Layers that compute without a matrix; see int8_layers.
Computing: TypeAlias = ly.Affine | ly.Pool1D | ly.Pool2D | ly.GlobalPool1D | ly.Activate | ly.Merge

#: A cell's range without calibration, and the margin beyond the values in calibration.
_UNKNOWN_CELL: Final = 64.0
_CELL_MARGIN: Final = 1.25


def cell_for(low: Lowering, layer: Recurrent) -> Cell:
    blocks = blocks_of(layer)
    plan = plan_of(low, layer)
    x = quantization_of(low, layer.input)
    if isinstance(plan, RecurrentPlan) and x is not None:
        cell = int8_cell(
            layer,
            blocks,
            ranges=cell_ranges(low, layer),
            x=x,
            hard_sigmoid=plan.hard_sigmoid,
            integer_state=low.integers_only,
            cell=cell_quantization(low, layer) if isinstance(layer, Lstm) else None,
        )
        has_wide = plan.hard_sigmoid is None and not isinstance(layer, Lstm)
        return WideCell(coarse=cell) if has_wide and is_wide(low, layer) else cell
    return FloatCell(layer=layer, blocks=blocks, runtime_min=low.options.runtime_min)


def plan_of(low: Lowering, layer: Node) -> LayerPlan | None:
    quantization = low.graph.quantization
    return None if quantization is None else quantization.plans.get(layer.name)


def is_wide(low: Lowering, layer: Node) -> bool:
    """Whether activations are int16, since 8 bits were found too coarse and no float is allowed."""
    quantization = low.graph.quantization
    return low.integers_only and quantization is not None and layer.name in quantization.wide


def stays_in_float(low: Lowering, layer: Node) -> bool:
    """Whether int8 weights meet float32 activations, since 8 bits were found too coarse."""
    quantization = low.graph.quantization
    return quantization is not None and layer.name in quantization.in_float


def quantization_of(low: Lowering, edge: str) -> Quantization | None:
    """The quantization of an edge; None if its range is unknown."""
    stored = low.tensors.quantization(edge)
    if stored is not None:
        return stored
    writer = producer(low.graph, edge)
    is_cell = isinstance(writer, Lstm) and edge == writer.state_c
    if isinstance(writer, Recurrent) and plan_of(low, writer) is not None and not is_cell:
        return quant.STATE  # known before the layer is lowered: another may share its loop
    found = _seen(low, edge)
    return None if found is None else quant.covering(*found)


def _seen(low: Lowering, edge: str) -> tuple[float, float] | None:
    """The range of the edge in calibration, or of the edges whose elements it contains.

    Edges that a streaming model adds (the window of a convolution) were not calibrated.
    """
    quantization = low.graph.quantization
    if quantization is None:
        return None
    if edge in quantization.ranges.edges:
        found = quantization.ranges.edges[edge]
        return found.low, found.high
    writer = producer(low.graph, edge)
    sources = () if writer is None else moved_edges(writer)
    parts = [part for part in (_seen(low, source) for source in sources) if part is not None]
    if not parts:
        return None
    return min(low for low, _ in parts), max(high for _, high in parts)


def feeds_integers(low: Lowering, edge: str) -> bool:
    """Whether a layer reads the edge as integers, directly or after layers without float32."""
    return any(plan_of(low, layer) is not None for layer in _readers(low, edge))


def _readers(low: Lowering, edge: str) -> Iterator[Layer]:
    """The layers that read the edge, directly or through layers without a matrix."""
    for layer in consumers(low.graph, edge):
        if isinstance(layer, Moving | Computing):
            yield from _readers(low, layer.output)
            continue
        match layer:
            # Concatenate, too: it joins different scales in float32.
            case (
                ly.Embedding()
                | SimpleRnn()
                | Gru()
                | Lstm()
                | ly.Dense()
                | ly.Conv1D()
                | ly.Conv2D()
                | ly.LayerNorm()
                | ly.PRelu()
                | ly.Concatenate()
                | ly.Dot()
                | ly.Attention()
                | ly.NotEqual()
                | ly.AnyNotEqual()
                | ly.Cast()
                | ly.Compare()
                | ly.Where()
            ):
                yield layer
            case _:
                assert_never(layer)


def cell_ranges(low: Lowering, layer: Recurrent) -> Mapping[str, Range]:
    quantization = low.graph.quantization
    return {} if quantization is None else quantization.ranges.cells.get(layer.name, {})


def cell_quantization(low: Lowering, layer: Lstm) -> Quantization:
    """int16 with a power-of-two scale, as UNIDIRECTIONAL_SEQUENCE_LSTM requires."""
    ranges = cell_ranges(low, layer)
    largest = _CELL_MARGIN * ranges["c"].magnitude if "c" in ranges else _UNKNOWN_CELL
    given = None if layer.initial_c is None else _seen(low, layer.initial_c)
    if given is not None:
        largest = max(largest, *map(abs, given))
    exponent = max(0, ceil(log2(max(largest, 1.0))))
    return Quantization.per_tensor(2.0 ** (exponent - 15))
