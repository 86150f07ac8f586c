"""The .keras archive: a zip with config.json, metadata.json and model.weights.h5."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from edgernn.errors import ModelFileError
from edgernn.export.keras.nodes import RESAVE
from edgernn.regular_file import opened

CONFIG: Final = "config.json"
METADATA: Final = "metadata.json"
WEIGHTS: Final = "model.weights.h5"

_MAX_TEXT_BYTES: Final = 64 << 20
_MAX_EXPANSION: Final = 20
_CHUNK_BYTES: Final = 1 << 20
_LOCAL_HEADER: Final = struct.Struct("<4s5H3I2H")

#: Exceptions of zipfile for damaged files and unsupported features.
_DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError,
    ValueError, struct.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A member of the archive as a file."""

    file: BinaryIO
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A .keras file, open for reading."""

    zip: zipfile.ZipFile
    file: BinaryIO
    size_bytes: int

    def text(self, member: str) -> bytes:
        """The content of a JSON member.  Raises ModelFileError if it is missing or too large."""
        info = self._info(member)
        if info.file_size > _MAX_TEXT_BYTES:
            raise ModelFileError(f"{member} claims {info.file_size} bytes", remedy=RESAVE)
        return self._inflated(info)

    @contextmanager
    def weights(self) -> Iterator[Stream]:
        """The weights' HDF5 file, in place where the archive stores it uncompressed."""
        info = self._info(WEIGHTS)
        if info.compress_type == zipfile.ZIP_STORED:
            yield Stream(file=self._window(info), size_bytes=info.file_size)
            return
        if info.file_size > _MAX_EXPANSION * max(self.size_bytes, 1 << 20):
            raise ModelFileError(
                f"{WEIGHTS} claims to unpack to {info.file_size} bytes", remedy=RESAVE
            )
        yield Stream(file=io.BytesIO(self._inflated(info)), size_bytes=info.file_size)

    def _info(self, member: str) -> zipfile.ZipInfo:
        try:
            return self.zip.getinfo(member)
        except KeyError as error:
            raise ModelFileError(
                f"the archive contains no {member}, so it is not a Keras model", remedy=RESAVE
            ) from error

    def _inflated(self, info: zipfile.ZipInfo) -> bytes:
        try:
            with self.zip.open(info) as stream:
                # One byte more than declared, to notice a member that is longer than declared.
                content = stream.read(info.file_size + 1)
        except _DAMAGE as error:
            raise _damaged(info.filename, error) from error
        if len(content) != info.file_size:
            raise _damaged(info.filename, "its size is wrong")
        return content

    def _window(self, info: zipfile.ZipInfo) -> BinaryIO:
        """The stored member as a file, after a check of its checksum."""
        self.file.seek(info.header_offset)
        try:
            header = _LOCAL_HEADER.unpack(self.file.read(_LOCAL_HEADER.size))
        except struct.error as error:
            raise _damaged(info.filename, error) from error
        name_bytes, extra_bytes = header[-2:]
        start = info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
        if header[0] != b"PK\x03\x04" or start + info.file_size > self.size_bytes:
            raise _damaged(info.filename, "it ends too early")
        window = _Window(self.file, start, info.file_size)
        checksum = 0
        while chunk := window.read(_CHUNK_BYTES):
            checksum = zlib.crc32(chunk, checksum)
        if checksum != info.CRC:
            raise _damaged(info.filename, "its checksum is wrong")
        window.seek(0)
        return io.BufferedReader(window)


def _damaged(member: str, why: object) -> ModelFileError:
    return ModelFileError(
        f"{member} in the archive is damaged ({why})",
        remedy="Copy the file again, or save the model again",
    )


class _Window(io.RawIOBase):
    """A part of a file, as a file: HDF5 reads its arrays straight into place."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        super().__init__()
        self._file = file
        self._start = start
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        wanted = max(0, min(len(view), self._size - self._position))
        self._file.seek(self._start + self._position)
        count = self._file.readinto(view[:wanted])  # type: ignore[attr-defined]
        self._position += count
        return int(count)


@contextmanager
def opened_archive(path: Path) -> Iterator[Archive]:
    """The archive at `path`.  Raises ModelFileError if it is damaged."""
    with opened(path) as file:
        try:
            archive = zipfile.ZipFile(file)
        except _DAMAGE as error:
            raise ModelFileError(
                f"the .keras archive is damaged ({error})",
                remedy="Copy the file again, or save the model again",
            ) from error
        with archive:
            yield Archive(zip=archive, file=file, size_bytes=path.stat().st_size)
