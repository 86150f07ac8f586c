"""The structures of HDF5 that Keras' files use; every bound is checked.

libhdf5 is not used for untrusted files: damaged ones crash the process or make it loop
for ever.  Keras writes a small part of the format: superblock 0 or 1, version 1 object headers,
symbol-table groups, contiguous arrays.  Section numbers are those of the HDF5 File Format
Specification, version 3.0.  All integers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO, Final

import numpy as np

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"
UNDEFINED: Final = 0xFFFF_FFFF_FFFF_FFFF

#: More messages, names or attributes than this are damage.
MAX_ENTRIES: Final = 1 << 20

_MAX_RANK: Final = 32


class Hdf5Error(ValueError):
    """The file is damaged, or uses a part of HDF5 that Keras does not use."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that is read at given positions, never past its end."""

    file: BinaryIO
    size_bytes: int

    def at(self, offset: int, count: int) -> bytes:
        self.check(offset, count)
        self.file.seek(offset)
        found = self.file.read(count)
        if len(found) != count:
            raise Hdf5Error(f"it ends at byte {offset + len(found)}")
        return found

    def into(self, offset: int, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> None:
        """Fills `array` with the bytes at `offset`, without a copy in between."""
        self.check(offset, array.nbytes)
        if not array.nbytes:
            return
        self.file.seek(offset)
        buffer = memoryview(array).cast("B")  # type: ignore[arg-type]
        done = 0
        while done < len(buffer):
            count = self.file.readinto(buffer[done:])  # type: ignore[attr-defined]
            if not count:
                raise Hdf5Error(f"it ends at byte {offset + done}")
            done += count

    def unpack(self, layout: struct.Struct, offset: int) -> tuple[int, ...]:
        return layout.unpack(self.at(offset, layout.size))

    def check(self, offset: int, count: int) -> None:
        """Raises Hdf5Error if the file does not have `count` bytes at `offset`."""
        if count < 0 or offset < 0 or offset + count > self.size_bytes:
            raise Hdf5Error(f"{count} bytes at {offset} lie outside of its {self.size_bytes}")


class MessageKind(IntEnum):
    """The messages of an object header (section IV.A.2)."""

    DATASPACE = 0x01
    LINK_INFO = 0x02
    DATATYPE = 0x03
    LINK = 0x06
    EXTERNAL_FILES = 0x07
    LAYOUT = 0x08
    FILTERS = 0x0B
    ATTRIBUTE = 0x0C
    CONTINUATION = 0x10
    SYMBOL_TABLE = 0x11


@dataclass(frozen=True, slots=True)
class Message:
    kind: int
    body: bytes


_SUPERBLOCK: Final = struct.Struct("<8s8B2HI")  # II.A, up to the flags
_ADDRESS: Final = struct.Struct("<Q")
_HEADER: Final = struct.Struct("<BxHII4x")  # IV.A.1.a
_MESSAGE: Final = struct.Struct("<HHB3x")
_CONTINUATION: Final = struct.Struct("<QQ")


def root_address(source: Source) -> int:
    """The address of the root group's object header."""
    fields = source.unpack(_SUPERBLOCK, 0)
    if fields[0] != SIGNATURE:  # type: ignore[comparison-overlap]
        raise Hdf5Error("it has no HDF5 signature")
    version, offset_bytes, length_bytes = fields[1], fields[6], fields[7]
    if version > 1 or (offset_bytes, length_bytes) != (8, 8):
        raise Hdf5Error(f"its superblock has version {version}, which Keras does not write")
    start = _SUPERBLOCK.size + (4 if version == 1 else 0)
    (base,) = source.unpack(_ADDRESS, start)
    if base != 0:
        raise Hdf5Error("it does not begin at its first byte")
    # Base, free space, end of file, driver: then the root's symbol table entry, whose second
    # field is the address.
    (address,) = source.unpack(_ADDRESS, start + 5 * 8)
    return address


def messages(source: Source, address: int) -> Iterator[Message]:
    """The messages of the object header at `address`, continuation blocks included."""
    version, total, _, size = source.unpack(_HEADER, address)
    if version != 1:
        raise Hdf5Error(f"an object header has version {version}, which Keras does not write")
    blocks = [(address + _HEADER.size, size)]
    seen = 0
    for block_offset, block_size in blocks:  # grows while it is walked
        block = source.at(block_offset, block_size)
        position = 0
        while position + _MESSAGE.size <= len(block) and seen < total:
            kind, count, flags = _MESSAGE.unpack_from(block, position)
            position += _MESSAGE.size
            body = block[position : position + count]
            if len(body) != count:
                raise Hdf5Error("a message is longer than its header")
            position += count
            seen += 1
            if flags & 2 and kind in (MessageKind.DATASPACE, MessageKind.DATATYPE):
                raise Hdf5Error("it shares its types, which Keras does not do")
            if kind == MessageKind.CONTINUATION:
                offset, length = _unpacked(_CONTINUATION, body)
                blocks.append((offset, length))
            else:
                yield Message(kind, body)


def _unpacked(layout: struct.Struct, body: bytes, offset: int = 0) -> tuple[int, ...]:
    if len(body) < offset + layout.size:
        raise Hdf5Error("a message is too short")
    return layout.unpack_from(body, offset)


_TREE: Final = struct.Struct("<4sBBH16x")  # III.A.1
_NODE: Final = struct.Struct("<4sBxH")  # III.B
_ENTRY: Final = struct.Struct("<QQI4x16x")  # III.C
_HEAP: Final = struct.Struct("<4sB3xQQQ")  # III.D
_SOFT_LINK: Final = 2


def members(source: Source, symbol_table: bytes) -> Iterator[tuple[str, int]]:
    """(name, object header's address) of each member of a group; soft links are left out."""
    tree, heap = _unpacked(_CONTINUATION, symbol_table)
    signature, _, heap_bytes, _, heap_data = source.unpack(_HEAP, heap)
    if signature != b"HEAP":  # type: ignore[comparison-overlap]
        raise Hdf5Error("a group has no names")
    names = source.at(heap_data, heap_bytes)
    count = 0
    for node in _leaves(source, tree):
        signature, _, entries = source.unpack(_NODE, node)
        if signature != b"SNOD":  # type: ignore[comparison-overlap]
            raise Hdf5Error("a group's table is damaged")
        block = source.at(node + _NODE.size, entries * _ENTRY.size)
        for name_offset, address, cache in _ENTRY.iter_unpack(block):
            count += 1
            if count > MAX_ENTRIES:
                raise Hdf5Error("a group has too many members")
            if cache != _SOFT_LINK:
                yield _text_at(names, name_offset), address


def _leaves(source: Source, root: int) -> Iterator[int]:
    """Addresses of the symbol table nodes below a version 1 B-tree, in the order of names."""
    signature, _, level, _ = source.unpack(_TREE, root)
    pending: list[tuple[int, int]] = [(root, level)]
    visited: set[int] = set()
    while pending:
        address, level = pending.pop()
        if address in visited:
            raise Hdf5Error("a group's tree runs in a circle")
        visited.add(address)
        signature, kind, own_level, entries = source.unpack(_TREE, address)
        if signature != b"TREE" or kind != 0 or own_level != level:  # type: ignore[comparison-overlap]
            raise Hdf5Error("a group's tree is damaged")
        # key, child, key, child, ..., key
        block = source.at(address + _TREE.size + 8, entries * 16)
        children = [child for child, _ in _CONTINUATION.iter_unpack(block)]
        if level == 0:
            yield from children
        else:
            pending += [(child, level - 1) for child in reversed(children)]


def _text_at(names: bytes, offset: int) -> str:
    end = names.find(b"\0", offset)
    if not 0 <= offset < len(names) or end < 0:
        raise Hdf5Error("a name is missing")
    return names[offset:end].decode("utf-8", "replace")


def dimensions(body: bytes) -> tuple[int, ...] | None:
    """A dataspace message's shape; None for a null space (section IV.A.2.b)."""
    if len(body) < 4:
        raise Hdf5Error("a message is too short")
    version, rank = body[0], body[1]
    if version == 1:
        start = 8
    elif version == 2:
        start = 4
        if body[3] == 2:
            return None
    else:
        raise Hdf5Error(f"a shape has version {version}")
    if rank > _MAX_RANK:
        raise Hdf5Error(f"an array has {rank} axes")
    return _unpacked(struct.Struct(f"<{rank}Q"), body, start)


class TypeClass(IntEnum):
    """Datatype classes (section IV.A.2.d)."""

    INTEGER = 0
    FLOAT = 1
    STRING = 3
    OPAQUE = 5
    VARIABLE = 9


@dataclass(frozen=True, slots=True)
class Datatype:
    """One element: numbers as a numpy dtype; strings of fixed or variable length; opaque bytes."""

    kind: TypeClass
    size_bytes: int
    numpy: np.dtype[np.generic] | None = None


_FLOAT_LAYOUT: Final = struct.Struct("<HH4BI")
#: (bit offset, precision, exponent at, exponent bits, mantissa at, mantissa bits, bias)
_IEEE: Final[dict[tuple[int, ...], str]] = {
    (0, 16, 10, 5, 0, 10, 15): "f2",
    (0, 32, 23, 8, 0, 23, 127): "f4",
    (0, 64, 52, 11, 0, 52, 1023): "f8",
}
_VARIABLE_STRING: Final = 1


def datatype(body: bytes) -> Datatype:
    """Raises Hdf5Error for types that Keras does not write."""
    head, bits, size_bytes = _unpacked(struct.Struct("<BB2xI"), body)
    order = ">" if bits & 1 else "<"
    match head & 0x0F:
        case TypeClass.INTEGER if size_bytes in (1, 2, 4, 8):
            sign = "i" if bits & 8 else "u"
            return Datatype(TypeClass.INTEGER, size_bytes, np.dtype(f"{order}{sign}{size_bytes}"))
        case TypeClass.FLOAT:
            name = _IEEE.get(_unpacked(_FLOAT_LAYOUT, body, 8))
            if name is None or int(name[1]) != size_bytes:
                raise Hdf5Error("it holds real numbers in an unusual form")
            return Datatype(TypeClass.FLOAT, size_bytes, np.dtype(order + name))
        case TypeClass.STRING:
            return Datatype(TypeClass.STRING, size_bytes)
        case TypeClass.OPAQUE:
            return Datatype(TypeClass.OPAQUE, size_bytes)
        case TypeClass.VARIABLE if bits & 0x0F == _VARIABLE_STRING and size_bytes == 16:
            return Datatype(TypeClass.VARIABLE, size_bytes)
        case kind:
            raise Hdf5Error(f"it holds elements of HDF5's class {kind}, which Keras does not write")


_COLLECTION: Final = struct.Struct("<4sB3xQ")  # III.E
_HEAP_OBJECT: Final = struct.Struct("<HH4xQ")
_REFERENCE: Final = struct.Struct("<IQI")  # length, collection, index


def variable_text(source: Source, reference: bytes) -> bytes:
    """A string of variable length, from the global heap."""
    length, address, index = _unpacked(_REFERENCE, reference)
    if length == 0:
        return b""
    signature, _, size = source.unpack(_COLLECTION, address)
    if signature != b"GCOL":  # type: ignore[comparison-overlap]
        raise Hdf5Error("a text is missing")
    position, end = address + _COLLECTION.size, address + size
    while position + _HEAP_OBJECT.size <= end:
        found, _, count = source.unpack(_HEAP_OBJECT, position)
        if found == index:
            if length > count:
                raise Hdf5Error("a text is cut off")
            return source.at(position + _HEAP_OBJECT.size, length)
        if found == 0:
            break
        position += _HEAP_OBJECT.size + (count + 7) // 8 * 8
    raise Hdf5Error("a text is missing")
