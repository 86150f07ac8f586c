"""A Raspberry Pi that is none: ARM programs run by qemu, a real sshd, a network of its own.

Everything lives in namespaces of one process: its mounts, its loopback, its processes vanish when
that is killed.  ssh reaches it through a ProxyCommand that enters the network, so that nothing
listens on this machine.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edgernn.folders import cache_folder
from tests.pi.boards import BOARDS, Board
from tests.pi.counter import PROGRAM, counter_folder
from tests.pi.root import CannotBuild, root_folder

CORES: Final = os.cpu_count() or 1  # of this machine: qemu shows them
BINFMT: Final = Path("/proc/sys/fs/binfmt_misc")
START_TIMEOUT_S: Final = 60.0
CRAMPED_KB: Final = 384  # the home of the user "cramped"

#: name -> uid.  nopython: python3 is not in the PATH; cramped: a home without room;
#: passwords: no keys are accepted; stranger: our key is not known; readonly: a home that is
#: somebody else's; jumpy: pi, whose programs see the wall clock that the file /etc/clock sets.
USERS: Final = {
    "pi": 1000,
    "nopython": 1001,
    "cramped": 1002,
    "passwords": 1003,
    "stranger": 1004,
    "readonly": 1005,
    "jumpy": 1000,
}

_SSHD: Final = """\
Port 22
ListenAddress 127.0.0.1
HostKey /etc/ssh/ssh_host_ed25519_key
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PidFile none
Subsystem sftp /usr/lib/openssh/sftp-server
SetEnv QEMU_CPU={cpu} QEMU_UNAME=6.1.0-rpi7-rpi-v8 PATH=/usr/local/bin:/usr/bin:/bin
Match User nopython
  SetEnv QEMU_CPU={cpu} QEMU_UNAME=6.1.0-rpi7-rpi-v8 PATH=/usr/bin:/bin
Match User passwords
  PubkeyAuthentication no
  PasswordAuthentication yes
Match User jumpy
  SetEnv QEMU_CPU={cpu} QEMU_UNAME=6.1.0-rpi7-rpi-v8 PATH=/usr/local/bin:/usr/bin:/bin \
LD_PRELOAD=/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1 \
XDG_CACHE_HOME=/home/pi/.cache FAKETIME_TIMESTAMP_FILE=/etc/clock FAKETIME_NO_CACHE=1 \
FAKETIME_DONT_FAKE_MONOTONIC=1
"""

#: Runs in the new namespaces as root: $1 the read-only root, $2 a folder of ours, $3 KiB,
#: $4 the processor, $5 the Python packages that were pushed before: they survive from run to run,
#: $6 what counts instructions.
_BOOT: Final = """\
set -eu
root=$1 own=$2 cramped_kb=$3 cpu=$4 packages=$5 counter=$6
ip link set lo up
mount -t tmpfs -o size=2g,mode=755 tmpfs "$own/layer"
mkdir "$own/layer/upper" "$own/layer/work"
cp -a "$own/files/." "$own/layer/upper/"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$own/layer/upper,workdir=$own/layer/work" \\
  "$own/merged"
cd "$own/merged"
mkdir -p proc dev/pts tmp run/sshd root sys
chmod 1777 tmp
mount -t proc proc proc
mount --bind "$own/files/etc/cpuinfo" proc/cpuinfo
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero random urandom tty full; do
  touch dev/$device; mount --bind /dev/$device dev/$device
