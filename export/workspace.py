"""The folder that an export works in, until all its files are ready."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from edgernn.errors import (
    OutputError,
)
from edgernn.interrupts import uninterrupted
from edgernn.temporary import TemporaryFolder


@contextmanager
def workspace(out: Path) -> Iterator[Path]:
    """A hidden folder inside `out`, gone afterwards; `out` too if it was made in vain, whenever
    Ctrl-C comes.
    """
    made_here = [folder for folder in (out, *out.parents) if not folder.exists()]
    with ExitStack() as stack:
        with uninterrupted(), writing_to(out):
            stack.callback(_remove_empty, made_here)
            out.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(TemporaryFolder(prefix=".edgernn", parent=out))
        yield folder


def _remove_empty(folders: Sequence[Path]) -> None:
    """Removes `folders`, the innermost first, up to one that holds something."""
    for folder in folders:
        if folder.exists():
            if any(folder.iterdir()):
                return
            folder.rmdir()


@contextmanager
def writing_to(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write to {out}: {error.strerror or error}",
            remedy="Choose another folder with -o, or free some room",
        ) from error
