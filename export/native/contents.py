"""Reads the contents of an .ernn file from its records; runs nothing."""

from __future__ import annotations

import json
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Final, TypeVar

from edgernn.errors import DataError
from edgernn.export.contents import Contents, Damaged, TensorLine
from edgernn.export.native.records import (
    HEADER_BYTES,
    MAGIC,
    MAX_RECORDS,
    OP_ARGUMENTS,
    OP_INPUTS,
    OP_OUTPUTS,
    VERSION,
    ConstantType,
    EdgeType,
    Feature,
    FrontEndKind,
    OpKind,
    Packing,
)
from edgernn.export.sound_input import TEXT_FRONT_END
from edgernn.recipe.text import TEXT_VERSION, text_of_record, text_recipe_text
from edgernn.regular_file import DAMAGE

Kind = TypeVar("Kind", bound=IntEnum)

#: Element type of a constant's data.
_ELEMENTS: Final = {
    ConstantType.VECTOR_F32: "float32",
    ConstantType.MATRIX_F32: "float32",
    ConstantType.MATRIX_F16: "float16",
    ConstantType.MATRIX_S8: "int8",
    ConstantType.TABLE_F32: "float32",
    ConstantType.TABLE_F16: "float16",
    ConstantType.TABLE_S8: "int8",
    ConstantType.PRODUCT: "int8",
    ConstantType.ACCUMULATION: "int8",
    ConstantType.CELL: "int32",
}

#: Bytes of each row (of TABLE_S8) or column beside the data (scales, biases, shifts), by type.
_BESIDE: Final[dict[ConstantType, dict[str, int]]] = {
    ConstantType.MATRIX_S8: {"float32": 4},
    ConstantType.TABLE_S8: {"float32": 4},
    ConstantType.PRODUCT: {"int32": 12, "int16": 2},
    ConstantType.ACCUMULATION: {"int32": 8, "float32": 4},
}

_EDGE, _PORT, _TEXT, _CONSTANT, _FRONT_END = "<BBHIII", "<IIII", "<IIII", "<8I", "<8I"
_OP: Final = f"<{3 + OP_INPUTS + OP_OUTPUTS + OP_ARGUMENTS}I"


def read_contents(content: bytes) -> Contents:
    """Format, inputs, outputs, layers, weights and metadata of the model in `content`.

    Raises Damaged if it is no .ernn file, or damaged.
    """
    file = _File(content)
    edges = list(file.records(_EDGE, file.edge_count, file.edge_offset))
    ports = list(file.records(_PORT, file.input_count + file.output_count, file.port_offset))
    lines = [file.line(port, edges) for port in ports]
    weight_bytes: Counter[str] = Counter()
    for record in file.records(_CONSTANT, file.constant_count, file.constant_offset):
        number, rows, columns, _tiles, offset, size, _scales, packing = record
        kind = _known(ConstantType, number)
        file.part(offset, size)
        packed = _known(Packing, packing) is Packing.NIBBLES
        weight_bytes["int4" if packed else _ELEMENTS[kind]] += size
        for element, each in _BESIDE.get(kind, {}).items():
            weight_bytes[element] += each * (rows if kind is ConstantType.TABLE_S8 else columns)
    texts = [
        (file.text(*record[:2]), file.text(*record[2:]))
        for record in file.records(_TEXT, file.text_count, file.text_offset)
    ]
    labels = [value for key, value in texts if not key]
    metadata = {key: value for key, value in texts if key}
    if labels:
        metadata.setdefault("labels", json.dumps(labels))
    metadata |= file.text_recipe()
    features = [entry.name.lower() for entry in Feature if entry in file.features and entry.name]
    suffix = f", {' and '.join(features)}" if features else ""
    return Contents(
        format=f"ERNN {VERSION}{suffix}",
        bytes=len(content),
        inputs=tuple(lines[: file.input_count]),
        outputs=tuple(lines[file.input_count :]),
        operators=dict(Counter(_known(OpKind, kind).name for kind in file.op_kinds())),
        weight_bytes=dict(weight_bytes),
        metadata=metadata,
    )


class _File:
    """Bounds-checked reading of records."""

    def __init__(self, content: bytes) -> None:
        if content[:4] != MAGIC:
            raise Damaged("it does not begin with ERNN")
        if len(content) < HEADER_BYTES:
            raise Damaged("it ends within its header")
        self._content = content
        version, size, checksum, features = struct.unpack_from("<4I", content, 4)
        if version != VERSION:
            raise Damaged(f"it has format version {version}, this edgernn reads {VERSION}")
        if size != len(content):
            raise Damaged(f"its header says {size} bytes, there are {len(content)}")
        if zlib.crc32(content[16:]) != checksum:
            raise Damaged("its checksum is wrong")
        self.features = Feature(features)
        (
            self.edge_count,
            self.edge_offset,
            self.op_count,
            self.op_offset,
            self.constant_count,
            self.constant_offset,
            self.input_count,
            self.output_count,
            self.port_offset,
            self.text_count,
            self.text_offset,
        ) = struct.unpack_from("<11I", content, 20)
        self.front_end_count, self.front_end_offset = struct.unpack_from("<2I", content, 68)

    def part(self, offset: int, size: int) -> bytes:
        if offset + size > len(self._content):
            raise Damaged("it refers to positions outside of the file")
        return self._content[offset : offset + size]

    def records(self, layout: str, count: int, offset: int) -> Iterator[tuple[int, ...]]:
        if count > 2 * MAX_RECORDS:
            raise Damaged(f"it claims {count} records")
        return struct.iter_unpack(layout, self.part(offset, count * struct.calcsize(layout)))

    def op_kinds(self) -> Iterator[int]:
        for record in self.records(_OP, self.op_count, self.op_offset):
            yield record[0]

    def text(self, offset: int, size: int) -> str:
        return self.part(offset, size).decode(errors="replace")

    def text_recipe(self) -> dict[str, str]:
        """How an input is made of text, by the name that files of other formats have for it."""
        fronts = self.records(_FRONT_END, self.front_end_count, self.front_end_offset)
        for kind, version, _input, offset, size, *_ in fronts:
            if (kind, version) == (FrontEndKind.TEXT, TEXT_VERSION):
                record = self.part(offset, size)
                try:
                    return {TEXT_FRONT_END: text_recipe_text(text_of_record(record))}
                except (*DAMAGE, struct.error, DataError) as error:
                    raise Damaged(f"its vocabulary cannot be read: {error}") from error
        return {}

    def line(self, port: Sequence[int], edges: Sequence[Sequence[int]]) -> TensorLine:
        edge, name, name_bytes, _state = port
        if edge >= len(edges):
            raise Damaged("an input or output is not one of its tensors")
        dtype, is_sequence, _, width, steps, _ = edges[edge]
        kind = _known(EdgeType, dtype)
        sizes = ["?", str(steps or "?")] if is_sequence else ["?"]
        if kind is EdgeType.FLOAT32 or not is_sequence:
            sizes.append(str(width))
        return TensorLine(
            name=self.text(name, name_bytes),
            dtype=kind.name.lower(),
            shape=f"[{', '.join(sizes)}]",
        )


def _known(kinds: type[Kind], number: int) -> Kind:
    try:
        return kinds(number)
    except ValueError as error:
        raise Damaged(f"it contains the unknown {kinds.__name__} {number}") from error
