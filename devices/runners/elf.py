"""Reads from the ELF file of a shared library its platform, its symbols and what it needs."""

from __future__ import annotations

import struct
from collections.abc import Collection
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
_UNDEFINED = 0  # the section of a symbol that another library defines
#: Limits of the length of a library's name and of its number of dependencies; a file that
#: exceeds them is no library, or an attack.
_MOST_CHARACTERS: Final = 255
_MOST_NEEDED: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedObject:
    """`symbols` are the requested symbols that the library defines.

    `needed` are the names of the libraries that it depends on.
    """

    abi: str
    symbols: frozenset[str]
    needed: tuple[str, ...]


def shared_object(content: bytes, wanted: Collection[str]) -> SharedObject | None:
    """The platform of `content`, and which of the requested functions it defines.

    None if `content` is no library of one of Android's ABIs, or its sections were stripped.
    """
    if content[:4] != b"\x7fELF" or len(content) < 64 or content[5] != 1:  # little-endian
        return None
    try:
        return _read(content, wanted)
    except (struct.error, IndexError, ValueError):  # an offset outside of the file
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    kind: int
    offset: int
    size: int
    link: int  # the section that holds its strings


def _read(content: bytes, wanted: Collection[str]) -> SharedObject | None:
    is_64 = content[4] == 2
    abi = ABIS.get((struct.unpack_from("<H", content, 18)[0], content[4]))
    if abi is None:
        return None
    sections = _sections(content, is_64)
    symbols = next((each for each in sections if each.kind == _DYNSYM), None)
    dynamic = next((each for each in sections if each.kind == _DYNAMIC), None)
    if symbols is None:
        return None
    names = _part(content, sections[symbols.link])
    # name, info, other, section, value, size; of 32 bits: name, value, size, info, other, section
    form = struct.Struct("<IBBHQQ" if is_64 else "<IIIBBH")
    rows = form.iter_unpack(_part(content, symbols))
    defined = [row[0] for row in rows if row[3 if is_64 else 5] != _UNDEFINED]
    strings = {name: name.encode() + b"\0" for name in wanted}
    needed: list[str] = []
    if dynamic is not None:
        form = struct.Struct("<qQ" if is_64 else "<iI")
        rows = form.iter_unpack(_part(content, dynamic))
        offsets = [at for kind, at in rows if kind == _NEEDED]
        if len(offsets) > _MOST_NEEDED:
            return None
        table = _part(content, sections[dynamic.link])
        needed = [_string(table, at) for at in offsets]
    return SharedObject(
        abi=abi,
        symbols=frozenset(
            name
            for name, string in strings.items()
            if any(names.startswith(string, at) for at in defined)
        ),
        needed=tuple(needed),
    )


def _sections(content: bytes, is_64: bool) -> list[_Section]:
    (offset,) = struct.unpack_from("<Q" if is_64 else "<I", content, 40 if is_64 else 32)
    size, count = struct.unpack_from("<HH", content, 58 if is_64 else 46)
    form = struct.Struct("<IIQQQQIIQQ" if is_64 else "<10I")
    if size != form.size:
        raise ValueError("sections of another size than ELF's")
    rows = form.iter_unpack(content[offset : offset + count * size])
    return [_Section(kind=row[1], offset=row[4], size=row[5], link=row[6]) for row in rows]


def _part(content: bytes, section: _Section) -> bytes:
    return content[section.offset : section.offset + section.size]


def _string(table: bytes, at: int) -> str:
    return table[at : table.index(b"\0", at, at + _MOST_CHARACTERS + 1)].decode()
