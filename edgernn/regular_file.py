"""Files that others made: regular ones, of a bounded size, read whole and parsed without surprises.

A pipe would let the reader wait for ever, /dev/zero has no end, and a small file can be nested so
deeply that a parser runs out of stack.  Each of these is an OSError or ValueError here, like a file
that is missing or damaged.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

#: Settings, budgets, manifests and logs: those that edgernn writes have a few KB.
TEXT_BYTES: Final = 64 << 20

#: Models, arrays and reports.  ONNX and TFLite files end at 2 GiB by their own formats.
MODEL_BYTES: Final = 8 << 30

#: What a missing key, a wrong type or an absurd number raises where a parsed document is turned
#: into values; int(1e400) is an OverflowError.
DAMAGE: Final = (
    ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError,
)  # fmt: skip

_KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


@contextmanager
def opened(path: Path, *, at_most: int = MODEL_BYTES) -> Iterator[BinaryIO]:
    """A regular file of at most so many bytes, open for reading.

    Never waits.  Raises OSError whose strerror says what is wrong: the file is missing, not
    readable or too large, or it is a folder, a pipe or a device.

    >>> with opened(Path("gru.ernn")) as file:
    ...     magic = file.read(4)
    """
    # Opening a pipe waits for a writer, unless O_NONBLOCK is set; it changes nothing for files.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags)
    try:
        _require_regular(path, os.fstat(handle), at_most)
    except OSError:
        os.close(handle)
        raise
    with os.fdopen(handle, "rb") as file:
        yield file


def _require_regular(path: Path, found: os.stat_result, at_most: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))
    if found.st_size > at_most:
        size = f"it has {found.st_size:,} bytes, allowed are {at_most:,}"
        raise OSError(errno.EFBIG, size, str(path))


def read_bytes(path: Path, *, at_most: int = MODEL_BYTES) -> bytes:
    """All bytes of a regular file.  Raises OSError as `opened` does."""
    with opened(path, at_most=at_most) as file:
        return file.read()


def read_text(path: Path, *, at_most: int = TEXT_BYTES) -> str:
    """The text of a UTF-8 file.  Raises OSError as `opened` does, ValueError for other bytes."""
    try:
        return read_bytes(path, at_most=at_most).decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 text: {error.reason} at byte {error.start}") from error


def read_json(path: Path, *, at_most: int = TEXT_BYTES) -> Any:
    """A JSON file's value.  Raises OSError as `opened` does, ValueError for what is not JSON."""
    return _parsed(json.loads, read_text(path, at_most=at_most))


def read_toml(path: Path, *, at_most: int = TEXT_BYTES) -> dict[str, Any]:
    """A TOML file's tables.  Raises OSError as `opened` does, ValueError for what is not TOML."""
    # Here, since a runtime that only opens a model needs to start quickly.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    tables: dict[str, Any] = _parsed(tomllib.loads, read_text(path, at_most=at_most))
    return tables


def parsed_json(text: str | bytes) -> Any:
    """The value of a JSON text.  Raises ValueError, also where it is nested too deeply."""
    return _parsed(json.loads, text)


def _parsed(parse: Any, text: str | bytes) -> Any:
    try:
        return parse(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
