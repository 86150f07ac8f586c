"""The records of an .ernn file, and how they become bytes.  See docs/native-format.md.

Numbers of kinds and positions of arguments are those of edgernn/runtime/c/ernn_format.h; a test
compares the two.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Final

MAGIC: Final = b"ERNN"
VERSION: Final = 1
ALIGNMENT: Final = 64
NONE: Final = 0xFFFFFFFF
TILE: Final = 16
MAX_RECORDS: Final = 1024
OP_INPUTS: Final = 6
OP_OUTPUTS: Final = 3
OP_ARGUMENTS: Final = 20
HEADER_BYTES: Final = 128
#: Magic, version, size and checksum; the checksum is of all that follows.
PREFIX_BYTES: Final = 16
INT32_MAX: Final = 0x7FFFFFFF


class EdgeType(IntEnum):
    FLOAT32 = 0
    INT32 = 1
    BOOL = 2


class Feature(IntFlag):
    PAIRS_SAFE = 1
    INTEGER = 2
    IMAGES = 4
    DYNAMIC = 8
    FRONT_END = 16
    ATTENTION = 32
    CHOICES = 64
    NIBBLES = 128
    TEXT = 256
    SENSOR = 512


class FrontEndKind(IntEnum):
    SOUND = 1
    TEXT = 2
    SENSOR = 3

    @property
    def feature(self) -> Feature:
        """What a reader must know to use a record of this kind."""
        return {
            FrontEndKind.SOUND: Feature.FRONT_END,
            FrontEndKind.TEXT: Feature.TEXT,
            FrontEndKind.SENSOR: Feature.SENSOR,
        }[self]


class ConstantType(IntEnum):
    VECTOR_F32 = 0
    MATRIX_F32 = 1
    MATRIX_F16 = 2
    MATRIX_S8 = 3
    TABLE_F32 = 4
    TABLE_F16 = 5
    TABLE_S8 = 6
    PRODUCT = 7
    ACCUMULATION = 8
    CELL = 9


class Packing(IntEnum):
    """How a PRODUCT's or an ACCUMULATION's weights lie in bytes."""

    NONE = 0  # one weight in each
    NIBBLES = 4  # two


class OpKind(IntEnum):
    EMBEDDING = 0
    DENSE = 1
    CONV = 2
    DEPTHWISE = 3
    POOL = 4
    GLOBAL_POOL = 5
    AFFINE = 6
    LAYER_NORM = 7
    ACTIVATE = 8
    PRELU = 9
    RESHAPE = 10
    TRANSPOSE = 11
    REVERSE = 12
    REPEAT = 13
    UPSAMPLE = 14
    PAD = 15
    SLICE_STEPS = 16
    SLICE_WIDTH = 17
    CONCAT_STEPS = 18
    CONCAT_WIDTH = 19
    MERGE = 20
    NOT_EQUAL = 21
    ANY_NOT_EQUAL = 22
    APPLY_MASK = 23
    QDENSE = 24
    QCONV = 25
    GRU = 26
    LSTM = 27
    RNN = 28
    QGRU = 29
    QLSTM = 30
    QRNN = 31
    CONV2D = 32
    DEPTHWISE2D = 33
    QCONV2D = 34
    QDEPTHWISE2D = 35
    SWAP = 36
    ATTENTION = 37
    DOT = 38
    CAST = 39
    COMPARE = 40
    WHERE = 41


INTEGER_KINDS: Final = frozenset(
    {
        OpKind.QDENSE,
        OpKind.QCONV,
        OpKind.QGRU,
        OpKind.QLSTM,
        OpKind.QRNN,
        OpKind.QCONV2D,
        OpKind.QDEPTHWISE2D,
    }
)
IMAGE_KINDS: Final = frozenset(
    {OpKind.CONV2D, OpKind.DEPTHWISE2D, OpKind.QCONV2D, OpKind.QDEPTHWISE2D, OpKind.SWAP}
)
#: Layers that multiply two tensors of the model.
PRODUCT_KINDS: Final = frozenset({OpKind.ATTENTION, OpKind.DOT})
#: Layers between numbers and masks.
CHOICE_KINDS: Final = frozenset({OpKind.CAST, OpKind.COMPARE, OpKind.WHERE})
#: Arguments of POOL, UPSAMPLE, PAD and SLICE_STEPS that name another axis than time: the last two.
AXIS_ARGUMENTS: Final = 2


class RnnFlag(IntFlag):
    SEQUENCES = 1
    BACKWARDS = 2
    ZERO_MASKED = 4


class AttentionFlag(IntFlag):
    CAUSAL = 1
    REPLACED = 2
    ZEROED = 4


class PaddingCode(IntEnum):
    VALID = 0
    SAME = 1
    CAUSAL = 2


class PoolCode(IntEnum):
    MAX = 0
    AVERAGE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeForm:
    """What an edge carries: rows of `width` elements, one or one for each step."""

    dtype: EdgeType
    is_sequence: bool
    width: int
    steps: int | None = None  # of a sequence: None when free


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One layer of the file; edges by name.  Absent edges are None."""

    kind: OpKind
    name: str
    inputs: Sequence[str | None]
    outputs: Sequence[str | None]
    arguments: Sequence[int | float] = ()  # floats are stored by their bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    type: ConstantType
    rows: int
    columns: int
    tiles: int
    data: bytes
    scales: bytes = b""
    packing: Packing = Packing.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRecord:
    edge: int
    name: str
    state: int = 0  # of an input: 1 + index of the output that feeds it


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEndRecord:
    """How the rows of an input are made: a record of its kind and version."""

    kind: FrontEndKind
    version: int
    input: int  # index
    data: bytes


