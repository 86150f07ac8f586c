"""Archives that a Linux kernel unpacks as its first file system (cpio, "newc")."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

#: A kernel takes archives one after another, each beginning at a multiple of four bytes.
ALIGNMENT: Final = 512
_MAGIC: Final = b"070701"


def packed(folder: Path, *, homes: dict[str, int]) -> bytes:
    """Everything in `folder`: owned by root, but for the homes (path -> uid) and what is in them.

    Times are left out, so that the same content gives the same bytes.
    """
    content = bytearray()
    for number, path in enumerate(_walk(folder), start=1):
        name = str(path.relative_to(folder))
        owner = next((uid for home, uid in homes.items() if Path(name).is_relative_to(home)), 0)
        content += _entry(name, path, number, owner)
    content += _header("TRAILER!!!", number=0, mode=0, owner=0, size=0)
    return bytes(content) + bytes(-len(content) % ALIGNMENT)


def _walk(folder: Path) -> Iterator[Path]:
    """A folder before what is in it."""
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def _entry(name: str, path: Path, number: int, owner: int) -> bytes:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        data = str(path.readlink()).encode()
    elif stat.S_ISREG(mode):
        data = path.read_bytes()
    else:
        data = b""
    header = _header(name, number=number, mode=mode, owner=owner, size=len(data))
    return header + data + bytes(-len(data) % 4)


def _header(name: str, *, number: int, mode: int, owner: int, size: int) -> bytes:
    encoded = name.encode() + b"\0"
    links, mtime, device = 1, 0, (0, 0)
    fields = (
        *(number, mode, owner, owner, links, mtime, size),
        *(*device, *device, len(encoded), 0),  # the last is a checksum that newc does not use
    )
    header = _MAGIC + b"".join(b"%08x" % field for field in fields) + encoded
    return header + bytes(-len(header) % 4)
