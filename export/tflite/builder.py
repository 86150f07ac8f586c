"""A TFLite model under construction: subgraphs of tensors and operators over shared buffers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from edgernn.export.tflite.schema import Op, Options, TensorType
from edgernn.graph import AnyArray, FloatArray

_TYPE_OF: Final[dict[np.dtype[Any], TensorType]] = {
    np.dtype(np.float32): TensorType.FLOAT32,
    np.dtype(np.float16): TensorType.FLOAT16,
    np.dtype(np.int32): TensorType.INT32,
    np.dtype(np.int64): TensorType.INT64,
    np.dtype(np.bool_): TensorType.BOOL,
    np.dtype(np.int16): TensorType.INT16,
    np.dtype(np.int8): TensorType.INT8,
}


_DTYPE_OF: Final[dict[TensorType, np.dtype[Any]]] = {
    tensor_type: dtype for dtype, tensor_type in _TYPE_OF.items()
}


class FreeSize(int):
    """A dimension that a resize of the inputs may change; its value is the one in the file."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantization:
    """real = scale * (stored - zero_point), with one scale per entry of `axis` or one for all."""

    scale: FloatArray  # [1] or [shape[axis]]
    zero_point: int = 0
    axis: int = 0

    @staticmethod
    def per_tensor(scale: float, zero_point: int = 0) -> Quantization:
        return Quantization(scale=np.array([scale], np.float32), zero_point=zero_point)

    def is_same(self, other: Quantization) -> bool:
        """Whether equal integers represent equal numbers."""
        mine, theirs = (self.zero_point, self.axis), (other.zero_point, other.axis)
        return mine == theirs and np.array_equal(self.scale, other.scale)

    def real(self, stored: float) -> float:
        """The number that an integer represents, for a single scale."""
        return float(self.scale[0]) * (stored - self.zero_point)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tensor:
    """A value in one subgraph."""

    index: int  # in its subgraph
    shape: tuple[int, ...]  # FreeSize if a resize may change it
    type: TensorType
    buffer: int = 0  # 0: computed, or an input
    quantization: Quantization | None = None
    variable: bool = False
    name: str = ""

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_dynamic(self) -> bool:
        return any(isinstance(size, FreeSize) for size in self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operation; -1 among its tensors is an absent optional one."""

    opcode: int  # position in the model's table of (operator, version)
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Options | None
    intermediates: tuple[int, ...] = ()


@dataclass(slots=True, kw_only=True, eq=False)
class Model:
    """A model for `flatbuffer.to_bytes`.  Equal constants share one buffer in all subgraphs."""

    subgraphs: list[Subgraph] = field(default_factory=list)
    buffers: list[AnyArray] = field(default_factory=lambda: [np.zeros(0, np.int8)])
    opcodes: dict[tuple[Op, int], int] = field(default_factory=dict)
    _buffer_of: dict[bytes, int] = field(default_factory=dict)

    def subgraph(self) -> Subgraph:
        self.subgraphs.append(Subgraph(model=self, position=len(self.subgraphs)))
        return self.subgraphs[-1]

    def buffer(self, values: AnyArray) -> int:
        """Position of a buffer with these bytes."""
        # The digest is that of a contiguous copy, which is released at once.  So a large model's
        # transposed weights exist only once, as views, until they are written.
        digest = hashlib.sha256(np.ascontiguousarray(values).data).digest()
        if digest not in self._buffer_of:
            self._buffer_of[digest] = len(self.buffers)
            self.buffers.append(values)
        return self._buffer_of[digest]

    def values_of(self, constant: Tensor) -> AnyArray:
        """The values of a constant, in its own type and shape: others may share its bytes."""
        stored = np.ascontiguousarray(self.buffers[constant.buffer]).reshape(-1)
        values: AnyArray = stored.view(_DTYPE_OF[constant.type]).reshape(constant.shape)
        return values

    def opcode(self, op: Op, version: int) -> int:
        return self.opcodes.setdefault((op, version), len(self.opcodes))


@dataclass(slots=True, kw_only=True, eq=False)
class Subgraph:
    """Tensors and operators in the order in which they run."""

    model: Model
    position: int
    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    widened: dict[int, Tensor] = field(default_factory=dict)  # float16 constant -> its float32
    _constant_of: dict[tuple[object, ...], Tensor] = field(default_factory=dict)

    def tensor(
        self,
        shape: Sequence[int],
        tensor_type: TensorType,
        *,
        buffer: int = 0,
        quantization: Quantization | None = None,
        variable: bool = False,
        name: str = "",
    ) -> Tensor:
        made = Tensor(
            index=len(self.tensors),
            shape=tuple(shape),
            type=tensor_type,
            buffer=buffer,
            quantization=quantization,
            variable=variable,
            name=name,
        )
        self.tensors.append(made)
        return made

    def input(
        self,
        shape: Sequence[int],
        tensor_type: TensorType,
        *,
        quantization: Quantization | None = None,
        name: str = "",
    ) -> Tensor:
        made = self.tensor(shape, tensor_type, quantization=quantization, name=name)
        self.inputs.append(made)
        return made

    def constant(self, values: AnyArray, quantization: Quantization | None = None) -> Tensor:
        """A tensor with fixed values; equal values return the same tensor."""
        buffer = self.model.buffer(values)
        key = (buffer, values.shape, values.dtype.str, _key(quantization))
        if key not in self._constant_of:
            self._constant_of[key] = self.tensor(
                values.shape, _TYPE_OF[values.dtype], buffer=buffer, quantization=quantization
            )
        return self._constant_of[key]

    def add(
        self,
        op: Op,
        inputs: Sequence[Tensor | None],
        outputs: Sequence[Tensor],
        *,
        options: Options | None = None,
        version: int = 1,
        intermediates: Sequence[Tensor] = (),
    ) -> None:
        """Appends an operator.  `version` is the lowest that supports the arguments."""
        self.operators.append(
            Operator(
                opcode=self.model.opcode(op, version),
                inputs=tuple(-1 if tensor is None else tensor.index for tensor in inputs),
                outputs=tuple(tensor.index for tensor in outputs),
                options=options,
                intermediates=tuple(tensor.index for tensor in intermediates),
            )
        )


def _key(quantization: Quantization | None) -> tuple[object, ...] | None:
    if quantization is None:
        return None
    return (quantization.scale.tobytes(), quantization.zero_point, quantization.axis)