@dataclass(slots=True, kw_only=True)
class FileImage:
    """All records of a file, edges by number."""

    edges: list[bytes] = field(default_factory=list)
    ops: list[tuple[str, bytes]] = field(default_factory=list)  # name, the rest of the record
    constants: list[Constant] = field(default_factory=list)
    inputs: list[PortRecord] = field(default_factory=list)
    outputs: list[PortRecord] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)  # an empty key is a label
    front_ends: list[FrontEndRecord] = field(default_factory=list)
    slots: int = 0
    features: Feature = field(default_factory=lambda: Feature(0))


def edge_record(form: EdgeForm, *, slot: int | None, is_input: bool) -> bytes:
    fixed_steps = form.steps or 0 if is_input and form.is_sequence else 0
    return struct.pack(
        "<BBHIII",
        form.dtype,
        form.is_sequence,
        0,
        form.width,
        fixed_steps,
        NONE if slot is None else slot,
    )


def op_record(kind: OpKind, inputs: list[int], outputs: list[int], arguments: list[int]) -> bytes:
    """All of the record but its name."""
    padded_inputs = inputs + [NONE] * (OP_INPUTS - len(inputs))
    padded_outputs = outputs + [NONE] * (OP_OUTPUTS - len(outputs))
    padded_arguments = arguments + [0] * (OP_ARGUMENTS - len(arguments))
    words = [*padded_inputs, *padded_outputs, *padded_arguments]
    return struct.pack("<I", kind) + struct.pack(f"<{len(words)}I", *words)


def argument_bits(argument: int | float) -> int:
    """An argument as the 32 bits that the file stores."""
    if isinstance(argument, float):
        return int(struct.unpack("<I", struct.pack("<f", argument))[0])
    return argument & 0xFFFFFFFF


def file_bytes(image: FileImage) -> bytes:
    """The file: header, tables, strings, constants, each constant aligned to 64."""
    body = _Body()
    edge_offset = body.append(b"".join(image.edges), 4)
    ops = b""
    for name, record in image.ops:
        at, length = body.text(name)
        ops += record[:4] + struct.pack("<II", at, length) + record[4:]
    op_offset = body.append(ops, 4)
    ports = b""
    for port in [*image.inputs, *image.outputs]:
        ports += struct.pack("<IIII", port.edge, *body.text(port.name), port.state)
    port_offset = body.append(ports, 4)
    texts = b""
    for key, value in image.texts:
        texts += struct.pack("<IIII", *body.text(key), *body.text(value))
    text_offset = body.append(texts, 4)
    constants = b""
    for constant in image.constants:
        data_at = body.append(constant.data, ALIGNMENT)
        scales_at = body.append(constant.scales, ALIGNMENT) if constant.scales else 0
        constants += struct.pack(
            "<8I",
            constant.type,
            constant.rows,
            constant.columns,
            constant.tiles,
            data_at,
            len(constant.data),
            scales_at,
            constant.packing,
        )
    constant_offset = body.append(constants, 4)
    front_ends = b""
    for entry in image.front_ends:
        at = body.append(entry.data, ALIGNMENT)
        front_ends += struct.pack(
            "<8I", entry.kind, entry.version, entry.input, at, len(entry.data), 0, 0, 0
        )
    front_end_offset = body.append(front_ends, 4) if front_ends else 0
    content = body.content
    struct.pack_into(
        "<15I52x",
        content,
        PREFIX_BYTES,
        image.features,
        len(image.edges),
        edge_offset,
        len(image.ops),
        op_offset,
        len(image.constants),
        constant_offset,
        len(image.inputs),
        len(image.outputs),
        port_offset,
        len(image.texts),
        text_offset,
        image.slots,
        len(image.front_ends),
        front_end_offset,
    )
    checksum = zlib.crc32(memoryview(content)[PREFIX_BYTES:])
    struct.pack_into("<4sIII", content, 0, MAGIC, VERSION, len(content), checksum)
    return bytes(content)


class _Body:
    """The growing file, its header left empty."""

    def __init__(self) -> None:
        self.content = bytearray(HEADER_BYTES)

    def append(self, part: bytes, alignment: int) -> int:
        """Where `part` begins."""
        self.content += bytes(-len(self.content) % alignment)
        at = len(self.content)
        self.content += part
        return at

    def text(self, text: str) -> tuple[int, int]:
        """Where the zero-terminated `text` begins, and its length."""
        encoded = text.encode()
        return self.append(encoded + b"\0", 1), len(encoded)
