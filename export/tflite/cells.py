"""One step of a GRU, an LSTM or a simple RNN in float32.

The weights of gates that are opened together form a block, so that a step is few and large
operators: (z r | h) for GRU, (i f o | c) for LSTM, (h) for the simple RNN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from typing_extensions import assert_never

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.activation import activate
from edgernn.export.tflite.builder import Subgraph, Tensor
from edgernn.export.tflite.weights import Floats, constant, floats
from edgernn.graph import (
    ActivationKind,
    FloatArray,
    Gru,
    Lstm,
    Recurrent,
    SimpleRnn,
    as_float32,
)

_Array = TypeVar("_Array", bound=np.ndarray[Any, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Gates that are multiplied together: W x + U h + b."""

    kernel: Floats  # [N, F]
    recurrent_kernel: Floats  # [N, H]
    bias: FloatArray  # [N]: all that can be added on the input's side
    recurrent_bias: FloatArray | None = None  # [N], where it has to stay on the state's side


class InputSide(Protocol):
    """Where a step's W x + b comes from."""

    @property
    def blocks(self) -> Sequence[Block]: ...

    def alone(self, graph: Subgraph, block: int) -> Tensor:
        """W x + b, [B, N]."""
        ...

    def with_state(self, graph: Subgraph, block: int, h: Tensor) -> Tensor:
        """W x + U h + b, [B, N]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Projected:
    """W x + b was computed for all steps before the loop; the step only adds to it."""

    blocks: Sequence[Block]
    projections: Sequence[Tensor]  # one [B, N] a block

    def alone(self, _graph: Subgraph, block: int) -> Tensor:
        return self.projections[block]

    def with_state(self, graph: Subgraph, block: int, h: Tensor) -> Tensor:
        weights = constant(graph, self.blocks[block].recurrent_kernel)
        recurrent = ops.fully_connected(graph, h, weights, None)
        return ops.add(graph, self.projections[block], recurrent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """x is known only within the step: W x + U h is one product of [x h]."""

    blocks: Sequence[Block]
    x: Tensor  # [B, F]

    def alone(self, graph: Subgraph, block: int) -> Tensor:
        parts = self.blocks[block]
        weights, bias = constant(graph, parts.kernel), graph.constant(parts.bias)
        return ops.fully_connected(graph, self.x, weights, bias)

    def with_state(self, graph: Subgraph, block: int, h: Tensor) -> Tensor:
        parts = self.blocks[block]
        joined = np.concatenate([parts.kernel, parts.recurrent_kernel], axis=1)
        both = ops.concatenation(graph, [self.x, h], axis=1)
        return ops.fully_connected(graph, both, constant(graph, joined), graph.constant(parts.bias))


def blocks_of(layer: Recurrent) -> tuple[Block, ...]:
    match layer:
        case SimpleRnn():
            return (_block(layer, "h"),)
        case Gru():
            recurrent_bias = None
            if layer.recurrent_bias is not None:
                recurrent_bias = _gates(layer, as_float32(layer.recurrent_bias), "h")
            return (_block(layer, "zr"), _block(layer, "h", recurrent_bias))
        case Lstm():
            return (_block(layer, "ifo"), _block(layer, "c"))
        case _:
            assert_never(layer)


def step(
    graph: Subgraph, layer: Recurrent, source: InputSide, states: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """The states after one more step; the first of them is the output.  All are [B, H]."""
    match layer:
        case SimpleRnn():
            (h,) = states
            return (activate(graph, layer.activation, source.with_state(graph, 0, h)),)
        case Gru():
            return (_gru_step(graph, layer, source, states[0]),)
        case Lstm():
            h, c = states
            return _lstm_step(graph, layer, source, h, c)
        case _:
            assert_never(layer)


def _gru_step(graph: Subgraph, layer: Gru, source: InputSide, h: Tensor) -> Tensor:
    z, r = _opened(graph, layer, source.with_state(graph, 0, h), 2)
    if layer.reset_after:
        candidate = source.blocks[1]
        bias = None
        if candidate.recurrent_bias is not None:
            bias = graph.constant(candidate.recurrent_bias)
        weights = constant(graph, candidate.recurrent_kernel)
        recurrent = ops.fully_connected(graph, h, weights, bias)
        gated = ops.multiply(graph, r, recurrent)
        pre_activation = ops.add(graph, source.alone(graph, 1), gated)
    else:
        pre_activation = source.with_state(graph, 1, ops.multiply(graph, r, h))
    n = activate(graph, layer.activation, pre_activation)
    # n + z (h - n) = z h + (1 - z) n, in three operators instead of four.
    kept = ops.multiply(graph, z, ops.subtract(graph, h, n))
    return ops.add(graph, n, kept)


def _lstm_step(
    graph: Subgraph, layer: Lstm, source: InputSide, h: Tensor, c: Tensor
) -> tuple[Tensor, Tensor]:
    i, f, o = _opened(graph, layer, source.with_state(graph, 0, h), 3)
    n = activate(graph, layer.activation, source.with_state(graph, 1, h))
    kept, taken = ops.multiply(graph, f, c), ops.multiply(graph, i, n)
    new_c = ops.add(graph, kept, taken)
    return ops.multiply(graph, o, activate(graph, layer.activation, new_c)), new_c


def _opened(graph: Subgraph, layer: Gru | Lstm, block: Tensor, count: int) -> Sequence[Tensor]:
    """The block's gates, opened together; one by one where the function looks at all units."""
    function = layer.recurrent_activation
    if function.kind in {ActivationKind.SOFTMAX, ActivationKind.LOG_SOFTMAX}:
        return [activate(graph, function, gate) for gate in ops.split(graph, block, count)]
    return ops.split(graph, activate(graph, function, block), count)


def _block(layer: Recurrent, names: str, recurrent_bias: FloatArray | None = None) -> Block:
    rows = len(names) * layer.units
    bias = np.zeros(rows, np.float32)
    if layer.bias is not None:
        bias = bias + _gates(layer, as_float32(layer.bias), names)
    if recurrent_bias is None and isinstance(layer, Gru) and layer.recurrent_bias is not None:
        bias = bias + _gates(layer, as_float32(layer.recurrent_bias), names)
    return Block(
        kernel=_gates(layer, floats(layer.kernel), names).T,
        recurrent_kernel=_gates(layer, floats(layer.recurrent_kernel), names).T,
        bias=bias,
        recurrent_bias=recurrent_bias,
    )


def _gates(layer: Recurrent, weight: _Array, names: str) -> _Array:
    """The columns of some gates in the order of `names`: [..., gates * H] -> [..., n * H]."""
    units = layer.units
    first = [layer.GATES.index(name) * units for name in names]
    columns = np.concatenate([np.arange(start, start + units) for start in first])
    return weight.take(columns, axis=-1)  # type: ignore[return-value]
