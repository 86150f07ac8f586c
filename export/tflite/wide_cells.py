"""One step of a recurrent layer with int8 weights and int16 activations: for integers only.

Gates of 8 bits open a memory by 1/256 or not at all; those of 16 bits have steps of 1/32768.  The
gate z of a GRU is computed as z' = 1 - z, as in int8_cells.  An LSTM has gates and a cell of 16
bits already, in TFLite's own operator or in a loop, and no wider form here.
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
from edgernn.export.tflite.schema import Fused
from edgernn.export.tflite.weights import Matrix, matrix
from edgernn.graph import FloatArray, Gru, Lstm, Recurrent, SimpleRnn

#: Arguments of gates: a sigmoid is 1 but for 1/32768 beyond 10.4.
_GATES: Final = Quantization.per_tensor(2.0**-11)
#: Arguments of tanh where calibration saw none that are all small: 1 but for 1/32768 beyond 5.5.
_TANH: Final = Quantization.per_tensor(2.0**-12)

UNIT: Final = quant.WIDE_UNIT

#: Units of a block whose arguments reach the ends of bytes, ±4: those beyond are cut off there.
_CUT: Final = 0.9 * quant.TANH_END / 32767


@dataclass(frozen=True, slots=True, kw_only=True)
class WideCell:
    """A Gru or SimpleRnn with the activations tanh and sigmoid.

    It has the weights of the cell of bytes.  The state between steps is h in int16.
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
        return (ops.as_int16(graph, states[0], UNIT),)

    def step(self, graph: Subgraph, source: Source, states: States) -> States:
        if isinstance(source, Direct):
            source = Projected(parts=self.project(graph, source.x))
        match self.layer:
            case SimpleRnn():
                return (ops.tanh(graph, self._total(graph, source, 0, states[0]), to=UNIT),)
            case Gru():
                return (self._gru(graph, self.layer, source, states[0]),)
            case Lstm():
                raise AssertionError("an LSTM has no cell of this kind")
            case _:
                assert_never(self.layer)

    def output(self, graph: Subgraph, states: States) -> Tensor:
        """In bytes, as sequences are stored and read."""
        return ops.quantize(graph, states[0], quant.STATE)

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
        n = ops.tanh(graph, ops.add(graph, source.parts[1], gated, to=arguments(self, 1)), to=UNIT)
        # Apart, since n - h would need coarser units than h.
        kept = ops.subtract(graph, h, ops.multiply(graph, not_z, h, to=UNIT), to=UNIT)
        return ops.add(graph, kept, ops.multiply(graph, not_z, n, to=UNIT), to=UNIT)

    def _recurrent(self, graph: Subgraph, at: int, h: Tensor) -> Tensor:
        block = self.coarse.blocks[at]
        to = widened(block.h_part)
        return product(graph, h, block.recurrent_kernel, block.recurrent_bias, to)

    def _total(self, graph: Subgraph, source: Projected, at: int, h: Tensor) -> Tensor:
        recurrent = self._recurrent(graph, at, h)
        return ops.add(graph, source.parts[at], recurrent, to=arguments(self, at))


def arguments(cell: WideCell, at: int) -> Quantization:
    """Of the sums that the activation of a block takes."""
    is_tanh = isinstance(cell.layer, SimpleRnn) or at == 1
    if not is_tanh:
        return _GATES
    seen = widened(cell.coarse.blocks[at].total)
    return seen if float(seen.scale[0]) < _CUT else _TANH


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
    *,
    fused: Fused = Fused.NONE,
) -> Tensor:  # int16 [..., N]
    """Sums in int64, as the kernels have them; a bias is int64 in their units."""
    if x.quantization is None or weights.scale is None:
        raise AssertionError("a product of integers has integer operands")
    given = None
    if bias is not None:
        units = x.quantization.scale.astype(np.float64) * weights.scale.astype(np.float64)
        steps = np.rint(bias.astype(np.float64) / units).astype(np.int64)
        given = graph.constant(steps, Quantization(scale=units.astype(np.float32)))
    return ops.fully_connected(graph, x, matrix(graph, weights), given, fused=fused, to=to)
