"""Android's folders with a shell, for x86-64 and for 64-bit ARM: a file system of three megabytes.

Android's shell is mksh; busybox stands in for toybox.  Properties are files, so that a test can
change one while the device is up.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgernn.folders import cache_folder
from tests import debian_packages
from tests.debian_packages import CannotBuild, fetched, unpack

__all__ = ["ABIS", "Abi", "CannotBuild", "foreign_programs", "make_root", "programs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Abi:
    """A kind of phone, by its processor."""

    debian: str  # what Debian calls it
    machine: str  # what `uname -m` says
    elf_machine: int  # e_machine of the programs that belong there
    properties: Mapping[str, str]
    emulated: str  # what a report says in place of times
    cpuinfo: str = ""  # in place of this machine's
    environment: Mapping[str, str]  # of every command


_PROPERTIES: Final = {
    "ro.build.version.release": "14",
    "ro.build.version.sdk": "34",
    "sys.boot_completed": "1",
}
ABIS: Final = {
    "x86_64": Abi(
        debian="amd64",
        machine="x86_64",
        elf_machine=62,
        properties={
            **_PROPERTIES,
            "ro.product.model": "Loopback phone",
            "ro.build.fingerprint": "edgernn/loopback:14",
            "ro.product.cpu.abilist": "x86_64",
            "ro.board.platform": "loopback",
        },
        emulated="a loopback device, which is the computer itself",
        environment={},
    ),
    "arm64": Abi(
        debian="arm64",
        machine="aarch64",
        elf_machine=183,
        properties={
            **_PROPERTIES,
            "ro.product.model": "Loopback phone, ARM",
            "ro.build.fingerprint": "edgernn/loopback_arm64:14",
            "ro.product.cpu.abilist": "arm64-v8a",
            "ro.soc.model": "QEMU-A76",
            "ro.board.platform": "loopback",
        },
        emulated="qemu-user",
        cpuinfo="".join(
            f"processor\t: {core}\nBogoMIPS\t: 38.40\n"
            "Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid "
            "asimdrdm lrcpc dcpop asimddp\n"
            "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x4\n"
            "CPU part\t: 0xd0b\nCPU revision\t: 1\n\n"
            for core in range(os.cpu_count() or 1)
        ),
        # Not qemu's default, which has features that no phone has, and other int8 results.
        environment={"QEMU_CPU": "cortex-a76", "QEMU_UNAME": "6.1.0-android14-loopback"},
    ),
}
#: Not grep's or find's own programs: toybox has them as applets too.
APPLETS: Final = (
    *("cat", "chmod", "cp", "cut", "env", "find", "grep", "gzip", "head", "kill", "ln", "ls"),
    *("mkdir", "mv", "readlink", "rm", "setsid", "sleep", "taskset", "touch", "uname", "wc"),
    *("true", "sed", "printf"),  # mksh has no printf of its own
)
_GETPROP: Final = """\
#!/system/bin/sh
property=/system/properties/$1
if [ -f "$property" ]; then echo "$(<"$property")"; else echo; fi
"""
_DUMPSYS: Final = """\
#!/system/bin/sh
exec cat "/system/dumpsys/$1"
"""
_BATTERY: Final = """\
Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  status: 2
  health: 2
  present: true
  level: 84
  scale: 100
  temperature: 273
"""


def make_root(root: Path, abi: Abi) -> None:
    """Raises CannotBuild where the programs cannot be had."""
    source = programs(abi)
    bin_folder = root / "system/bin"
    for folder in ("system/bin", "system/properties", "system/dumpsys", "system/etc"):
        (root / folder).mkdir(parents=True)
    for folder in ("data/local/tmp", "proc", "dev"):
        (root / folder).mkdir(parents=True)
    (root / "etc").symlink_to("system/etc")
    for name in ("busybox", "sh"):
        shutil.copy(source / name, bin_folder / name)
    for name in APPLETS:
        (bin_folder / name).symlink_to("busybox")
    for name, text in {"getprop": _GETPROP, "dumpsys": _DUMPSYS}.items():
        (bin_folder / name).write_text(text)
        (bin_folder / name).chmod(0o755)
    for name, value in abi.properties.items():
        (root / "system/properties" / name).write_text(f"{value}\n")
    (root / "system/dumpsys/battery").write_text(_BATTERY)
    (root / "system/etc/edgernn-emulated").write_text(f"{abi.emulated}\n")
    (root / "system/cpuinfo").write_text(abi.cpuinfo or Path("/proc/cpuinfo").read_text())


def foreign_programs(folder: Path, abi: Abi) -> list[str]:
    """Names of ELF files of another processor.

    This machine would run its own programs in a root of ARM, and qemu those of ARM in one of
    x86-64: whoever pushes the wrong one must not get away with it.
    """
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as content:
                header = content.read(20)
            is_elf = len(header) == 20 and header.startswith(b"\x7fELF")
            if is_elf and struct.unpack_from("<H", header, 18)[0] != abi.elf_machine:
                found.append(path.name)
    return found


def programs(abi: Abi) -> Path:
    """A folder with `busybox` and `sh`, made at first use and kept in the cache."""
    sources = (Path(__file__), Path(debian_packages.__file__))
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    folder = cache_folder() / "loopback-android" / f"{key}-{abi.debian}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as making:
        made = Path(making) / "programs"
        made.mkdir()
        busybox, shell = _own() if abi.machine == platform.machine() else _of_debian(abi, making)
        shutil.copy(busybox, made / "busybox")
        shutil.copy(shell, made / "sh")
        try:
            made.rename(folder)
        except OSError:  # a parallel test run was faster
            if not folder.is_dir():
                raise
    return folder


def _own() -> tuple[Path, Path]:
    """This machine's."""
    found = {}
    for program, package in {"busybox": "busybox-static", "mksh-static": "mksh"}.items():
        path = shutil.which(program)
        if path is None:
            raise CannotBuild(f"{program} is missing: apt-get install {package}")
        found[program] = Path(path)
    return found["busybox"], found["mksh-static"]


def _of_debian(abi: Abi, folder: str) -> tuple[Path, Path]:
    root = Path(folder) / "root"
    packages = fetched(("busybox-static", "mksh"), architecture=abi.debian, folder=Path(folder))
    unpack(packages, root)
    shell = (root / "bin/mksh-static").readlink()  # to an absolute path in that root
    return root / "bin/busybox", root / shell.relative_to("/")
