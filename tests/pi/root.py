"""A file system of ARM Debian, as a Raspberry Pi has it, unpacked but never run while made.

arm64 is what Pis have today; armhf, of 32 bits, is what many still run.

Packages come through a private apt state, so that the architectures and lists of this machine stay
as they are.  Signatures are checked by apt as always.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from edgernn.folders import cache_folder

SUITE: Final = "bookworm"  # the names below hold for it: libssl3, python3.11
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

#: sshd, Python without pip, busybox: and what these are linked with.
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
#: What busybox stands in for.  No chpasswd, no mount: nobody administers this system.
APPLETS: Final = (
    *("sh", "ash", "cat", "ls", "ln", "cp", "mv", "rm", "mkdir", "rmdir", "touch", "chmod", "env"),
    *("echo", "printf", "test", "[", "true", "false", "kill", "sleep", "setsid", "uname", "id"),
    *("wc", "head", "tail", "grep", "sed", "awk", "tr", "cut", "sort", "find", "xargs", "df", "du"),
    *("ps", "date", "expr", "basename", "dirname", "readlink", "mktemp", "sha256sum", "taskset"),
    *("gzip", "gunzip", "tar", "nproc", "getconf", "stty", "tty", "who", "sync", "dd", "seq"),
)


class CannotBuild(Exception):
    """Why there is no file system: the reason of a skipped test."""


def root_folder(architecture: str = "arm64") -> Path:
    """The file system, made at first use and kept in the cache.  Raises CannotBuild."""
    key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    folder = cache_folder() / "emulated-pi" / f"{key}-{architecture}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as making:
            root = Path(making) / "root"
            libraries, more = ARCHITECTURES[architecture]
            _unpack(debian_packages(Path(making), architecture, (*PACKAGES, *more)), root)
            _link_programs(root)
            _link_chosen_libraries(root / "usr/lib" / libraries)
            try:
                root.rename(folder)
            except OSError:  # a parallel test run was faster
                if not folder.is_dir():
                    raise
    return folder


def debian_packages(folder: Path, architecture: str, names: tuple[str, ...]) -> list[Path]:
    """Downloads packages into `folder`, whatever this machine's own architecture is."""
    if not KEYRING.is_file() or not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise CannotBuild("it is made from Debian packages, and this is no Debian")
    settings = _private_state(folder, architecture)
    options = [f"-o{name}={value}" for name, value in settings.items()]
    _must(["apt-get", *options, "update", "-qq"], "apt-get update")
    target = folder / "packages"
    target.mkdir()
    # As a sub-process of its own folder: `download` writes into the working directory.
    wanted = [f"{_real_name(options, name)}:{architecture}" for name in names]
    _must(["apt-get", *options, "download", "-qq", *wanted], "apt-get download", folder=target)
    return sorted(target.glob("*.deb"))


def _real_name(options: list[str], name: str) -> str:
    """A kernel's package has its version in its name; one without depends on the newest."""
    if not name.startswith("linux-image-"):
        return name
    told = subprocess.run(["apt-cache", *options, "depends", name], capture_output=True, text=True)
    found = re.search(r"Depends: (linux-image-\S+)", told.stdout)
    if found is None:
        raise CannotBuild(f"apt knows no kernel by the name of {name}")
    return found[1]


def _private_state(folder: Path, architecture: str) -> dict[str, str]:
    for name in ("state/lists/partial", "cache/archives/partial", "nothing"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    source = f"deb [arch={architecture} signed-by={KEYRING}] {_mirror()} {SUITE} main\n"
    (folder / "sources.list").write_text(source)
    return {
        "Dir::State": f"{folder}/state",
        "Dir::State::status": f"{folder}/status",
        "Dir::Cache": f"{folder}/cache",
        "Dir::Etc::sourcelist": f"{folder}/sources.list",
        "Dir::Etc::sourceparts": f"{folder}/nothing",
        "Dir::Etc::preferencesparts": f"{folder}/nothing",
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }


def _mirror() -> str:
    """Where this machine gets Debian from."""
    listed = subprocess.run(
        [
            *("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)"),
            "Created-By: Packages",
        ],
        capture_output=True,
        text=True,
    )
    mirrors = [line.split()[0] for line in listed.stdout.splitlines() if line.endswith(f" {SUITE}")]
    if not mirrors:
        raise CannotBuild(f"apt on this machine has no source for Debian {SUITE}")
    return mirrors[0]


def _must(argv: list[str], what: str, *, folder: Path | None = None) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, cwd=folder)
    if done.returncode != 0:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise CannotBuild(f"{what} failed: {reason}")


def _unpack(packages: list[Path], root: Path) -> None:
    for name in ("bin", "sbin", "lib"):  # Debian's merged /usr
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for package in packages:
        with subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE
        ) as tar:
            _untar(tar.stdout, root)
        if tar.returncode != 0:
            raise CannotBuild(f"{package.name} is damaged")
    for name in ("share/doc", "share/man", "share/locale", "share/lintian"):
        shutil.rmtree(root / "usr" / name, ignore_errors=True)


def _untar(stream, root: Path) -> None:
    argv = ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", str(root)]
    if subprocess.run(argv, stdin=stream).returncode != 0:
        raise CannotBuild("tar could not unpack a package")


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