done
ln -s /proc/self/fd dev/fd
mkdir dev/shm; mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o size=${cramped_kb}k,mode=700,uid=1002 tmpfs home/cramped
cp -a "$own/files/home/cramped/.ssh" home/cramped/
hostname emulated-pi
mkdir -p home/pi/.cache/edgernn/packages
chown -R 1000:1000 home/pi/.cache
mount --bind "$packages" home/pi/.cache/edgernn/packages
mkdir -p opt/counter
mount --bind "$counter" opt/counter
exec env QEMU_CPU="$cpu" chroot . /usr/sbin/sshd -D -e
"""


def reason_against(qemu: str = "qemu-aarch64") -> str | None:
    """Why there can be no emulated Pi on this machine, in words for a skipped test."""
    if os.geteuid() != 0:
        return "an emulated Pi needs root, for namespaces and mounts"
    for program, package in {
        f"{qemu}-static": "qemu-user-static",
        qemu: "qemu-user",
        "gcc": "gcc",
        "update-binfmts": "binfmt-support",
        "ssh": "openssh-client",
        "busybox": "busybox-static",
        "unshare": "util-linux",
        "ip": "iproute2",
    }.items():
        if not shutil.which(program):
            return f"{program} is missing: apt-get install {package}"
    if not _programs_of_arm_run(qemu):
        return "binfmt_misc cannot be had here, so that programs for ARM do not start"
    if subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "true"]).returncode != 0:
        return "namespaces cannot be had here"
    return None


def _programs_of_arm_run(qemu: str) -> bool:
    """Registers qemu with Debian's own tool, if nobody did; it stays registered."""
    if not (BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT], capture_output=True)
    entry = BINFMT / qemu
    if not entry.exists():
        subprocess.run(["update-binfmts", "--enable", qemu], capture_output=True)
    return entry.exists() and "enabled" in entry.read_text()


