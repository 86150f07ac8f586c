"""Groups, attributes and arrays of the HDF5 files that Keras writes, read safely."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from math import prod
from typing import BinaryIO, Final

import numpy as np

from edgernn.export.keras.hdf5_format import (
    UNDEFINED,
    Datatype,
    Hdf5Error,
    MessageKind,
    Source,
    TypeClass,
    datatype,
    dimensions,
    members,
    messages,
    root_address,
    variable_text,
)
from edgernn.export.keras.hdf5_links import heaped_links, link
from edgernn.graph import FloatArray

__all__ = ["Dataset", "Group", "Hdf5Error", "open_hdf5"]

_ATTRIBUTE: Final = struct.Struct("<BxHHH")
_CONTIGUOUS: Final = 1
_OF_A_GROUP: Final = (MessageKind.SYMBOL_TABLE, MessageKind.LINK_INFO)


@dataclass(frozen=True, slots=True)
class Dataset:
    """An array of numbers, not read yet."""

    source: Source
    shape: tuple[int, ...]
    datatype: Datatype
    offset: int  # position of its first byte in the file
    attributes: dict[str, list[str]]

    @property
    def is_bfloat16(self) -> bool:
        return self.attributes.get("dtype") == ["bfloat16"]

    @property
    def float32_bytes(self) -> int:
        """Size of the array in memory, in bytes."""
        return prod(self.shape) * 4

    def read(self) -> FloatArray:
        """Reads the array.  Raises Hdf5Error if the file is too short or has no numbers there."""
        self.source.check(self.offset, prod(self.shape) * self.datatype.size_bytes)
        if self.is_bfloat16 and self.datatype.size_bytes == 2:
            halves = np.empty(self.shape, "<u2")
            self.source.into(self.offset, halves)
            # The upper half of a float32.
            return (halves.astype(np.uint32) << 16).view(np.float32)
        if self.datatype.numpy is None:
            raise Hdf5Error("an array does not hold numbers")
        stored = np.empty(self.shape, self.datatype.numpy)
        self.source.into(self.offset, stored)
        return stored.astype(np.float32, copy=False)


@dataclass(slots=True)
class Group:
    """A group of the file.  Links to other files are ignored."""

    source: Source
    address: int
    _members: dict[str, int] | None = field(default=None, init=False)
    _attributes: dict[str, list[str]] | None = field(default=None, init=False)

    def __contains__(self, name: str) -> bool:
        return name in self.addresses()

    def names(self) -> list[str]:
        return list(self.addresses())

    def text(self, attribute: str) -> str | None:
        """A text attribute; None if it does not exist."""
        found = self.texts(attribute)
        return found[0] if found else None

    def texts(self, attribute: str) -> list[str]:
        """An attribute that is a list of texts; empty if it does not exist."""
        if self._attributes is None:
            self._attributes = _text_attributes(self.source, self.address)
        return self._attributes.get(attribute, [])

    def group(self, path: str) -> Group | None:
        """The group at `path` below this one; None if it does not exist."""
        address = _find(self, path)
        if address is None:
            return None
        found = messages(self.source, address)
        is_group = any(message.kind in _OF_A_GROUP for message in found)
        return Group(self.source, address) if is_group else None

    def dataset(self, path: str) -> Dataset | None:
        """The array at `path` below this group; None if it does not exist."""
        address = _find(self, path)
        return None if address is None else _dataset(self.source, address)

    def addresses(self) -> dict[str, int]:
        """The address of each member's object header, by name."""
        if self._members is None:
            self._members = {}
            for message in messages(self.source, self.address):
                match message.kind:
                    case MessageKind.SYMBOL_TABLE:
                        self._members |= members(self.source, message.body)
                    case MessageKind.LINK:
                        found = link(message.body)
                        self._members |= [found] if found else []
                    case MessageKind.LINK_INFO:
                        self._members |= heaped_links(self.source, message.body)
                    case _:
                        continue
        return self._members


def open_hdf5(file: BinaryIO, size_bytes: int) -> Group:
    """The root group of the HDF5 file that `file` holds from its first byte on."""
    source = Source(file, size_bytes)
    return Group(source, root_address(source))


