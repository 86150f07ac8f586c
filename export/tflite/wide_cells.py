"""One step of a recurrent layer with int8 weights and int16 activations, for files of integers only.

Gates of 8 bits open a memory by 1/256 or not at all; those of 16 bits have steps of 1/32768.  The
gates z (GRU) and f (LSTM) are computed as z' = 1 - z and f' = 1 - f, as in int8_cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from typing_extensions import assert_never

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite import quantization as quant
from edgernn.export.tflite.builder import Quantization, Subgraph, Tensor
from edgernn.export.tflite.cells import Direct, Projected, Source, States
from edgernn.export.tflite.int8_cells import Int8Cell
from edgernn.export.tflite.weights import Matrix, matrix
from edgernn.graph import FloatArray, Gru, Lstm, Recurrent, SimpleRnn

#: Arguments of gates: a sigmoid is 1 but for 1/32768 beyond 10.4, and so are ±16 enough.
PRE_ACTIVATION: Final = Quantization.per_tensor(2.0**-11)


@dataclass(frozen=True, slots=True, kw_only=True)
class WideCell:
    """A Gru, Lstm or SimpleRnn with the activations tanh and sigmoid.

    It has the weights of the cell of bytes.  States between steps are int16: h; h and c.
    """

    coarse: Int8Cell

    @property
    def layer(self) -> Recurrent:
        return self.coarse.layer

    @property
    def reads(self) -> Quantization:
        return self.coarse.reads

    @property
    def input(self) -> Quantization:
        """That of the input once it is int16."""
        return widened(self.coarse.reads)

    def project(self, graph: Subgraph, x: Tensor) -> tuple[Tensor, ...]:
        x = ops.as_int16(graph, x, self.input)
        return tuple(
            product(graph, x, block.kernel, block.bias, widened(block.x_part))
            for block in self.coarse.blocks
        )

    def enter(self, graph: Subgraph, states: Sequence[Tensor]) -> States:
        h = ops.as_int16(graph, states[0], quant.WIDE_UNIT)
        if self.coarse.cell is None:
            return (h,)
        return h, ops.as_int16(graph, states[1], self.coarse.cell)

    def step(self, graph: Subgraph, source: Source, states: States) -> States:
        if isinstance(source, Direct):
            source = Projected(parts=self.project(graph, source.x))
        match self.layer:
            case SimpleRnn():
                return (ops.tanh(graph, self._total(graph, source, 0, states[0]), to=UNIT),)
            case Gru():
                return (self._gru(graph, self.layer, source, states[0]),)
            case Lstm():
                return self._lstm(graph, source, *states)
            case _:
                assert_never(self.layer)

    def output(self, states: States) -> Tensor:
        return states[0]

    def leave(self, _graph: Subgraph, states: States) -> tuple[Sequence[Tensor], ...]:
        return tuple([state] for state in states)

    def _gru(self, graph: Subgraph, layer: Gru, source: Projected, h: Tensor) -> Tensor:
        gates = ops.logistic(graph, self._total(graph, source, 0, h), to=UNIT)
        not_z, r = ops.split(graph, gates, 2)
        to = widened(self.coarse.blocks[1].h_part)
        if layer.reset_after:
            gated = ops.multiply(graph, r, self._recurrent(graph, 1, h), to=to)
        else:
            gated = self._recurrent(graph, 1, ops.multiply(graph, r, h, to=UNIT))
        n = ops.tanh(graph, ops.add(graph, source.parts[1], gated, to=PRE_ACTIVATION), to=UNIT)
        # Apart, since n - h would need coarser units than h.
        kept = ops.subtract(graph, h, ops.multiply(graph, not_z, h, to=UNIT), to=UNIT)
        return ops.add(graph, kept, ops.multiply(graph, not_z, n, to=UNIT), to=UNIT)

    def _lstm(self, graph: Subgraph, source: Projected, h: Tensor, c: Tensor) -> States:
        cell = self.coarse.cell
        gates = ops.logistic(graph, self._total(graph, source, 0, h), to=UNIT)
        i, not_f, o = ops.split(graph, gates, 3)
        n = ops.tanh(graph, self._total(graph, source, 1, h), to=UNIT)
        lost = ops.multiply(graph, not_f, c, to=cell)
        kept = ops.subtract(graph, c, lost, to=cell)
        new_c = ops.add(graph, kept, ops.multiply(graph, i, n, to=cell), to=cell)
        return ops.multiply(graph, o, ops.tanh(graph, new_c, to=UNIT), to=UNIT), new_c

    def _recurrent(self, graph: Subgraph, at: int, h: Tensor) -> Tensor:
        block = self.coarse.blocks[at]
        to = widened(block.h_part)
        return product(graph, h, block.recurrent_kernel, block.recurrent_bias, to)

    def _total(self, graph: Subgraph, source: Projected, at: int, h: Tensor) -> Tensor:
        recurrent = self._recurrent(graph, at, h)
        return ops.add(graph, source.parts[at], recurrent, to=PRE_ACTIVATION)


UNIT: Final = quant.WIDE_UNIT


def widened(narrow: Quantization) -> Quantization:
    """int16 over what an int8 quantization covers; its zero point must be 0."""
    (scale,) = narrow.scale
    low, high = (float(scale) * (end - narrow.zero_point) for end in (-128, 127))
    return quant.symmetric16(low, high)


def product(
    graph: Subgraph,
    x: Tensor,  # int16 [..., K]
    weights: Matrix,  # int8 [N, K]
    bias: FloatArray | None,  # [N]
    to: Quantization,
) -> Tensor:  # int16 [..., N]
    """Sums in int64, as the kernels have them; a bias is int64 in their units."""
    if x.quantization is None or weights.scale is None:
        raise AssertionError("a product of integers has integer operands")
    given = None
    if bias is not None:
        units = x.quantization.scale.astype(np.float64) * weights.scale.astype(np.float64)
        steps = np.rint(bias.astype(np.float64) / units).astype(np.int64)
        given = graph.constant(steps, Quantization(scale=units.astype(np.float32)))
    return ops.fully_connected(graph, x, matrix(graph, weights), given, to=to)
