"""Objects of C files, compiled once for all tests of a run that want the same.

Most of the time of the C tests is that of compilers: the library is built for many processors, and
many tests need the same build.  The workers of a run share one folder, see `shared_by_workers`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

#: Names the folder to the workers of a run.
_SHARED: Final = "EDGERNN_TEST_OBJECTS"


@contextmanager
def shared_by_workers() -> Iterator[None]:
    """Workers that are started within share a folder of objects; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="edgernn-objects-") as folder:
        os.environ[_SHARED] = folder
        try:
            yield
        finally:
            del os.environ[_SHARED]


def compiled(
    command: Sequence[str], sources: Sequence[Path], *, headers: Sequence[Path], folder: Path
) -> list[Path]:
    """The object of each source; in `folder` where no run shares its objects.

    `command` is a compiler with its flags, `headers` are the folders of what the sources include.
    What the compiler said is beside each object, see `warnings_of`.
    """
    shared = Path(os.environ.get(_SHARED, folder))
    flags = [*command, *(f"-I{place}" for place in headers)]
    places = sorted({*headers, *(source.parent for source in sources)})
    known = [path.read_bytes() for place in places for path in sorted(place.glob("*.h"))]
    return [_object(flags, source, known, shared) for source in sources]


def warnings_of(objects: Sequence[Path]) -> str:
    """What the compiler said about sources of `compiled`."""
    return "".join(path.with_suffix(".said").read_text() for path in objects)


def _object(flags: Sequence[str], source: Path, known: Sequence[bytes], shared: Path) -> Path:
    """Named as its source, in a folder named after all that it is made of."""
    key = hashlib.sha256()
    for part in (*(flag.encode() for flag in flags), *known, source.read_bytes()):
        key.update(len(part).to_bytes(8, "little") + part)
    place = shared / key.hexdigest()[:24]
    place.mkdir(parents=True, exist_ok=True)
    made, said = place / f"{source.stem}.o", place / f"{source.stem}.said"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker may be compiling it
        if not said.exists():
            command = [*flags, "-c", str(source), "-o", str(made)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=600)
            assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
            said.write_text(done.stdout + done.stderr)
    return made