@dataclass(slots=True, kw_only=True)
class EmulatedPi:
    """Up after `up()`; `folder` holds keys, settings for ssh and the log of sshd."""

    folder: Path
    board: Board = BOARDS["4"]
    dies_with_parent: bool = True
    _unshare: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def ssh_command(self) -> str:
        """For EDGERNN_SSH."""
        return shlex.join(["ssh", "-F", str(self.ssh_config)])

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def pid(self) -> int:
        """Of what is killed to end it all."""
        assert self._unshare is not None
        return self._unshare.pid

    @property
    def inside(self) -> Path:
        """Its file system, as root of this machine sees it while it is up."""
        return Path(f"/proc/{self._first_process()}/root")

    def up(self) -> None:
        """Raises CannotBuild where it does not come up."""
        root = root_folder(self.board.architecture)
        self._write_files()
        log = (self.folder / "sshd.log").open("wb")
        dying = ["setpriv", "--pdeathsig", "KILL"] if self.dies_with_parent else []
        with log:
            self._unshare = subprocess.Popen(
                [
                    *dying,
                    *("unshare", "--mount", "--propagation", "private", "--uts", "--ipc", "--net"),
                    *("--pid", "--fork", "--kill-child", "sh", "-c", _BOOT, "sh"),
                    *(str(root), str(self.folder), str(CRAMPED_KB), self.board.cpu),
                    *(str(_kept_packages()), str(counter_folder(self.board.qemu))),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_it_listens()
        self._write_ssh_config()

    def down(self) -> None:
        if self._unshare is not None:
            self._unshare.kill()  # it swallows SIGTERM; its children get SIGKILL by --kill-child
            self._unshare.wait()
            self._unshare = None

    def enter_network(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of this machine in the Pi's network."""
        argv = ["nsenter", f"--net=/proc/{self._first_process()}/ns/net", *command]
        return subprocess.run(argv, capture_output=True, text=True, check=True)

    def _first_process(self) -> int:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return int(children[0])

    def _write_files(self) -> None:
        for name in ("layer", "merged", "files/etc/ssh", "files/usr/bin", "files/home"):
            (self.folder / name).mkdir(parents=True)
        files = self.folder / "files"
        generate_key(self.folder / "user_key", "user of the emulated Pi")
        generate_key(files / "etc/ssh/ssh_host_ed25519_key", "emulated Pi")
        (files / "etc/ssh/sshd_config").write_text(_SSHD.format(cpu=self.board.cpu))
        (files / "etc/edgernn-emulated").write_text(f"qemu-user\ncounter: {PROGRAM}\n")
        (files / "etc/hostname").write_text("emulated-pi\n")
        board = self.board
        cores = "".join(f"processor\t: {number}\n{board.core}\n" for number in range(CORES))
        (files / "etc/cpuinfo").write_text(f"{cores}Model\t\t: {board.model}\n")
        (files / "etc/os-release").write_text('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
        (files / "etc/throttled").write_text("throttled=0x0\n")
        (files / "etc/clock").write_text("+0\n")
        vcgencmd = files / "usr/bin/vcgencmd"
        vcgencmd.write_text("#!/bin/sh\ncat /etc/throttled\n")
        vcgencmd.chmod(0o755)
        model = files / "sys/firmware/devicetree/base"
        model.mkdir(parents=True)
        (model / "model").write_bytes(board.model.encode() + b"\0")
        cpus = files / "sys/devices/system/cpu"
        cpus.mkdir(parents=True)
        for name in ("online", "possible", "present"):
            (cpus / name).write_text(f"0-{CORES - 1}\n" if CORES > 1 else "0\n")
        zone = files / "sys/class/thermal/thermal_zone0"
        zone.mkdir(parents=True)
        (zone / "temp").write_text("48312\n")
        self._write_users(files)

    def _write_users(self, files: Path) -> None:
        accounts = {"root": 0, "sshd": 100, **USERS}
        (files / "etc/passwd").write_text(
            "".join(
                f"{name}:x:{uid}:{uid}::{'/root' if uid == 0 else f'/home/{name}'}:/bin/sh\n"
                for name, uid in accounts.items()
            )
        )
        (files / "etc/group").write_text("".join(f"{n}:x:{u}:\n" for n, u in accounts.items()))
        # "*" is no password's hash: nobody can log in by password, but the account is not locked.
        (files / "etc/shadow").write_text("".join(f"{n}:*:19700::::::\n" for n in accounts))
        (files / "etc/shadow").chmod(0o600)
        for name, uid in USERS.items():
            home = files / "home" / name
            ssh = home / ".ssh"
            ssh.mkdir(parents=True)
            keys = ssh / "authorized_keys"
            keys.write_text(
                "" if name == "stranger" else (self.folder / "user_key.pub").read_text()
            )
            for path, mode in ((home, 0o755), (ssh, 0o700), (keys, 0o600)):
                path.chmod(mode)
                if name != "readonly" or path != home:
                    os.chown(path, uid, uid)

    def _wait_until_it_listens(self) -> None:
        end = time.monotonic() + START_TIMEOUT_S
        log = self.folder / "sshd.log"
        assert self._unshare is not None
        while "Server listening" not in log.read_text(errors="replace"):
            if self._unshare.poll() is not None or time.monotonic() > end:
                self.down()
                raise CannotBuild(f"its sshd did not start: {log.read_text()[-300:]}")
            time.sleep(0.05)

    def _write_ssh_config(self) -> None:
        public = (self.folder / "files/etc/ssh/ssh_host_ed25519_key.pub").read_text()
        self.known_hosts.write_text(f"emulated {public}")
        wrong = (self.folder / "user_key.pub").read_text()
        (self.folder / "wrong_known_hosts").write_text(f"impostor {wrong}")
        enter = f"nsenter --net=/proc/{self._first_process()}/ns/net busybox nc 127.0.0.1 22"
        self.ssh_config.write_text(
            "Host emulated\n"
            f"  ProxyCommand {enter}\n"
            f"  UserKnownHostsFile {self.known_hosts}\n"
            "Host unknown\n"
            f"  ProxyCommand {enter}\n"
            f"  UserKnownHostsFile {self.folder}/no_known_hosts\n"
            "Host impostor\n"
            f"  ProxyCommand {enter}\n"
            f"  UserKnownHostsFile {self.folder}/wrong_known_hosts\n"
            "Host nobody\n"
            "  ProxyCommand false\n"
            "Host *\n"
            f"  IdentityFile {self.folder}/user_key\n"
            "  IdentitiesOnly yes\n"
            "  IdentityAgent none\n"
            "  GlobalKnownHostsFile none\n"
        )


def _kept_packages() -> Path:
    folder = cache_folder() / "emulated-pi" / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    os.chown(folder, USERS["pi"], USERS["pi"])
    return folder


def generate_key(path: Path, comment: str) -> None:
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


if sys.platform != "linux":
    raise CannotBuild("namespaces are a thing of Linux")
