"""The rounding of activations that layers of int16 activations do, in numpy; see wide_cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from typing_extensions import assert_never

from edgernn.export.simulation import on_grid, unrolled
from edgernn.export.tflite import quantization as quant
from edgernn.export.tflite.builder import Quantization
from edgernn.export.tflite.wide_cells import WideCell, arguments, widened
from edgernn.graph import AnyArray, FloatArray, Gru, Lstm, SimpleRnn
from edgernn.reference.recurrent import Step


def rounded16(x: AnyArray, quantization: Quantization) -> FloatArray:
    """The nearest of the numbers that int16 can be in this quantization."""
    (scale,) = quantization.scale
    return on_grid(x, scale, ends=(-32768, 32767))


def recurrent(cell: WideCell, x: AnyArray, values: Mapping[str, AnyArray]) -> tuple[AnyArray, ...]:
    """The output and the final states of the layer.  x: its input [B, T, F] as it is read."""
    parts = [
        rounded16(x @ block.kernel.real().T + block.bias, widened(block.x_part))
        for block in cell.coarse.blocks
    ]
    projected = np.concatenate(parts, axis=-1).transpose(1, 0, 2)
    output, *final = unrolled(cell.layer, projected, values, _step(cell))
    if cell.layer.return_sequences:  # in bytes
        output = on_grid(output, 1 / 128, ends=(-128, 127))
    return (output, *final)


def _unit(x: AnyArray) -> FloatArray:
    return rounded16(x, quant.WIDE_UNIT)


def _step(cell: WideCell) -> Step:
    blocks, layer = cell.coarse.blocks, cell.layer
    first = blocks[0].kernel.values.shape[0]
    matrices = [block.recurrent_kernel.real().T for block in blocks]

    def part(x: AnyArray, at: int) -> AnyArray:
        return x[:, :first] if at == 0 else x[:, first:]

    def fed(at: int, h: AnyArray) -> FloatArray:
        block, product = blocks[at], h @ matrices[at]
        if block.recurrent_bias is not None:
            product = product + block.recurrent_bias
        return rounded16(product, widened(block.h_part))

    def total(x: AnyArray, at: int, h: AnyArray) -> FloatArray:
        return rounded16(part(x, at) + fed(at, h), arguments(cell, at))

    def gates(x: AnyArray, h: AnyArray) -> FloatArray:
        return _unit(1 / (1 + np.exp(-total(x, 0, h))))

    def gru(
        x: AnyArray, states: Sequence[AnyArray], _observed: bool
    ) -> tuple[tuple[AnyArray, ...], dict[str, FloatArray]]:
        h = _unit(states[0])
        not_z, r = np.split(gates(x, h), 2, axis=1)
        if isinstance(layer, Gru) and layer.reset_after:
            gated = rounded16(r * fed(1, h), widened(blocks[1].h_part))
        else:
            gated = fed(1, _unit(r * h))
        n = _unit(np.tanh(rounded16(part(x, 1) + gated, arguments(cell, 1))))
        return (_unit(_unit(h - _unit(not_z * h)) + _unit(not_z * n)),), {}

    def simple(
        x: AnyArray, states: Sequence[AnyArray], _observed: bool
    ) -> tuple[tuple[AnyArray, ...], dict[str, FloatArray]]:
        return (_unit(np.tanh(total(x, 0, _unit(states[0])))),), {}

    match layer:
        case Gru():
            return gru
        case Lstm():
            raise AssertionError("an LSTM has no cell of this kind")
        case SimpleRnn():
            return simple
        case _:
            assert_never(layer)
