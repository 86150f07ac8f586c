"""Files that are whole or absent: written under a temporary name, then renamed, all or none."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final

from edgernn.errors import OutputError
from edgernn.interrupts import uninterrupted
from edgernn.temporary import TemporaryFolder, temporary_file

#: The mask belongs to all threads, and can only be looked at by changing it.
_LOOKING: Final = threading.Lock()


def write_bytes(path: Path, content: bytes) -> None:
    """Writes `content` to `path`, making parent folders; never leaves a part of it.

    Raises OutputError where there is no permission, no room, or no folder.
    """
    with staged(path) as temporary:
        temporary.write_bytes(content)


def require_writable(path: Path) -> None:
    """Raises OutputError as write_bytes would now; for long before there is something to write."""
    with _writing(path):
        _require_no_folder(path)
        nearest = next(folder for folder in path.absolute().parents if folder.exists())
        with tempfile.NamedTemporaryFile(dir=nearest, prefix=".edgernn-"):
            pass


def make_folder(folder: Path) -> None:
    """Makes it and those above it, where they are not there.  Raises OutputError."""
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No other process is in such a block for `folder` meanwhile; makes the folder.

    Held by the folder itself, so that nothing is left behind.  Where there are no such locks
    (Windows, some network shares) the block runs all the same.  Raises OutputError.
    """
    make_folder(folder)
    try:
        import fcntl
    except ImportError:
        yield
        return
    with _writing(folder):
        handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that becomes `path` when the block ends without error.

    Raises OutputError as write_bytes does; removes the temporary file on any error or Ctrl-C.
    """
    with staged_together([path]) as (temporary,):
        yield temporary


@contextmanager
def staged_together(
    paths: Sequence[Path],
    *,
    along: Mapping[Path, Path] = MappingProxyType({}),
    gone: Sequence[Path] = (),
) -> Iterator[tuple[Path, ...]]:
    """A temporary path beside each of `paths`; when the block ends without error, all take effect.

    So do `along` and `gone`, see replace_together.
    Raises OutputError as write_bytes does; then every earlier file is there as it was.
    """
    with ExitStack() as stack:
        temporaries = []
        for path in paths:
            with _writing(path):
                _require_no_folder(path)
                path.parent.mkdir(parents=True, exist_ok=True)
                file = temporary_file(path)
                temporaries.append(file.path)
                stack.callback(file.remove)
        with _writing(paths[0]):
            yield tuple(temporaries)
        for temporary in temporaries:
            temporary.chmod(0o666 & ~_umask())
        replace_together({**along, **dict(zip(paths, temporaries, strict=True))}, gone=gone)


def replace_together(files: Mapping[Path, Path], *, gone: Sequence[Path] = ()) -> None:
    """Renames each file to its target (a key), and removes `gone` where they are: all or nothing.

    The files lie on their targets' file system.  What was there before comes back when anything
    fails, and no reader ever misses it; Ctrl-C waits.  When this returns, all has reached the disk.
    Raises OutputError.
    """
    targets = (*files, *gone)
    with uninterrupted(), ExitStack() as kept, ExitStack() as undo:
        for target, file in files.items():
            with _writing(target):
                _sync(file)
        earlier: dict[Path, Path] = {}
        for target in targets:
            with _writing(target):
                _require_no_folder(target)
                if len(targets) > 1 and os.path.lexists(target):  # one rename is whole by itself
                    folder = TemporaryFolder(prefix=".edgernn", parent=target.parent)
                    earlier[target] = kept.enter_context(folder) / target.name
                    _keep(target, earlier[target])
        for target in targets:
            with _writing(target):
                if target in files:
                    files[target].replace(target)
                else:
                    target.unlink(missing_ok=True)
                if target in earlier:
                    undo.callback(earlier[target].replace, target)
                else:
                    undo.callback(target.unlink, missing_ok=True)
        for parent in {target.parent for target in targets}:
            with _writing(parent):
                _sync(parent)
        undo.pop_all()


def _require_no_folder(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a folder of that name is there")


def _keep(file: Path, copy: Path) -> None:
    try:
        copy.hardlink_to(file)
    except OSError:  # FAT and some network shares know no hard links
        shutil.copy2(file, copy, follow_symlinks=False)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}",
            remedy="Choose another folder with -o, or free some room",
        ) from error


def _umask() -> int:
    with _LOOKING:
        mask = os.umask(0)
        os.umask(mask)
    return mask
