"""The namespaces that a loopback device lives in: its mounts, its processes, a user without rights.

One process holds them; when that is killed, everything in there is gone.  No root is needed.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.android.root import Abi, CannotBuild, programs

#: $1 the root, $2 KiB of a disk of its own, or 0.  The last line buries what nobody waits for.
_BOOT: Final = """\
set -eu
root=$1
mount -t proc proc "$root/proc"
mount --bind "$root/system/cpuinfo" "$root/proc/cpuinfo"
mount --rbind /dev "$root/dev"
if [ "$2" != 0 ]; then
  mount -t tmpfs -o "size=$2k" tmpfs "$root/data"
  mkdir -p "$root/data/local/tmp"
fi
echo up
while :; do sleep 600; done
"""
_UNSHARE: Final = (
    *("unshare", "-Urmpf", "--propagation", "private", "--kill-child"),
    *("sh", "-c", _BOOT, "sh"),
)


class Space:
    """Entered, the device's own processes can be started."""

    def __init__(self, root: Path, abi: Abi, *, data_kb: int = 0) -> None:
        """`data_kb`: the size of /data as a disk of its own; 0: as large as this machine's."""
        self._root = root
        self._abi = abi
        self._data_kb = data_kb
        self._unshare: subprocess.Popen[str] | None = None

    def up(self) -> None:
        """Raises CannotBuild where this machine does not let us."""
        self._unshare = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *_UNSHARE, str(self._root), str(self._data_kb)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self._unshare.stdout is not None
        said = self._unshare.stdout.readline().strip()
        if said != "up":
            self.down()
            raise CannotBuild(f"namespaces cannot be had here: {said}")

    def down(self) -> None:
        if self._unshare is not None:
            self._unshare.kill()
            self._unshare.wait()
            assert self._unshare.stdout is not None
            self._unshare.stdout.close()

    @property
    def inside(self) -> Path:
        """The device's file system as the device sees it."""
        return Path(f"/proc/{self._first_process()}/root{self._root}")

    def entering(self, line: str) -> list[str]:
        """The program and arguments that run a line in the device's shell.

        Of a user's rights only chroot is kept: neither the shell of a phone is root.
        """
        environment = {
            "PATH": "/system/bin",
            "TMPDIR": "/data/local/tmp",
            **self._abi.environment,
        }
        return [
            *("nsenter", "--target", str(self._first_process())),
            *("--user", "--mount", "--pid", "--preserve-credentials"),
            *("setpriv", "--bounding-set", "-all,+sys_chroot"),
            *("chroot", str(self._root), "/system/bin/env", "-i"),
            *(f"{name}={value}" for name, value in environment.items()),
            *("/system/bin/sh", "-c", line),
        ]

    def running(self, words: str) -> list[int]:
        """Processes in there whose command line begins with these words."""
        mine = Path(f"/proc/{self._first_process()}/ns/pid").readlink()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                inside = (folder / "ns/pid").readlink() == mine
                line = (folder / "cmdline").read_bytes() if inside else b""
            except OSError:  # it has ended meanwhile
                continue
            if line.replace(b"\0", b" ").startswith(words.encode()):
                found.append(int(folder.name))
        return found

    def _first_process(self) -> int:
        assert self._unshare is not None
        pid = self._unshare.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def reason_against(abi: Abi) -> str | None:
    """Why there can be no such device on this machine, in words for a skipped test."""
    for program, package in {
        "adb": "adb",
        "busybox": "busybox-static",
        "mksh-static": "mksh",
        "unshare": "util-linux",
        "setpriv": "util-linux",
    }.items():
        if not shutil.which(program):
            return f"{program} is missing: apt-get install {package}"
    if _exit_code("unshare", "-Urmpf", "true") != 0:
        return "user namespaces cannot be had here"
    try:
        busybox = str(programs(abi) / "busybox")
    except CannotBuild as reason:
        return str(reason)
    if _exit_code(busybox, "true") == 0:
        return None
    # Nobody has told the kernel of qemu yet: Debian's own tool does, and it stays registered.
    _exit_code("mount", "-t", "binfmt_misc", "binfmt_misc", "/proc/sys/fs/binfmt_misc")
    _exit_code("update-binfmts", "--enable", f"qemu-{abi.machine}")
    if _exit_code(busybox, "true") != 0:
        return f"programs for {abi.machine} do not start here: apt-get install qemu-user-static"
    return None


def _exit_code(*argv: str) -> int:
    try:
        return subprocess.run(argv, capture_output=True, timeout=60).returncode
    except OSError:  # of another processor, or not there
        return 127
