"""Arrays of an .npz that somebody else made, read without trust in what it claims."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Container
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from edgernn.regular_file import opened

#: All arrays of a file together.
_MOST_BYTES: Final = 16 << 30
_MOST_MEMBERS: Final = 10_000
_SUFFIX: Final = ".npy"


class DamagedArchive(ValueError):
    """The file is no .npz, or a member that was asked for cannot be read; the text says why."""


def read_arrays(path: Path, names: Container[str] | None = None) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an .npz by name; only those in `names`, if given.

    A member whose size is not that of its shape and dtype is refused before memory is taken for it.
    Pickled objects are never read.
    Raises DamagedArchive, or OSError where there is no such file.

    >>> read_arrays(Path("samples.npz"), {"x", "y"})["x"].shape
    (1000, 40, 13)
    """
    with opened(path) as file:
        try:
            return _read(file, names)
        except DamagedArchive:
            raise
        # zipfile, zlib, bz2, lzma, ast and tokenize each raise errors of their own for damage:
        # fuzzing found fourteen types.  None of them may pass as a bug of edgernn.
        except Exception as error:
            raise DamagedArchive(f"{type(error).__name__}: {error}") from error


def is_single(path: Path) -> bool:
    """Whether the file is one array, as numpy.save writes it.  Raises OSError."""
    with opened(path) as file:
        return file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX


def described_arrays(path: Path) -> tuple[str, ...]:
    """What an .npz has, from its headers: ('features [1000, 40, 13] float64', 'y [1000] int64').

    The name alone for a member that is damaged.  Raises as `read_arrays`.
    """
    with opened(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return tuple(_described(archive, info) for info in _members(archive))
        except Exception as error:  # as above
            raise DamagedArchive(f"{type(error).__name__}: {error}") from error


def _read(file: IO[bytes], names: Container[str] | None) -> dict[str, npt.NDArray[Any]]:
    arrays = {}
    left = _MOST_BYTES
    with zipfile.ZipFile(file) as archive:
        for info in _members(archive):
            name = info.filename.removesuffix(_SUFFIX)
            if names is not None and name not in names:
                continue
            with archive.open(info) as member:
                shape, dtype, header_bytes = _header(member)
            size = dtype.itemsize
            for length in shape:  # python's integers do not overflow
                size *= length
            if dtype.hasobject:
                raise DamagedArchive(f"{name} holds pickled objects")
            if header_bytes + size != info.file_size:
                raise DamagedArchive(f"{name} has not the size of {dtype} {list(shape)}")
            left -= size
            if left < 0:
                raise DamagedArchive(f"it unpacks to more than {_MOST_BYTES:,} bytes")
            with archive.open(info) as member:
                arrays[name] = np.lib.format.read_array(member, allow_pickle=False)
                _require_text(name, arrays[name])
                if member.read(1):  # reads to the end, where the checksum is compared
                    raise DamagedArchive(f"{name} is longer than it says")
    return arrays


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS:
        raise DamagedArchive(f"it has {len(members)} members")
    return members


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape, dtype, and how many bytes come before the numbers."""
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(member)
    else:
        raise DamagedArchive(f"an array has format {version}")
    return shape, dtype, member.tell()


def _require_text(name: str, array: npt.NDArray[Any]) -> None:
    """Raises DamagedArchive for texts with numbers beyond Unicode: Python breaks on them later."""
    if array.dtype.kind == "U" and array.size:
        points = array.ravel().view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        if points.max(initial=0) > sys.maxunicode:
            raise DamagedArchive(f"{name} has texts that are not Unicode")


def _described(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    name = info.filename.removesuffix(_SUFFIX)
    try:
        with archive.open(info) as member:
            shape, dtype, _ = _header(member)
    except Exception:  # noqa: BLE001 - a list of names for a message: the damage is reported on reading
        return name
    return f"{name} {list(shape)} {dtype}"
