"""One step of a recurrent layer in int8.

The gates z (GRU) and f (LSTM) are computed as z' = 1 - z and f' = 1 - f, by negating their rows: an
int8 sigmoid ends at 255/256, so a plain gate that should keep its state for ever would lose 0.4 %
of it at each step, while z' reaches 0.  States are float32 if the profile allows it: int8 states
would lose all changes smaller than 1/256.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from typing_extensions import assert_never

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite import quantization as quant
from edgernn.export.tflite.blocks import Block
from edgernn.export.tflite.builder import Quantization, Subgraph, Tensor
from edgernn.export.tflite.cells import Direct, Projected, Source, States
from edgernn.export.tflite.int8_product import product
from edgernn.export.tflite.weights import Matrix
from edgernn.graph import FloatArray, Gru, Lstm, Range, Recurrent, SimpleRnn


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Int8Block:
    """A block in int8: its weights, and the quantization of each part of its pre-activation."""

    kernel: Matrix  # [N, F]
    recurrent_kernel: Matrix  # [N, H]
    bias: FloatArray  # [N]
    recurrent_bias: FloatArray | None  # [N]
    x_part: Quantization  # W x + b
    h_part: Quantization  # U h
    total: Quantization  # the argument of the activation


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8Cell:
    """A Gru, Lstm or SimpleRnn with the activations tanh and sigmoid or hard sigmoid.

    States between steps: Gru (h int8, h float32), or (h int8) when integers only; Lstm (h int8,
    c float32 or int16); SimpleRnn (h int8).
    """

    layer: Recurrent
    blocks: tuple[Int8Block, ...]
    reads: Quantization
    hard_sigmoid: float | None  # alpha; None: sigmoid
    difference: Quantization | None = None  # n - h of a Gru with an int8 state
    cell: Quantization | None = None  # of an Lstm with an int16 cell

    def project(self, graph: Subgraph, x: Tensor) -> tuple[Tensor, ...]:
        x = ops.as_int8(graph, x, self.reads)
        return tuple(
            product(graph, x, block.kernel, block.bias, block.x_part) for block in self.blocks
        )

    def enter(self, graph: Subgraph, states: Sequence[Tensor]) -> States:
        h = ops.as_int8(graph, states[0], quant.STATE)
        match self.layer:
            case SimpleRnn():
                return (h,)
            case Gru():
                return (h,) if self.difference is not None else (h, states[0])
            case Lstm():
                c = states[1]
                return (h, c if self.cell is None else ops.as_int16(graph, c, self.cell))
            case _:
                assert_never(self.layer)

    def step(self, graph: Subgraph, source: Source, states: States) -> States:
        if isinstance(source, Direct):
            source = Projected(parts=self.project(graph, source.x))
        match self.layer:
            case SimpleRnn():
                total = self._total(graph, source, 0, states[0])
                return (ops.tanh(graph, total, to=quant.STATE),)
            case Gru():
                return self._gru(graph, self.layer, source, states)
            case Lstm():
                if self.cell is not None:
                    return self._integer_lstm(graph, source, states, self.cell)
                return self._lstm(graph, source, *states)
            case _:
                assert_never(self.layer)

    def output(self, _graph: Subgraph, states: States) -> Tensor:
        return states[0]

    def leave(self, _graph: Subgraph, states: States) -> tuple[Sequence[Tensor], ...]:
        match self.layer:
            case SimpleRnn() | Gru():
                return (states,)
            case Lstm():
                return ([states[0]], [states[1]])
            case _:
                assert_never(self.layer)

    def _gru(self, graph: Subgraph, layer: Gru, source: Projected, states: States) -> States:
        h = states[0]
        not_z, r = ops.split(graph, self._gates(graph, self._total(graph, source, 0, h)), 2)
        candidate = self.blocks[1]
        if layer.reset_after:
            recurrent = self._recurrent(graph, 1, h)
            gated = ops.multiply(graph, r, recurrent, to=quant.gated(candidate.h_part))
        else:
            reset_h = ops.multiply(graph, r, h, to=quant.gated(quant.STATE))
            gated = self._recurrent(graph, 1, reset_h)
        total = ops.add(graph, source.parts[1], gated, to=candidate.total)
        n = ops.tanh(graph, total, to=quant.STATE)
        if self.difference is not None:
            change = ops.subtract(graph, n, h, to=self.difference)
            taken = ops.multiply(graph, not_z, change, to=quant.gated(self.difference))
            return (ops.add(graph, h, taken, to=quant.STATE),)
        real_h = states[1]
        change = ops.subtract(graph, ops.dequantize(graph, n), real_h)
        taken = ops.multiply(graph, ops.dequantize(graph, not_z), change)
        new_h = ops.add(graph, real_h, taken)
        return ops.quantize(graph, new_h, quant.STATE), new_h

    def _lstm(self, graph: Subgraph, source: Projected, h: Tensor, c: Tensor) -> States:
        gates = self._gates(graph, self._total(graph, source, 0, h))
        i, not_f, o = ops.split(graph, ops.dequantize(graph, gates), 3)
        n = ops.tanh(graph, self._total(graph, source, 1, h), to=quant.STATE)
        taken = ops.multiply(graph, i, ops.dequantize(graph, n))
        lost = ops.multiply(graph, not_f, c)
        new_c = ops.add(graph, c, ops.subtract(graph, taken, lost))
        new_h = ops.multiply(graph, o, ops.tanh(graph, new_c))
        return ops.quantize(graph, new_h, quant.STATE), new_c

    def _integer_lstm(
        self, graph: Subgraph, source: Projected, states: States, cell: Quantization
    ) -> States:
        """Computes in int16 after the products: a cell loses too much in int8."""
        h, c = states
        i, not_f, o = ops.split(graph, self._wide_gates(graph, self._total(graph, source, 0, h)), 3)
        total = ops.as_int16(graph, self._total(graph, source, 1, h), quant.WIDE_PRE_ACTIVATION)
        n = ops.tanh(graph, total, to=quant.WIDE_UNIT)
        taken = ops.multiply(graph, i, n, to=cell)
        lost = ops.multiply(graph, not_f, c, to=cell)
        new_c = ops.add(graph, c, ops.subtract(graph, taken, lost, to=cell), to=cell)
        bounded = ops.tanh(graph, new_c, to=quant.WIDE_UNIT)
        new_h = ops.multiply(graph, o, bounded, to=quant.WIDE_UNIT)
        return ops.quantize(graph, new_h, quant.STATE), new_c

    def _wide_gates(self, graph: Subgraph, total: Tensor) -> Tensor:
        if self.hard_sigmoid is not None:
            return ops.as_int16(graph, total, quant.WIDE_UNIT)
        wide = ops.as_int16(graph, total, quant.WIDE_PRE_ACTIVATION)
        return ops.logistic(graph, wide, to=quant.WIDE_UNIT)

    def _recurrent(self, graph: Subgraph, block: int, h: Tensor) -> Tensor:
        parts = self.blocks[block]
        return product(graph, h, parts.recurrent_kernel, parts.recurrent_bias, parts.h_part)

    def _total(self, graph: Subgraph, source: Projected, block: int, h: Tensor) -> Tensor:
        recurrent = self._recurrent(graph, block, h)
        return ops.add(graph, source.parts[block], recurrent, to=self.blocks[block].total)

    def _gates(self, graph: Subgraph, total: Tensor) -> Tensor:
        """A hard sigmoid results from the saturation of its pre-activation: see _gate_block."""
        if self.hard_sigmoid is not None:
            return total
        return ops.logistic(graph, total, to=quant.PROBABILITY)


def int8_cell(
    layer: Recurrent,
    blocks: Sequence[Block],
    *,
    ranges: Mapping[str, Range],
    x: Quantization,
    hard_sigmoid: float | None,
    integer_state: bool,
    cell: Quantization | None,
) -> Int8Cell:
    """`ranges` are those inside the cell, by the names of edgernn.reference.recurrent.

    integer_state: no state in float32; `cell` is then the quantization of an Lstm's c.
    """
    difference = None
    if isinstance(layer, Gru) and integer_state:
        found = quant.interval(ranges, [("n_minus_h", 1.0, None)], end=2.0)
        difference = quant.covering(*found)
    return Int8Cell(
        layer=layer,
        blocks=tuple(_int8_block(layer, block, ranges, hard_sigmoid) for block in blocks),
        reads=x,
        hard_sigmoid=hard_sigmoid,
        difference=difference,
        cell=cell if integer_state else None,
    )


def _int8_block(
    layer: Recurrent, block: Block, ranges: Mapping[str, Range], hard_sigmoid: float | None
) -> Int8Block:
    opens_gates = isinstance(layer, Gru | Lstm) and block.gates in {"zr", "ifo"}
    signs = {gate: -1.0 if opens_gates and gate in "zf" else 1.0 for gate in block.gates}
    factor = hard_sigmoid if opens_gates and hard_sigmoid is not None else 1.0
    units = layer.units
    moved = {
        gate: block.moved[at * units : (at + 1) * units] for at, gate in enumerate(block.gates)
    }
    scaled = [(gate, factor * sign) for gate, sign in signs.items()]
    x_low, x_high = quant.interval(
        ranges, [(f"x.{gate}", sign, moved[gate]) for gate, sign in scaled], end=quant.PART_END
    )
    h_low, h_high = quant.interval(
        ranges, [(f"h.{gate}", sign, -moved[gate]) for gate, sign in scaled], end=quant.PART_END
    )
    row_signs = np.repeat(np.array([*signs.values()], np.float32), units)
    kernel = block.kernel.with_signs(row_signs).scaled(factor)
    recurrent_kernel = block.recurrent_kernel.with_signs(row_signs).scaled(factor)
    bias = block.bias * row_signs * np.float32(factor)
    if opens_gates and hard_sigmoid is not None:
        # clip(alpha p + 0.5, 0, 1) is what int8 in units of 1/256 from -128 on does by itself.
        total = quant.PROBABILITY
        bias = bias + np.float32(0.5)
        x_low, x_high = x_low + 0.5, x_high + 0.5
    else:
        end = quant.SIGMOID_END if opens_gates else quant.TANH_END
        total = quant.covering(
            *quant.interval(ranges, [(f"pre.{gate}", sign, None) for gate, sign in scaled], end=end)
        )
    return Int8Block(
        kernel=kernel,
        recurrent_kernel=recurrent_kernel,
        bias=bias,
        recurrent_bias=block.recurrent_bias,
        x_part=quant.covering(x_low, x_high),
        h_part=quant.covering(h_low, h_high),
        total=total,
    )
