"""Links of groups in HDF5's newer form, which libhdf5 uses if a name is not ASCII.

Up to eight links are messages in the group's own header.  More are stored in a fractal heap, with a
version 2 B-tree to find them by name; this module reads the whole tree.  Section numbers
are those of the HDF5 File Format Specification, version 3.0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edgernn.export.keras.hdf5_format import MAX_ENTRIES, UNDEFINED, Hdf5Error, Source

_ADDRESS: Final = struct.Struct("<Q")
_HARD: Final = 0
_MAX_DEPTH: Final = 16


def link(body: bytes) -> tuple[str, int] | None:
    """(name, object header's address) of a link message (IV.A.2.g).

    None for a soft or external link, which is not followed.
    """
    if len(body) < 2 or body[0] != 1:
        raise Hdf5Error("a link is of an unknown version")
    flags = body[1]
    position, kind = 2, _HARD
    if flags & 8:
        kind, position = body[position], position + 1
    position += 8 if flags & 4 else 0  # time of creation
    position += 1 if flags & 16 else 0  # ASCII or UTF-8; the first is part of the second
    count = 1 << (flags & 3)
    length = int.from_bytes(body[position : position + count], "little")
    position += count
    name, address = body[position : position + length], body[position + length :][:8]
    if len(name) != length or (kind == _HARD and len(address) != _ADDRESS.size):
        raise Hdf5Error("a link is cut off")
    if kind != _HARD:
        return None
    return name.decode("utf-8", "replace"), _ADDRESS.unpack(address)[0]


def heaped_links(source: Source, link_info: bytes) -> Iterator[tuple[str, int]]:
    """The links in the heap that a link info message (IV.A.2.c) refers to."""
    start = 10 if len(link_info) > 1 and link_info[1] & 1 else 2
    if len(link_info) < start + 16:
        raise Hdf5Error("a message is too short")
    heap_address, tree_address = struct.unpack_from("<QQ", link_info, start)
    if heap_address == UNDEFINED:
        return
    heap = _heap(source, heap_address)
    for heap_id in _heap_ids(source, tree_address):
        found = link(heap.object(heap_id))
        if found is not None:
            yield found


_TREE: Final = struct.Struct("<4sBBIHHBBQHQ")  # III.A.2
_NODE_PREFIX: Final = 6  # signature, version, type
_NODE_OVERHEAD: Final = _NODE_PREFIX + 4  # and the checksum
_BY_NAME: Final = 5
_RECORD: Final = struct.Struct("<I7s")  # hash of the name, id in the heap


def _heap_ids(source: Source, address: int) -> Iterator[bytes]:
    """The heap ids in the records of a version 2 B-tree that is sorted by name."""
    signature, _, kind, node_bytes, record_bytes, depth, _, _, root, entries, _ = source.unpack(
        _TREE, address
    )
    if signature != b"BTHD" or kind != _BY_NAME or record_bytes != _RECORD.size:  # type: ignore[comparison-overlap]
        raise Hdf5Error("a group's tree is damaged")
    if depth > _MAX_DEPTH or node_bytes <= _NODE_OVERHEAD:
        raise Hdf5Error("a group's tree is damaged")
    most = [(node_bytes - _NODE_OVERHEAD) // _RECORD.size]  # records below a node, by its level
    count_bytes = _bytes_for(most[0])
    pointer_bytes = []
    for level in range(1, depth + 1):
        total_bytes = _bytes_for(most[-1]) if level > 1 else 0
        pointer_bytes.append(_ADDRESS.size + count_bytes + total_bytes)
        here = (node_bytes - _NODE_OVERHEAD - pointer_bytes[-1]) // (
            _RECORD.size + pointer_bytes[-1]
        )
        most.append((here + 1) * most[-1] + here)
    pending = [(root, entries, depth)]
    visited: set[int] = set()
    seen = 0
    while pending:
        node, entries, level = pending.pop()
        if node in visited:
            raise Hdf5Error("a group's tree runs in a circle")
        visited.add(node)
        wanted = b"BTIN" if level else b"BTLF"
        if source.at(node, 4) != wanted:
            raise Hdf5Error("a group's tree is damaged")
        seen += entries
        if seen > MAX_ENTRIES:
            raise Hdf5Error("a group has too many members")
        records = source.at(node + _NODE_PREFIX, entries * _RECORD.size)
        yield from (heap_id for _, heap_id in _RECORD.iter_unpack(records))
        if level:
            size = pointer_bytes[level - 1]
            start = node + _NODE_PREFIX + len(records)
            pointers = source.at(start, (entries + 1) * size)
            for place in range(0, len(pointers), size):
                (child,) = _ADDRESS.unpack_from(pointers, place)
                counted = pointers[place + 8 : place + 8 + count_bytes]
                pending.append((child, int.from_bytes(counted, "little"), level - 1))


def _bytes_for(number: int) -> int:
    return max(1, (number.bit_length() + 7) // 8)


_HEAP: Final = struct.Struct("<4sBHHBI12QHQQHHQH")  # III.G
_BLOCK_HEADER: Final = struct.Struct("<4sBQI")  # signature, version, heap, offset in the heap
_OFFSET_BITS: Final = 32
_HEAP_ID: Final = struct.Struct("<BIH")  # kind, offset, length


@dataclass(frozen=True, slots=True)
class _Heap:
    """Blocks of bytes that form one line of addresses, as links have them."""

    source: Source
    width: int  # blocks in a row
    first_bytes: int  # of a block in rows 0 and 1; each further row has twice the size
    most_bytes: int  # largest block with data; larger blocks contain blocks
    root: int
    root_rows: int  # 0: the root itself contains data

    def object(self, heap_id: bytes) -> bytes:
        kind, offset, length = _HEAP_ID.unpack(heap_id)
        if kind:
            raise Hdf5Error("a link is stored in a way that Keras' files do not have")
        return self.source.at(self._place(offset), length)

    def _place(self, offset: int) -> int:
        """The position in the file of the heap's byte `offset`."""
        block, rows = self.root, self.root_rows
        for _ in range(_MAX_DEPTH):
            if rows == 0:
                return block + offset
            if self.source.at(block, 4) != b"FHIB":
                raise Hdf5Error("a group's names are damaged")
            position, size, offset = self._child(offset, rows)
            (block,) = self.source.unpack(_ADDRESS, block + 17 + 8 * position)
            rows = 0 if size <= self.most_bytes else self._rows_within(size)
        raise Hdf5Error("a group's names are nested too deeply")

    def _child(self, offset: int, rows: int) -> tuple[int, int, int]:
        """(position, size, offset inside) of the block among a block's blocks."""
        start, size = 0, self.first_bytes
        for row in range(rows):
            size = self.first_bytes << max(row - 1, 0)
            if offset < start + size * self.width:
                column, inside = divmod(offset - start, size)
                return row * self.width + column, size, inside
            start += size * self.width
        raise Hdf5Error("a name lies outside of its group")

    def _rows_within(self, size: int) -> int:
        return (size // (self.first_bytes * self.width)).bit_length()


def _heap(source: Source, address: int) -> _Heap:
    fields = source.unpack(_HEAP, address)
    signature, _, id_bytes, filter_bytes = fields[:4]
    width, first, most, bits, _, root, rows = fields[-7:]
    if signature != b"FRHP" or filter_bytes or id_bytes != _HEAP_ID.size:  # type: ignore[comparison-overlap]
        raise Hdf5Error("a group's names are stored in a way that Keras' files do not have")
    if bits != _OFFSET_BITS or not width or not first or most < first or rows > _OFFSET_BITS:
        raise Hdf5Error("a group's names are stored in a way that Keras' files do not have")
    return _Heap(source, width, first, most, root, rows)
