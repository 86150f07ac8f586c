"""Model to bytes: the layout of the file, table by table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from flatbuffers import Builder as _Builder

from edgernn.export.tflite import schema
from edgernn.export.tflite.builder import FreeSize, Model, Operator, Quantization, Subgraph, Tensor
from edgernn.export.tflite.schema import FieldKind, Op, Options
from edgernn.graph import AnyArray

# Interpreters map the file and use weights in place: their kernels load 16 bytes at a time.
_BUFFER_ALIGNMENT: Final = 16

#: From this number on, operators do not fit into the byte of the schema's first versions.
_PLACEHOLDER_FOR_GREATER_OP_CODES: Final = 127


class Builder(_Builder):  # type: ignore[misc]  # flatbuffers has no types
    """Writes each vector of numbers once, and lets tables share it.

    Otherwise a quarter of a quantized file would be zero points that are all zero.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._vector_at: dict[tuple[str, bytes], int] = {}

    def vector(self, values: AnyArray) -> int:
        """The position of the vector."""
        key = values.dtype.str, values.tobytes()
        if key not in self._vector_at:
            self._vector_at[key] = self.CreateNumpyVector(values)
        return self._vector_at[key]


def to_bytes(
    model: Model,
    *,
    signature: str,
    inputs: Mapping[str, Tensor],
    outputs: Mapping[str, Tensor],
    metadata: Mapping[str, str],
) -> bytes:
    """The file.  Its first subgraph is run; `signature` names its inputs and outputs."""
    metadata_at = {key: len(model.buffers) + at for at, key in enumerate(metadata)}
    buffers = [
        *model.buffers,
        *(np.frombuffer(text.encode(), np.uint8) for text in metadata.values()),
    ]
    writer = Builder(sum(buffer.nbytes for buffer in buffers) + (1 << 16))

    # A flatbuffer is written back to front: the last part written comes first in the file.
    buffer_tables = [_buffer(writer, values) for values in reversed(buffers)]
    buffers_at = _tables(writer, buffer_tables[::-1])
    subgraphs_at = _tables(writer, [_subgraph(writer, graph) for graph in model.subgraphs])
    opcodes_at = _tables(writer, [_opcode(writer, *entry) for entry in model.opcodes])
    metadata_tables = [_metadata(writer, key, at) for key, at in metadata_at.items()]
    metadata_vector = _tables(writer, metadata_tables)
    signature_at = _tables(writer, [_signature(writer, signature, inputs, outputs)])
    description = writer.CreateString("edgernn")

    writer.StartObject(8)
    writer.PrependUint32Slot(0, schema.SCHEMA_VERSION, 0)
    _offset(writer, 1, opcodes_at)
    _offset(writer, 2, subgraphs_at)
    _offset(writer, 3, description)
    _offset(writer, 4, buffers_at)
    _offset(writer, 6, metadata_vector)
    _offset(writer, 7, signature_at)
    writer.Finish(writer.EndObject(), schema.FILE_IDENTIFIER)
    return bytes(memoryview(writer.Bytes)[writer.Head() :])


def _buffer(writer: Builder, values: AnyArray) -> int:
    data = None
    if values.size:
        content = np.ascontiguousarray(values).tobytes()
        writer.Prep(_BUFFER_ALIGNMENT, len(content))
        data = writer.CreateByteVector(content)
    writer.StartObject(1)
    if data is not None:
        _offset(writer, 0, data)
    return int(writer.EndObject())


def _opcode(writer: Builder, op: Op, version: int) -> int:
    writer.StartObject(4)
    writer.PrependInt8Slot(0, min(op, _PLACEHOLDER_FOR_GREATER_OP_CODES), 0)
    writer.PrependInt32Slot(2, version, 1)
    writer.PrependInt32Slot(3, op, 0)
    return int(writer.EndObject())


def _subgraph(writer: Builder, graph: Subgraph) -> int:
    tensors = _tables(writer, [_tensor(writer, tensor) for tensor in graph.tensors])
    operators = _tables(writer, [_operator(writer, operator) for operator in graph.operators])
    inputs = _int32s(writer, [tensor.index for tensor in graph.inputs])
    outputs = _int32s(writer, [tensor.index for tensor in graph.outputs])
    writer.StartObject(4)
    _offset(writer, 0, tensors)
    _offset(writer, 1, inputs)
    _offset(writer, 2, outputs)
    _offset(writer, 3, operators)
    return int(writer.EndObject())


