"""What a shared library is made for and what it has, of its ELF file."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

#: ELF's e_machine and class -> Android's name of the ABI.
ABIS: Final = {
    (3, 1): "x86",
    (40, 1): "armeabi-v7a",
    (62, 2): "x86_64",
    (183, 2): "arm64-v8a",
}
_DYNAMIC, _DYNSYM = 6, 11  # kinds of sections
_NEEDED = 1  # kind of a dynamic entry
_UNDEFINED = 0  # the section of a symbol that is somebody else's


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedObject:
    """`needed` are the names of the libraries that it wants loaded with it."""

    abi: str
    symbols: frozenset[str]
    needed: tuple[str, ...]


def shared_object(content: bytes) -> SharedObject | None:
    """None when `content` is no library of an ABI that Android has, or its sections are gone."""
    if content[:4] != b"\x7fELF" or len(content) < 64 or content[5] != 1:  # little-endian
        return None
    try:
        return _read(content)
    except (struct.error, IndexError, ValueError):  # an offset outside of the file
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    kind: int
    offset: int
    size: int
    link: int  # the section that holds its strings


def _read(content: bytes) -> SharedObject | None:
    is_64 = content[4] == 2
    abi = ABIS.get((struct.unpack_from("<H", content, 18)[0], content[4]))
    if abi is None:
        return None
    sections = _sections(content, is_64)
    symbols: set[str] = set()
    needed: list[str] = []
    for section in sections:
        if section.kind not in (_DYNSYM, _DYNAMIC):
            continue
        strings = sections[section.link]
        table = content[strings.offset : strings.offset + strings.size]
        rows = content[section.offset : section.offset + section.size]
        if section.kind == _DYNSYM:
            # name, info, other, section, value, size;
            # of 32 bits: name, value, size, info, other, section
            form = struct.Struct("<IBBHQQ" if is_64 else "<IIIBBH")
            for row in form.iter_unpack(rows):
                if row[3 if is_64 else 5] != _UNDEFINED:
                    symbols.add(_string(table, row[0]))
        else:
            form = struct.Struct("<qQ" if is_64 else "<iI")
            needed += [_string(table, at) for kind, at in form.iter_unpack(rows) if kind == _NEEDED]
    if not symbols:
        return None
    return SharedObject(abi=abi, symbols=frozenset(symbols), needed=tuple(needed))


def _sections(content: bytes, is_64: bool) -> list[_Section]:
    (offset,) = struct.unpack_from("<Q" if is_64 else "<I", content, 40 if is_64 else 32)
    size, count = struct.unpack_from("<HH", content, 58 if is_64 else 46)
    form = struct.Struct("<IIQQQQIIQQ" if is_64 else "<10I")
    rows = [form.unpack_from(content, offset + i * size) for i in range(count)]
    return [_Section(kind=row[1], offset=row[4], size=row[5], link=row[6]) for row in rows]


def _string(table: bytes, at: int) -> str:
    return table[at : table.index(b"\0", at)].decode()