def _find(group: Group, path: str) -> int | None:
    """Where the header of what is at `path` is.

    The longest name comes first: on Windows, Keras 2.12 to 2.15 joined names with backslashes.
    """
    names = path.split("/")
    for count in range(len(names), 0, -1):
        address = group.addresses().get("\\".join(names[:count]))
        if address is not None:
            rest = "/".join(names[count:])
            return _find(Group(group.source, address), rest) if rest else address
    return None


def _dataset(source: Source, address: int) -> Dataset | None:
    shape: tuple[int, ...] | None = None
    element: Datatype | None = None
    layout: bytes | None = None
    for message in messages(source, address):
        match message.kind:
            case MessageKind.SYMBOL_TABLE | MessageKind.LINK_INFO:
                return None
            case MessageKind.DATASPACE:
                shape = dimensions(message.body)
            case MessageKind.DATATYPE:
                element = datatype(message.body)
            case MessageKind.LAYOUT:
                layout = message.body
            case MessageKind.EXTERNAL_FILES:
                raise Hdf5Error("an array lies in another file")
            case MessageKind.FILTERS:
                raise Hdf5Error("an array is compressed, which Keras does not do")
            case _:
                continue
    if shape is None or element is None or layout is None:
        raise Hdf5Error("an array has no shape, type or place")
    return Dataset(
        source=source,
        shape=shape,
        datatype=element,
        offset=_place(layout, prod(shape) * element.size_bytes),
        attributes=_text_attributes(source, address),
    )


def _place(layout: bytes, size_bytes: int) -> int:
    """Where a contiguous array begins (section IV.A.2.i)."""
    if len(layout) < 18:
        raise Hdf5Error("an array has no place")
    version = layout[0]
    kind = layout[1] if version == 3 else layout[2]
    if version > 3 or kind != _CONTIGUOUS:
        raise Hdf5Error("an array is not stored in one piece, as Keras stores it")
    (offset,) = struct.unpack_from("<Q", layout, 2 if version == 3 else 8)
    if offset == UNDEFINED:
        if size_bytes:
            raise Hdf5Error("an array was never written")
        return 0
    return int(offset)


def _text_attributes(source: Source, address: int) -> dict[str, list[str]]:
    """Attributes that are texts or lists of texts; others are left out."""
    found: dict[str, list[str]] = {}
    for message in messages(source, address):
        if message.kind == MessageKind.ATTRIBUTE:
            name, texts = _attribute(source, message.body)
            if texts is not None:
                found[name] = texts
    return found


def _attribute(source: Source, body: bytes) -> tuple[str, list[str] | None]:
    """(name, texts) of an attribute message (section IV.A.2.m)."""
    if len(body) < 9:
        raise Hdf5Error("an attribute is too short")
    version, name_bytes, type_bytes, space_bytes = _ATTRIBUTE.unpack_from(body)
    if version not in (1, 2, 3):
        raise Hdf5Error(f"an attribute has version {version}")
    position = 9 if version == 3 else 8  # version 3 says how the name is encoded
    parts: list[bytes] = []
    for count in (name_bytes, type_bytes, space_bytes):
        parts.append(body[position : position + count])
        position += (count + 7) // 8 * 8 if version == 1 else count
    name = parts[0].split(b"\0")[0].decode("utf-8", "replace")
    try:
        element = datatype(parts[1])
    except Hdf5Error:
        return name, None  # not a text, so none of the attributes that are read
    shape = dimensions(parts[2])
    if shape is None or element.kind not in (TypeClass.STRING, TypeClass.VARIABLE):
        return name, None
    count, size = prod(shape), element.size_bytes
    content = body[position : position + count * size]
    if len(content) != count * size:
        raise Hdf5Error(f"the attribute '{name}' is cut off")
    texts = [content[start : start + size] for start in range(0, len(content), size or 1)]
    if element.kind is TypeClass.VARIABLE:
        texts = [variable_text(source, reference) for reference in texts]
    return name, [text.rstrip(b"\0").decode("utf-8", "replace") for text in texts]
