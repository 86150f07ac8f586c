"""Checks a lowered model for operators that NPUs or microcontrollers do not support."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from edgernn.errors import UnsupportedLayer
from edgernn.export.tflite.builder import FreeSize, Model, Operator, Subgraph, Tensor
from edgernn.export.tflite.compaction import live_operators
from edgernn.export.tflite.edges import Lowering
from edgernn.export.tflite.options import Profile
from edgernn.export.tflite.precision import plan_of
from edgernn.export.tflite.schema import Op, TensorType
from edgernn.export.tflite.stacks import Part, Stack
from edgernn.graph import Layer

#: Operators that this back end may write and tflite-micro does not have
#: (tensorflow/lite/micro/kernels and python/tflite_micro/python_ops_resolver.cc).
NOT_IN_MICRO: Final = frozenset({Op.REVERSE_V2, Op.TILE, Op.REDUCE_ANY, Op.RANGE, Op.GELU})

_DEFAULT: Final = "Use the TFLite profile 'default'"


@dataclass(slots=True, kw_only=True)
class Origins:
    """Records for which layer a tensor was created: layers are lowered one after the other."""

    model: Model
    _marks: list[tuple[Part, list[int]]] = field(default_factory=list)

    def lowered(self, part: Part) -> None:
        """Call it after each part: tensors that are new since the last call belong to this part."""
        self._marks.append((part, [len(graph.tensors) for graph in self.model.subgraphs]))

    def part(self, graph: Subgraph, tensor: int) -> Part | None:
        """None for tensors of the model's inputs or outputs."""
        for part, counts in self._marks:
            if graph.position < len(counts) and tensor < counts[graph.position]:
                return part
        return None


def check(low: Lowering, origins: Origins, ends: Sequence[Tensor]) -> None:
    """Raises UnsupportedLayer for float32 inside the model, or operators that micro lacks.

    ends: the model's inputs and outputs, which may be float32.
    """
    if not low.integers_only:
        return
    micro = low.options.profile is Profile.MICRO
    if micro:
        _check_sizes(low)
    opcodes = list(origins.model.opcodes)
    at_ends = {tensor.index for tensor in ends}
    for graph, operator in _operators(origins.model):
        part = origins.part(graph, operator.outputs[0])
        op, _ = opcodes[operator.opcode]
        if micro and op in NOT_IN_MICRO and part is not None:
            raise low.refuse(
                _culprit(low, part), f"needs {op.name}, which tflite-micro lacks", _DEFAULT
            )
        touched = {*operator.inputs, *operator.outputs} - {-1}
        for tensor in (graph.tensors[index] for index in sorted(touched)):
            if tensor.type is not TensorType.FLOAT32 or (
                graph.position == 0 and tensor.index in at_ends
            ):
                continue
            maker = origins.part(graph, tensor.index) or part
            if maker is None:
                raise AssertionError("inputs and outputs are converted in one step")
            raise _refusal(low, _culprit(low, maker))


def _operators(model: Model) -> Iterator[tuple[Subgraph, Operator]]:
    for graph in model.subgraphs:
        for operator in live_operators(graph):
            yield graph, operator


def _culprit(low: Lowering, part: Part) -> Layer:
    if not isinstance(part, Stack):
        return part
    without = [layer for layer in part.layers if plan_of(low, layer) is None]
    return without[0] if without else part.layers[0]


def _refusal(low: Lowering, layer: Layer) -> UnsupportedLayer:
    profile = low.options.profile.value
    quantization = low.graph.quantization
    reason = f"computes in float32, which the TFLite profile '{profile}' rules out"
    if quantization is None:
        return low.refuse(layer, reason, f"Use --scheme int8 with --calibrate, or: {_DEFAULT}")
    told = f"layer '{layer.name}' computes in float32: "
    for note in quantization.notes:
        if note.startswith(told):
            reason = f"{reason} ({note.removeprefix(told)})"
    return low.refuse(layer, reason, _DEFAULT)


def _check_sizes(low: Lowering) -> None:
    """Refuses free sizes: tflite-micro plans all memory when a model is loaded."""
    for entry in low.graph.inputs:
        if any(isinstance(size, FreeSize) for size in low.shape(entry.name)):
            raise UnsupportedLayer(
                layer=entry.name,
                kind="Input",
                where=low.graph.name,
                reason="leaves its length open, which tflite-micro cannot do",
                remedy="Give the model a fixed input length, or export a step with --streaming",
            )
