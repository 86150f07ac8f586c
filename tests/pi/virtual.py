"""A whole 64-bit ARM computer in qemu: Debian's kernel, our file system, sshd.

Slower than the emulated Pi, whose kernel is this machine's own, and nearer to a real one: memory is
its own, and by -icount its clock counts instructions (2 ns each), so that the same run takes the
same time whatever else this machine does.  It is no Pi's time nevertheless.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edgernn.folders import cache_folder
from tests.debian_packages import fetched
from tests.pi.emulated import generate_key
from tests.pi.initramfs import packed
from tests.pi.root import CannotBuild, root_folder

PROGRAM: Final = "qemu-system-aarch64"
PACKAGE: Final = "qemu-system-arm"
CPU: Final = "cortex-a72"  # a Pi 4's
KERNEL: Final = "linux-image-cloud-arm64"
MEMORY_MB: Final = 2048
LIFE_S: Final = 2 * 60 * 60  # then it ends by itself
START_TIMEOUT_S: Final = 180.0
HOMES: Final = {"home/pi": 1000}
#: In the order in which they need each other.
MODULES: Final = (
    *("drivers/virtio/virtio", "drivers/virtio/virtio_ring", "drivers/virtio/virtio_mmio"),
    *("net/core/failover", "drivers/net/net_failover", "drivers/net/virtio_net"),
)

#: The addresses are those of qemu's user network.  When sshd ends the kernel panics, and qemu ends.
_INIT: Final = """\
#!/bin/sh
export PATH=/usr/local/bin:/usr/bin:/bin
busybox mount -t devtmpfs devtmpfs /dev
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
mkdir -p /dev/pts /dev/shm /run/sshd
busybox mount -t devpts devpts /dev/pts
busybox mount -t tmpfs -o mode=1777 tmpfs /dev/shm
for module in /modules/*.ko; do busybox insmod "$module"; done
busybox hostname virtual-pi
busybox ip link set lo up
busybox ip addr add 10.0.2.15/24 dev eth0
busybox ip link set eth0 up
busybox ip route add default via 10.0.2.2
exec /usr/sbin/sshd -D -e
"""

_SSHD: Final = """\
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PidFile none
Subsystem sftp /usr/lib/openssh/sftp-server
SetEnv PATH=/usr/local/bin:/usr/bin:/bin
"""


def reason_against() -> str | None:
    """Why there can be no virtual Pi on this machine."""
    for program, package in {PROGRAM: PACKAGE, "ssh": "openssh-client"}.items():
        if not shutil.which(program):
            return f"{program} is missing: apt-get install --no-install-recommends {package}"
    return None


def install_qemu() -> None:
    """As root.  It is not among `make system`, since only this needs it and it is large."""
    if shutil.which(PROGRAM) or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    subprocess.run(
        ["apt-get", "install", "-qq", "-y", "--no-install-recommends", PACKAGE],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdout=subprocess.DEVNULL,
        check=False,  # what is missing then is told by reason_against
    )


@dataclass(slots=True, kw_only=True)
class VirtualPi:
    """Up after `up()`; `folder` holds keys, settings for ssh and what the kernel says."""

    folder: Path
    dies_with_parent: bool = True
    _qemu: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def ssh_command(self) -> str:
        """For EDGERNN_SSH."""
        return shlex.join(["ssh", "-F", str(self.folder / "ssh_config")])

    @property
    def pid(self) -> int:
        """Of what is killed to end it all."""
        assert self._qemu is not None
        return self._qemu.pid

    def up(self) -> None:
        """Raises CannotBuild where it does not come up."""
        base = _base_folder()
        initrd = self.folder / "initrd"
        initrd.write_bytes((base / "initrd").read_bytes() + self._own_files())
        port = _free_port()
        dying = ["setpriv", "--pdeathsig", "KILL"]
        with (self.folder / "qemu.log").open("wb") as log:
            self._qemu = subprocess.Popen(
                [
                    *(dying if self.dies_with_parent else ()),
                    *("timeout", "--foreground", "--signal=KILL", str(LIFE_S), *dying),
                    *(PROGRAM, "-M", "virt", "-cpu", CPU, "-smp", "1", "-m", str(MEMORY_MB)),
                    *("-icount", "shift=1,sleep=on"),  # without sleep, ssh's time-outs fly by
                    *("-kernel", str(base / "kernel"), "-initrd", str(initrd)),
                    *("-append", "console=ttyAMA0 quiet panic=-1", "-no-reboot"),
                    *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22"),
                    *("-device", "virtio-net-device,netdev=net"),
                    *("-display", "none", "-monitor", "none"),
                    *("-serial", f"file:{self.folder}/console.log"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._write_ssh_config(port)
        self._wait_until_it_answers(port)

    def down(self) -> None:
        if self._qemu is not None:
            os.killpg(self._qemu.pid, signal.SIGKILL)
            self._qemu.wait()
            self._qemu = None

    def _own_files(self) -> bytes:
        """Keys and settings, as an archive of their own."""
        files = self.folder / "files"
        (files / "etc/ssh").mkdir(parents=True)
        (files / "home/pi/.ssh").mkdir(parents=True)
        (files / "home/pi/.ssh").chmod(0o700)
        generate_key(self.folder / "user_key", "user of the virtual Pi")
        generate_key(files / "etc/ssh/ssh_host_ed25519_key", "virtual Pi")
        shutil.copy(self.folder / "user_key.pub", files / "home/pi/.ssh/authorized_keys")
        (files / "etc/ssh/sshd_config").write_text(_SSHD)
        (files / "etc/edgernn-emulated").write_text("qemu-system, instructions counted as time\n")
        (files / "etc/os-release").write_text('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
        accounts = {"root": 0, "sshd": 100, "pi": 1000}
        (files / "etc/passwd").write_text(
            "".join(
                f"{name}:x:{uid}:{uid}::/home/{name}:/bin/sh\n" for name, uid in accounts.items()
            )
        )
        (files / "etc/group").write_text("".join(f"{n}:x:{u}:\n" for n, u in accounts.items()))
        (files / "etc/shadow").write_text("".join(f"{n}:*:19700::::::\n" for n in accounts))
        (files / "etc/shadow").chmod(0o600)
        return packed(files, homes=HOMES)

    def _write_ssh_config(self, port: int) -> None:
        public = (self.folder / "files/etc/ssh/ssh_host_ed25519_key.pub").read_text()
        (self.folder / "known_hosts").write_text(f"virtual {public}")
        (self.folder / "ssh_config").write_text(
            "Host virtual\n"
            "  HostName 127.0.0.1\n"
            f"  Port {port}\n"
            "  HostKeyAlias virtual\n"
            f"  UserKnownHostsFile {self.folder}/known_hosts\n"
            f"  IdentityFile {self.folder}/user_key\n"
            "  IdentitiesOnly yes\n"
            "  IdentityAgent none\n"
            "  GlobalKnownHostsFile none\n"
        )

    def _wait_until_it_answers(self, port: int) -> None:
        """qemu takes the connection at once, and sshd greets when it is there."""
        end_s = time.monotonic() + START_TIMEOUT_S
        assert self._qemu is not None
        while not _greets(port):
            if self._qemu.poll() is not None or time.monotonic() > end_s:
                self.down()
                said = [
                    (self.folder / name).read_text(errors="replace")[-500:]
                    for name in ("qemu.log", "console.log")
                    if (self.folder / name).exists()
                ]
                raise CannotBuild(f"it did not start: {' '.join(said)}")


def _base_folder() -> Path:
    """`kernel` and `initrd`, the same for every start; made at first use, kept in the cache."""
    root = root_folder()
    digest = hashlib.sha256(root.name.encode())
    for source in (Path(__file__), Path(__file__).with_name("initramfs.py")):
        digest.update(source.read_bytes())
    folder = cache_folder() / "emulated-pi" / f"{digest.hexdigest()[:16]}-vm"
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as making:
        made = Path(making) / "made"
        made.mkdir()
        kernel = Path(making) / "linux"
        (package,) = fetched((KERNEL,), architecture="arm64", folder=Path(making))
        if subprocess.run(["dpkg-deb", "-x", package, kernel]).returncode != 0:
            raise CannotBuild(f"{package.name} is damaged")
        (image,) = (kernel / "boot").glob("vmlinuz-*")
        image.rename(made / "kernel")
        more = Path(making) / "more"
        _write_start(more, next((kernel / "lib/modules").iterdir()))
        (made / "initrd").write_bytes(packed(root, homes={}) + packed(more, homes={}))
        try:
            made.rename(folder)
        except OSError:  # another one was faster
            if not folder.is_dir():
                raise
    return folder


def _write_start(folder: Path, modules: Path) -> None:
    """What the kernel starts with, and the modules that this loads, numbered by their order."""
    for name in ("dev", "proc", "sys", "run", "tmp", "root", "modules"):
        (folder / name).mkdir(parents=True)
    (folder / "tmp").chmod(0o1777)
    for number, name in enumerate(MODULES):
        module = modules / f"kernel/{name}.ko"
        shutil.copy(module, folder / f"modules/{number}-{module.name}")
    (folder / "init").write_text(_INIT)
    (folder / "init").chmod(0o755)


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


def _greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        time.sleep(0.2)
        return False
