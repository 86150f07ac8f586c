"""Profile "qnn": quantize/dequantize pairs around the operators, for Qualcomm's provider.

The provider turns DequantizeLinear → operator → QuantizeLinear into one integer operator of the
NPU.  It requires unsigned bytes per tensor for recurrent and dense weights, int32 biases, and an
integer GRU with linear_before_reset, forward, both outputs and default activations
(onnxruntime-qnn#284, #721).  Other providers run the same file, slower than the file of the default
profile.  The NPU needs fixed shapes: set the free dimensions in the session's options.

Where a layer needs finer activations than bytes, all activations of the file have 16 bits: an
operator takes inputs and outputs of one width.  Weights stay bytes then, but for those of a GRU,
which has no kernel for 16-bit activations and 8-bit weights (release notes of QNN 2.44 and 2.45).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgernn.export.onnx.builder import ABSENT, Builder, Value
from edgernn.export.onnx.integer_product import is_bounded
from edgernn.export.onnx.weights import Arrange
from edgernn.graph import (
    DType,
    Graph,
    Gru,
    Layer,
    Lstm,
    Range,
    SimpleRnn,
    Weight,
    as_float32,
    moved_edges,
    producer,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Unsigned integers of some bits that represent scale * (integer - zero_point)."""

    scale: float
    zero_point: int
    bits: int = 8  # or 16

    @classmethod
    def covering(cls, low: float, high: float, *, bits: int = 8) -> Grid:
        """The finest grid from low to high that contains zero."""
        low, high = min(low, 0.0), max(high, 0.0)
        largest = 2**bits - 1
        scale = float(np.float32((high - low) / largest or 1.0))
        zero_point = int(np.clip(np.rint(-low / scale), 0, largest))
        return cls(scale=scale, zero_point=zero_point, bits=bits)

    @property
    def largest(self) -> int:
        return int(2**self.bits - 1)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8 if self.bits == 8 else np.uint16)


def _state_grid(bits: int) -> Grid:
    """Of states of cells whose activation is tanh or the like."""
    middle = 2 ** (bits - 1)
    return Grid(scale=1 / middle, zero_point=middle, bits=bits)


#: The first opset whose QuantizeLinear makes 16-bit integers.
_SIXTEEN_SINCE: Final = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Adds the pairs, with the ranges that calibration found."""

    builder: Builder
    graph: Graph
    ranges: Mapping[str, Range]  # by edge
    bits: int = 8  # of activations

    def __post_init__(self) -> None:
        if self.bits > 8:
            self.builder.needs(_SIXTEEN_SINCE)

    def weight_bits(self, layer: Layer) -> int:
        return self.bits if isinstance(layer, Gru) else 8

    def grid(self, edge: str) -> Grid | None:
        """The grid of an edge; None if calibration did not observe it as floats.

        A layer that only moves elements keeps the grid, and so the integers, of its input; a layer
        that joins edges with different grids has its own grid.
        """
        layer = producer(self.graph, edge)
        grids = () if layer is None else {self.grid(source) for source in moved_edges(layer)}
        if len(grids) == 1:
            return next(iter(grids))
        if self.graph.specs[edge].dtype is not DType.FLOAT32:
            return None
        if _is_state(self.graph, edge):
            return _state_grid(self.bits)
        seen = self.ranges.get(edge)
        return None if seen is None else Grid.covering(seen.low, seen.high, bits=self.bits)

    def around(self, value: Value, grid: Grid | None) -> Value:
        """The value, quantized and dequantized."""
        if grid is None or value == ABSENT:
            return value
        scale, zero = self._constants(grid)
        quantized = self.builder.op("QuantizeLinear", value, scale, zero)
        return self.builder.op("DequantizeLinear", quantized, scale, zero)

    def matrix(self, layer: Layer, stored: Weight, arrange: Arrange) -> tuple[Value, float]:
        """A weight of `layer` as unsigned integers with one scale, and that scale."""
        weight = arrange(as_float32(stored))
        ends = float(weight.min(initial=0)), float(weight.max(initial=0))
        grid = Grid.covering(*ends, bits=self.weight_bits(layer))
        units = np.rint(weight.astype(np.float64) / grid.scale) + grid.zero_point
        constant = self.builder.constant(np.clip(units, 0, grid.largest).astype(grid.dtype))
        value = self.builder.op("DequantizeLinear", constant, *self._constants(grid))
        return value, grid.scale

    def bias(self, stored: Weight | None, edge: str, weight_scale: float) -> Value:
        """A bias as int32 in units of the sum: input scale times weight scale.

        float32 if the input's range is not known, or if int32 has no room for it in such units.
        """
        if stored is None:
            return ABSENT
        bias, grid = as_float32(stored), self.grid(edge)
        if grid is None:
            return self.builder.constant(bias)
        unit = grid.scale * weight_scale
        units = np.rint(bias.astype(np.float64) / unit)
        if np.abs(units).max(initial=0) > np.iinfo(np.int32).max:
            return self.builder.constant(bias)
        scale = self.builder.constant(np.array(unit, np.float32))
        return self.builder.op(
            "DequantizeLinear", self.builder.constant(units.astype(np.int32)), scale
        )

    def _constants(self, grid: Grid) -> tuple[Value, Value]:
        scale = self.builder.constant(np.array(grid.scale, np.float32))
        return scale, self.builder.constant(np.array(grid.zero_point, grid.dtype))


def _is_state(graph: Graph, edge: str) -> bool:
    """Whether the edge contains h, also as a state from an earlier call."""
    fed_back = {state.input: state.output for state in graph.states}
    by_name = {output.name: output.edge for output in graph.outputs}
    if edge in fed_back:
        edge = by_name[fed_back[edge]]
    layer = producer(graph, edge)
    return isinstance(layer, SimpleRnn | Gru | Lstm) and is_bounded(edge, graph)
