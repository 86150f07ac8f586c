"""Data in Debian packages: a pinned release, downloaded, checked by its SHA-256, never installed.

A .deb is an `ar` archive with a compressed tar archive in it.  Both are read here, so no tool of
Debian is needed.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from typing import Final

from edgernn.errors import DownloadError
from edgernn.folders import cache_folder
from edgernn.tasks.download import Notify, silent

#: The address of another mirror.
#: Before each further attempt: a mirror may be busy for a moment.
_PAUSES_S: Final = (1.0, 4.0)

MIRROR_VARIABLE: Final = "EDGERNN_DEBIAN_MIRROR"
MIRROR: Final = "https://deb.debian.org/debian"

_PATIENCE_S: Final = 60.0
_AR_MAGIC: Final = b"!<arch>\n"
_AR_HEADER_BYTES: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One release of a Debian package, and the file to read from it."""

    pool: str  # its path on a mirror
    sha256: str  # of the .deb, as Debian's own index states it
    size_bytes: int
    member: str  # "usr/share/dict/french"

    @property
    def file(self) -> str:
        return self.pool.rpartition("/")[2]


def fetch_package(wanted: Package, *, notify: Notify = silent) -> bytes:
    """The content of the package's member.

    A .deb that the user put into the cache folder is used like a download.
    Raises DownloadError if the package is not available or not the expected one.
    """
    by_hand = cache_folder() / wanted.file
    if by_hand.is_file():
        content, origin = by_hand.read_bytes(), str(by_hand)
    else:
        origin = f"{os.environ.get(MIRROR_VARIABLE) or MIRROR}/pool/{wanted.pool}"
        notify(f"downloading {wanted.file}")
        content = _downloaded(origin, wanted)
    if hashlib.sha256(content).hexdigest() != wanted.sha256:
        raise DownloadError(
            f"{origin} has the wrong SHA-256",
            remedy=f"Get {wanted.file} from {MIRROR}, or set {MIRROR_VARIABLE} to another mirror",
        )
    return _member(content, wanted)


def _downloaded(url: str, wanted: Package, pauses_s: tuple[float, ...] = _PAUSES_S) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise DownloadError(
            f"{url} is no address of the web", remedy=f"Set {MIRROR_VARIABLE} to one, or unset it"
        )
    try:
        return _read(url, wanted)
    except (OSError, ValueError, HTTPException) as error:
        if not pauses_s:
            raise _unreachable(url, wanted, error) from error
    time.sleep(pauses_s[0])
    return _downloaded(url, wanted, pauses_s[1:])


def _read(url: str, wanted: Package) -> bytes:
    with urllib.request.urlopen(url, timeout=_PATIENCE_S) as answer:  # noqa: S310
        return bytes(answer.read(wanted.size_bytes + 1))  # a byte more is another file


def _unreachable(url: str, wanted: Package, error: Exception) -> DownloadError:
    reason = getattr(error, "reason", None) or error
    return DownloadError(
        f"{wanted.file} (a data set) is not in the cache and {url} cannot be read: {reason}",
        remedy=f"Connect to the network or set {MIRROR_VARIABLE}; or get the file on a machine "
        f"with a network and put it into {cache_folder()}",
    )


def _member(package: bytes, wanted: Package) -> bytes:
    for name, content in _ar_members(package):
        if name.startswith("data.tar"):
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                files = {entry.name.removeprefix("./"): entry for entry in archive}
                if wanted.member in files and files[wanted.member].isfile():
                    file = archive.extractfile(files[wanted.member])
                    return b"" if file is None else file.read()
    raise DownloadError(
        f"{wanted.file} does not contain {wanted.member}", remedy="Report this as a fault"
    )


def _ar_members(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of each; the header has 16 bytes of name and, at 48, ten digits of size."""
    place = len(_AR_MAGIC)
    while place + _AR_HEADER_BYTES <= len(archive):
        header = archive[place : place + _AR_HEADER_BYTES]
        size, place = int(header[48:58]), place + _AR_HEADER_BYTES
        yield header[:16].decode().rstrip(" /"), archive[place : place + size]
        place += size + size % 2
