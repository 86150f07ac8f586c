"""A real sshd on a free port of the loopback device, for this user, with keys of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

import pytest

from edgernn.folders import cache_folder
from tests.debian_packages import CannotBuild, fetched, unpack

_PACKAGES: Final = ("openssh-server", "libwrap0", "libnsl2", "libtirpc3")
#: sshd wants a user of its own when root starts it; this namespace alone has one.
_AS_ROOT: Final = """\
mount --bind "$1" /etc/passwd
mount -t tmpfs tmpfs /run
mkdir /run/sshd
shift
exec "$@"
"""


class Sshd:
    """`ssh` is a command for EDGERNN_SSH that knows it as the host `big`."""

    def __init__(self, folder: Path, root: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        for name in ("host", "user"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True
            )
        shutil.copy(folder / "user.pub", folder / "authorized")
        public = " ".join((folder / "host.pub").read_text().split()[:2])
        (folder / "known").write_text(f"[127.0.0.1]:{self._port} {public}\n")
        (folder / "sshd_config").write_text(
            f"Port {self._port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\n"
            f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\nPidFile none\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
        )
        (folder / "ssh_config").write_text(
            f"Host big\n  HostName 127.0.0.1\n  Port {self._port}\n  User {getpass.getuser()}\n"
            f"  IdentityFile {folder}/user\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {folder}/known\n"
        )
        self.ssh = f"ssh -F {folder}/ssh_config"
        self._folder = folder
        self._program = root / "usr/sbin/sshd"
        libraries = next(iter((root / "usr/lib").glob("*-linux-gnu*")), root)
        self._environment = os.environ | {"LD_LIBRARY_PATH": str(libraries)}
        self.start()

    def start(self) -> None:
        argv = [str(self._program), "-D", "-e", "-f", str(self._folder / "sshd_config")]
        if os.getuid() == 0:
            accounts = Path("/etc/passwd").read_text()
            if not any(line.startswith("sshd:") for line in accounts.splitlines()):
                accounts += "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
            (self._folder / "passwd").write_text(accounts)
            argv = ["unshare", "-m", "sh", "-euc", _AS_ROOT, "-", f"{self._folder}/passwd", *argv]
        with (self._folder / "sshd.log").open("ab") as log:
            self._process = subprocess.Popen(argv, stderr=log, env=self._environment)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.05)
        self.stop()
        pytest.skip(f"sshd does not start: {(self._folder / 'sshd.log').read_text()[-300:]}")

    def stop(self) -> None:
        """Ends it; connections that there are go on."""
        self._process.kill()
        self._process.wait()


def started(folder: Path) -> Sshd:
    """Skips the test where there is no sshd."""
    if not shutil.which("ssh-keygen"):
        pytest.skip("OpenSSH is not installed (Debian: openssh-client)")
    if Path("/usr/sbin/sshd").is_file():
        return Sshd(folder, Path("/"))
    try:
        return Sshd(folder, _unpacked())
    except CannotBuild as error:
        pytest.skip(f"there is no sshd, and {error}")


def _unpacked() -> Path:
    """Debian's sshd in the cache, not installed: an installed one would listen from then on."""
    asked = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True)
    if asked.returncode != 0:
        raise CannotBuild("this is no Debian")
    root = cache_folder() / "loopback-sshd" / asked.stdout.strip()
    if not root.is_dir():
        root.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=root.parent) as making:
            packages = fetched(_PACKAGES, architecture=asked.stdout.strip(), folder=Path(making))
            unpack(packages, Path(making) / "root")
            if not root.is_dir():
                (Path(making) / "root").rename(root)
    return root
