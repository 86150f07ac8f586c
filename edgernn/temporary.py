"""Temporary folders that the next run removes where this one was killed before it could.

A folder's name holds its owner's process id, and the owner holds a lock on it, which ends with the
process however it ends.  A folder without either belongs to nobody.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

PREFIX: Final = "edgernn"


class _Temporary:
    """A folder or file of this process, locked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._remove = weakref.finalize(self, _removed, path, _locked(path))

    def remove(self) -> None:
        """Removes it with all that is in it; does nothing the second time."""
        self._remove()


class TemporaryFolder(_Temporary):
    """A folder of this process, gone when the block ends, it is removed, or the program ends.

    Making one removes those of the same prefix beside it whose owners are dead.
    Raises OSError where the folder cannot be made.

    >>> with TemporaryFolder() as folder:
    ...     (folder / "inputs.npz").write_bytes(content)
    """

    def __init__(self, *, prefix: str = PREFIX, parent: Path | None = None) -> None:
        parent = Path(tempfile.gettempdir()) if parent is None else parent
        remove_abandoned(parent, prefix)
        super().__init__(Path(tempfile.mkdtemp(prefix=f"{prefix}-{os.getpid()}-", dir=parent)))

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()


def temporary_file(target: Path) -> _Temporary:
    """An empty file beside `target`, to be renamed to it; removes those of dead processes.

    Raises OSError.
    """
    prefix = f".{target.name[:200]}"
    remove_abandoned(target.parent, prefix)
    handle, name = tempfile.mkstemp(
        prefix=f"{prefix}-{os.getpid()}-", suffix=target.suffix[:20], dir=target.parent
    )
    os.close(handle)
    return _Temporary(Path(name))


def remove_abandoned(parent: Path, prefix: str = PREFIX) -> None:
    """Removes the folders and files named PREFIX-PID-… in `parent` whose owners are dead.

    What cannot be removed stays; others' files are left alone.
    """
    # What tempfile appends is matched to the end: /tmp/edgernn-2026-11-29 is somebody's results.
    name = re.compile(rf"{re.escape(prefix)}-(\d{{1,10}})-[a-z0-9_]{{8}}(\..{{0,19}})?")
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            found = name.fullmatch(entry.name)
            if found is not None and not _is_alive(int(found[1])):
                _remove_unlocked(Path(entry.path))


def _is_alive(pid: int) -> bool:
    """Whether there is such a process; the answer is yes where we may not know."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _remove_unlocked(path: Path) -> None:
    """Removes what is ours and unlocked: of another container's process we see the lock alone."""
    with suppress(OSError):
        if path.is_symlink() or path.lstat().st_uid != os.getuid():
            return
        handle = _locked(path)
        if handle is not None:
            _removed(path, handle)


def _locked(path: Path) -> int | None:
    """A handle that holds the lock of a folder or file; None where somebody else has it.

    -1 where there are no such locks (some network shares).
    """
    try:
        import fcntl
    except ImportError:
        return -1
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError:
        os.close(handle)
        return -1
    return handle


def _removed(path: Path, handle: int | None) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    if handle is not None and handle >= 0:
        os.close(handle)
