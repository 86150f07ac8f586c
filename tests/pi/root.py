"""A file system of ARM Debian, as a Raspberry Pi has it: unpacked, never run while made.

arm64 is what Pis have today; armhf, of 32 bits, is what many still run.
"""

from __future__ import annotations

import compileall
import hashlib
import os
import sys
import tempfile
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Final

from edgernn.folders import cache_folder
from tests import debian_packages
from tests.debian_packages import CannotBuild, fetched, unpack

__all__ = ["CannotBuild", "root_folder"]

#: sshd, Python without pip, busybox: and what these are linked with, as bookworm names them.
PACKAGES: Final = (
    *("libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libexpat1", "libssl3", "libffi8"),
    *("libbz2-1.0", "liblzma5", "libuuid1", "python3.11-minimal", "libpython3.11-minimal"),
    *("libpython3.11-stdlib", "busybox-static", "openssh-sftp-server", "openssh-server"),
    *("libaudit1", "libcap-ng0", "libpam0g", "libselinux1", "libpcre2-8-0", "libcom-err2"),
    *("libcrypt1", "libgssapi-krb5-2", "libkrb5-3", "libk5crypto3", "libkrb5support0"),
    *("libkeyutils1", "libsystemd0", "liblz4-1", "libzstd1", "libgcrypt20", "libgpg-error0"),
    *("libcap2", "libwrap0", "libnsl2", "libtirpc3"),
    "libfaketime",  # a wall clock that jumps, for programs that are linked dynamically
)
#: Debian's architecture -> the folder of its libraries, and what only it needs.  There are no
#: numpy wheels for 32-bit ARM: who runs Python models there has Debian's numpy.
ARCHITECTURES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "arm64": ("aarch64-linux-gnu", ()),
    "armhf": (
        "arm-linux-gnueabihf",
        ("python3-numpy", "libblas3", "liblapack3", "libgfortran5"),
    ),
}
#: Of bookworm.
PYTHON: Final = (3, 11)
#: What busybox stands in for.  No chpasswd, no mount: nobody administers this system.
APPLETS: Final = (
    *("sh", "ash", "cat", "ls", "ln", "cp", "mv", "rm", "mkdir", "rmdir", "touch", "chmod", "env"),
    *("echo", "printf", "test", "[", "true", "false", "kill", "sleep", "setsid", "uname", "id"),
    *("wc", "head", "tail", "grep", "sed", "awk", "tr", "cut", "sort", "find", "xargs", "df", "du"),
    *("ps", "date", "expr", "basename", "dirname", "readlink", "mktemp", "sha256sum", "taskset"),
    *("gzip", "gunzip", "tar", "nproc", "getconf", "stty", "tty", "who", "sync", "dd", "seq"),
)


def root_folder(architecture: str = "arm64") -> Path:
    """The file system, made at first use and kept in the cache.  Raises CannotBuild."""
    sources = (Path(__file__), Path(debian_packages.__file__))
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    folder = cache_folder() / "emulated-pi" / f"{key}-{architecture}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as making:
            root = Path(making) / "root"
            libraries, more = ARCHITECTURES[architecture]
            names = (*PACKAGES, *more)
            unpack(fetched(names, architecture=architecture, folder=Path(making)), root)
            _link_programs(root)
            _link_chosen_libraries(root / "usr/lib" / libraries)
            _compile(root)
            try:
                root.rename(folder)
            except OSError:  # a parallel test run was faster
                if not folder.is_dir():
                    raise
    return folder


def _link_programs(root: Path) -> None:
    for name in APPLETS:
        link = root / "usr/bin" / name
        if not os.path.lexists(link):
            link.symlink_to("busybox")
    # Only in /usr/local/bin: a PATH without it is a system that has no Python.
    (root / "usr/local/bin").mkdir(parents=True, exist_ok=True)
    (root / "usr/local/bin/python3").symlink_to("/usr/bin/python3.11")


def _link_chosen_libraries(libraries: Path) -> None:
    """Debian lets its alternatives system choose a BLAS; no script of a package runs here."""
    for name in ("blas", "lapack"):
        if (libraries / name).is_dir():
            (libraries / f"lib{name}.so.3").symlink_to(f"{name}/lib{name}.so.3")


def _compile(root: Path) -> None:
    """What Debian's packages do when they are installed.

    Without it each Python there compiles the modules that it imports, which takes most of its time:
    nobody may write into these folders.
    """
    if sys.version_info[:2] != PYTHON:
        return  # its bytecode would be another one's
    for folder in ("usr/lib/python3.11", "usr/lib/python3"):
        compileall.compile_dir(
            root / folder,
            quiet=2,
            stripdir=str(root),
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )
