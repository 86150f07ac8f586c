"""The weights of a recurrent layer in blocks of gates that are computed together.

A step then consists of few and large operators: (z r | h) for GRU, (i f o | c) for LSTM, (h) for
the simple RNN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from typing_extensions import assert_never

from edgernn.export.tflite.weights import Matrix, columns_of
from edgernn.graph import FloatArray, Gru, Lstm, Recurrent, SimpleRnn, as_float32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """W x + U h + b of some gates."""

    gates: str
    kernel: Matrix  # [N, F]
    recurrent_kernel: Matrix  # [N, H]
    bias: FloatArray  # [N]: the sum of all biases that can be added to the input's product
    moved: FloatArray  # [N]: the recurrent bias's part of `bias`
    recurrent_bias: FloatArray | None  # [N], if it must stay at the state's product


def blocks_of(layer: Recurrent) -> tuple[Block, ...]:
    match layer:
        case SimpleRnn():
            return (_block(layer, "h"),)
        case Gru():
            # The reset gate multiplies the candidate's recurrent part, including its bias.
            return (_block(layer, "zr"), _block(layer, "h", keeps_bias=layer.reset_after))
        case Lstm():
            return (_block(layer, "ifo"), _block(layer, "c"))
        case _:
            assert_never(layer)


def _block(layer: Recurrent, names: str, *, keeps_bias: bool = False) -> Block:
    columns = columns_of(layer.GATES, names, layer.units)
    nothing = np.zeros(columns.size, np.float32)
    given = nothing if layer.bias is None else as_float32(layer.bias)[columns]
    recurrent = None
    if isinstance(layer, Gru) and layer.recurrent_bias is not None:
        recurrent = as_float32(layer.recurrent_bias)[columns]
    moved = nothing if recurrent is None or keeps_bias else recurrent
    return Block(
        gates=names,
        kernel=Matrix.of(layer.kernel).rows(columns),
        recurrent_kernel=Matrix.of(layer.recurrent_kernel).rows(columns),
        bias=given + moved,
        moved=moved,
        recurrent_bias=recurrent if keeps_bias else None,
    )