def _tensor(writer: Builder, tensor: Tensor) -> int:
    shape = _int32s(writer, tensor.shape)
    signature = None
    if tensor.is_dynamic:
        sizes = [-1 if isinstance(size, FreeSize) else size for size in tensor.shape]
        signature = _int32s(writer, sizes)
    quantization = None
    if tensor.quantization is not None:
        quantization = _quantization(writer, tensor.quantization)
    name = writer.CreateString(tensor.name) if tensor.name else None
    writer.StartObject(9)
    _offset(writer, 0, shape)
    writer.PrependInt8Slot(1, tensor.type, 0)
    writer.PrependUint32Slot(2, tensor.buffer, 0)
    if name is not None:
        _offset(writer, 3, name)
    if quantization is not None:
        _offset(writer, 4, quantization)
    writer.PrependBoolSlot(5, tensor.variable, False)
    if signature is not None:
        _offset(writer, 7, signature)
    return int(writer.EndObject())


def _quantization(writer: Builder, quantization: Quantization) -> int:
    scale = writer.vector(quantization.scale)
    zero_points = np.full(quantization.scale.shape, quantization.zero_point, np.int64)
    zero_point = writer.vector(zero_points)
    writer.StartObject(7)
    _offset(writer, 2, scale)
    _offset(writer, 3, zero_point)
    writer.PrependInt32Slot(6, quantization.axis, 0)
    return int(writer.EndObject())


def _operator(writer: Builder, operator: Operator) -> int:
    inputs = _int32s(writer, operator.inputs)
    outputs = _int32s(writer, operator.outputs)
    intermediates = None
    if operator.intermediates:
        intermediates = _int32s(writer, operator.intermediates)
    options = None if operator.options is None else write_options(writer, operator.options)
    writer.StartObject(9)
    writer.PrependUint32Slot(0, operator.opcode, 0)
    _offset(writer, 1, inputs)
    _offset(writer, 2, outputs)
    if operator.options is not None:
        writer.PrependUint8Slot(3, operator.options.tag, 0)
        _offset(writer, 4, options)
    if intermediates is not None:
        _offset(writer, 8, intermediates)
    return int(writer.EndObject())


def write_options(writer: Builder, options: Options) -> int:
    vectors = {
        entry.slot: _int32s(writer, entry.value)
        for entry in options.fields
        if isinstance(entry.value, Sequence)
    }
    writer.StartObject(1 + max((entry.slot for entry in options.fields), default=-1))
    for entry in options.fields:
        match entry.kind:
            case FieldKind.BOOL:
                writer.PrependBoolSlot(entry.slot, entry.value, entry.default)
            case FieldKind.INT8:
                writer.PrependInt8Slot(entry.slot, entry.value, entry.default)
            case FieldKind.INT32:
                writer.PrependInt32Slot(entry.slot, entry.value, entry.default)
            case FieldKind.FLOAT32:
                writer.PrependFloat32Slot(entry.slot, entry.value, entry.default)
            case FieldKind.INT32_VECTOR:
                _offset(writer, entry.slot, vectors[entry.slot])
    return int(writer.EndObject())


def _metadata(writer: Builder, key: str, buffer: int) -> int:
    name = writer.CreateString(key)
    writer.StartObject(2)
    _offset(writer, 0, name)
    writer.PrependUint32Slot(1, buffer, 0)
    return int(writer.EndObject())


def _signature(
    writer: Builder, key: str, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]
) -> int:
    input_maps = _tables(writer, [_tensor_map(writer, *entry) for entry in inputs.items()])
    output_maps = _tables(writer, [_tensor_map(writer, *entry) for entry in outputs.items()])
    key_at = writer.CreateString(key)
    writer.StartObject(5)
    _offset(writer, 0, input_maps)
    _offset(writer, 1, output_maps)
    _offset(writer, 2, key_at)
    return int(writer.EndObject())


def _tensor_map(writer: Builder, name: str, tensor: Tensor) -> int:
    name_at = writer.CreateString(name)
    writer.StartObject(2)
    _offset(writer, 0, name_at)
    writer.PrependUint32Slot(1, tensor.index, 0)
    return int(writer.EndObject())


def _offset(writer: Builder, slot: int, offset: Any) -> None:
    writer.PrependUOffsetTRelativeSlot(slot, offset, 0)


def _tables(writer: Builder, offsets: Sequence[int]) -> int:
    writer.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        writer.PrependUOffsetTRelative(offset)
    return int(writer.EndVector())


def _int32s(writer: Builder, values: Sequence[int]) -> int:
    return writer.vector(np.array(values, np.int32))
