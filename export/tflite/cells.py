"""One step of a recurrent layer: the interface for all precisions, and float32."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from typing_extensions import assert_never

from edgernn.export.tflite import operators as ops
from edgernn.export.tflite.activation import activate
from edgernn.export.tflite.blocks import Block
from edgernn.export.tflite.builder import Quantization, Subgraph, Tensor
from edgernn.export.tflite.float_product import float_product
from edgernn.export.tflite.options import Runtime
from edgernn.export.tflite.weights import Matrix
from edgernn.graph import ActivationKind, FloatArray, Gru, Lstm, Recurrent, SimpleRnn


@dataclass(frozen=True, slots=True, kw_only=True)
class Projected:
    """W x + b was computed for all steps before the loop; these are one step's."""

    parts: Sequence[Tensor]  # one [B, N] for each block


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """x is known only within the step: a layer on top of another, or a model of one step."""

    x: Tensor  # [B, F]


#: The source of a step's W x + b.
Source: TypeAlias = Projected | Direct

States: TypeAlias = tuple[Tensor, ...]  # each [B, H]


class Cell(Protocol):
    """A recurrent layer in one precision.  Only the cell interprets its states between steps."""

    @property
    def layer(self) -> Recurrent: ...

    @property
    def reads(self) -> Quantization | None:
        """The quantization of its input; None for float32."""
        ...

    def project(self, graph: Subgraph, x: Tensor) -> tuple[Tensor, ...]:
        """W x + b of a sequence [B, T, F], one [B, T, N] for each block."""
        ...

    def enter(self, graph: Subgraph, states: Sequence[Tensor]) -> States:
        """States of the cell's own kind from float32 ones: h; h and c."""
        ...

    def step(self, graph: Subgraph, source: Source, states: States) -> States:
        """The states after one more step."""
        ...

    def output(self, _graph: Subgraph, states: States) -> Tensor:
        """h in the form that the next layer reads."""
        ...

    def leave(self, graph: Subgraph, states: States) -> tuple[Sequence[Tensor], ...]:
        """Final states as edges, h; h and c, each in every form that exists."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatCell:
    """float32 arithmetic; the weights may be stored as float16 or int8.

    int8 weights are multiplied as int8: the operator quantizes each row of x and h at run time.
    """

    layer: Recurrent
    blocks: tuple[Block, ...]
    runtime_min: Runtime

    @property
    def reads(self) -> None:
        return None

    def project(self, graph: Subgraph, x: Tensor) -> tuple[Tensor, ...]:
        x = ops.as_float32(graph, x)
        return tuple(self._product(graph, x, block.kernel, block.bias) for block in self.blocks)

    def enter(self, _graph: Subgraph, states: Sequence[Tensor]) -> States:
        return tuple(states)

    def step(self, graph: Subgraph, source: Source, states: States) -> States:
        if isinstance(source, Direct):
            source = Direct(x=ops.as_float32(graph, source.x))
        match self.layer:
            case SimpleRnn():
                pre_activation = self._with_state(graph, source, 0, states[0])
                return (activate(graph, self.layer.activation, pre_activation),)
            case Gru():
                return (self._gru(graph, self.layer, source, states[0]),)
            case Lstm():
                return self._lstm(graph, self.layer, source, *states)
            case _:
                assert_never(self.layer)

    def output(self, _graph: Subgraph, states: States) -> Tensor:
        return states[0]

    def leave(self, _graph: Subgraph, states: States) -> tuple[Sequence[Tensor], ...]:
        return tuple([state] for state in states)

    def _alone(self, graph: Subgraph, source: Source, block: int) -> Tensor:
        """W x + b, [B, N]."""
        if isinstance(source, Projected):
            return source.parts[block]
        parts = self.blocks[block]
        return self._product(graph, source.x, parts.kernel, parts.bias)

    def _product(
        self, graph: Subgraph, x: Tensor, weights: Matrix, bias: FloatArray | None
    ) -> Tensor:
        return float_product(graph, x, weights, bias, runtime_min=self.runtime_min)

    def _with_state(self, graph: Subgraph, source: Source, block: int, h: Tensor) -> Tensor:
        """W x + U h + b, [B, N]."""
        parts = self.blocks[block]
        if isinstance(source, Direct) and not parts.kernel.is_int8:
            both = ops.concatenation(graph, [source.x, h], axis=1)
            joined = parts.kernel.beside(parts.recurrent_kernel)
            return self._product(graph, both, joined, parts.bias)
        recurrent = self._product(graph, h, parts.recurrent_kernel, None)
        return ops.add(graph, self._alone(graph, source, block), recurrent)

    def _gru(self, graph: Subgraph, layer: Gru, source: Source, h: Tensor) -> Tensor:
        z, r = _opened(graph, layer, self._with_state(graph, source, 0, h), 2)
        if layer.reset_after:
            candidate = self.blocks[1]
            recurrent = self._product(
                graph, h, candidate.recurrent_kernel, candidate.recurrent_bias
            )
            gated = ops.multiply(graph, r, recurrent)
            pre_activation = ops.add(graph, self._alone(graph, source, 1), gated)
        else:
            pre_activation = self._with_state(graph, source, 1, ops.multiply(graph, r, h))
        n = activate(graph, layer.activation, pre_activation)
        # n + z (h - n) = z h + (1 - z) n, in three operators instead of four.
        kept = ops.multiply(graph, z, ops.subtract(graph, h, n))
        return ops.add(graph, n, kept)

    def _lstm(
        self, graph: Subgraph, layer: Lstm, source: Source, h: Tensor, c: Tensor
    ) -> tuple[Tensor, Tensor]:
        i, f, o = _opened(graph, layer, self._with_state(graph, source, 0, h), 3)
        n = activate(graph, layer.activation, self._with_state(graph, source, 1, h))
        kept, taken = ops.multiply(graph, f, c), ops.multiply(graph, i, n)
        new_c = ops.add(graph, kept, taken)
        return ops.multiply(graph, o, activate(graph, layer.activation, new_c)), new_c


def _opened(graph: Subgraph, layer: Gru | Lstm, block: Tensor, count: int) -> Sequence[Tensor]:
    """The block's gates, computed together, or one by one if the function needs all units."""
    function = layer.recurrent_activation
    if function.kind in {ActivationKind.SOFTMAX, ActivationKind.LOG_SOFTMAX}:
        return [activate(graph, function, gate) for gate in ops.split(graph, block, count)]
    return ops.split(graph, activate(graph, function, block), count)
