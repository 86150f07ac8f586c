"""Files that are whole or absent: written under a temporary name, then renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgernn.errors import OutputError


def write_bytes(path: Path, content: bytes) -> None:
    """Writes `content` to `path`, making parent folders; never leaves a part of it.

    Raises OutputError where there is no permission, no room, or no folder.
    """
    with staged(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that becomes `path` when the block ends without error.

    Raises OutputError as write_bytes does; removes the temporary file on any error or Ctrl-C.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}",
            remedy="Choose another folder with -o, or free some room",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
