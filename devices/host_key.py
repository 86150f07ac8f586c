"""The host key of an ssh server: shown to the user, and stored after confirmation."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from edgernn import atomic
from edgernn.devices.ssh import (
    CONNECT_TIMEOUT_S,
    SshLink,
    checked_destination,
    known_hosts_files,
    own_known_hosts,
    ssh_command,
)
from edgernn.temporary import TemporaryFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKey:
    """The host key that a server sent, not confirmed yet."""

    lines: str  # in the format of known_hosts
    fingerprints: tuple[str, ...]  # "256 SHA256:… emulated (ED25519)"


def is_known(destination: str) -> bool:
    """Whether ssh trusts the host already; if so, no confirmation is needed.

    Raises DeviceError if another key of the host is known; never add a key in this case.
    """
    options = ("StrictHostKeyChecking=yes", f"UserKnownHostsFile={known_hosts_files(destination)}")
    stderr = _connect(checked_destination(destination), *options)
    if "IDENTIFICATION HAS CHANGED" in stderr:
        raise SshLink(destination, name=destination).refusal(stderr)
    return "Host key verification failed" not in stderr


def shown_key(destination: str) -> HostKey:
    """Requests the server's key without logging in.  Raises DeviceError without an answer."""
    checked_destination(destination)
    with TemporaryFolder() as folder:
        seen = folder / "known_hosts"
        # Into an empty file of its own: no other connection trusts the key that ssh accepts here.
        stderr = _connect(
            destination,
            "StrictHostKeyChecking=accept-new",
            f"UserKnownHostsFile={seen}",
            "GlobalKnownHostsFile=none",
            "HashKnownHosts=no",
        )
        if not seen.is_file():
            raise SshLink(destination, name=destination).refusal(stderr)
        listed = subprocess.run(
            ["ssh-keygen", "-l", "-f", str(seen)],  # noqa: S607 - OpenSSH is found like ssh itself
            capture_output=True,
            text=True,
            check=True,
        )
        return HostKey(
            lines=seen.read_text(), fingerprints=tuple(listed.stdout.strip().splitlines())
        )


def keep(key: HostKey) -> None:
    """Stores the key as trusted.  Raises OutputError if it cannot be written."""
    path = own_known_hosts()
    before = path.read_text() if path.is_file() else ""
    atomic.write_bytes(path, f"{before}{key.lines}".encode())


def forget(destination: str) -> None:
    """Removes the key that edgernn stored; does not change the user's own known_hosts."""
    path = own_known_hosts()
    if not path.is_file():
        return
    asked = subprocess.run(
        [*ssh_command(), "-G", "--", destination], capture_output=True, text=True, check=False
    )
    settings = dict(line.split(" ", 1) for line in asked.stdout.splitlines() if " " in line)
    host = settings.get("hostkeyalias") or settings.get("hostname", destination)
    port = settings.get("port", "22")
    names = {host, f"[{host}]:{port}"}
    kept = [
        line
        for line in path.read_text().splitlines(keepends=True)
        if not names & set(line.split(" ", 1)[0].split(","))
    ]
    atomic.write_bytes(path, "".join(kept).encode())


def _connect(destination: str, *options: str) -> str:
    """The errors of ssh from a connection that runs no command."""
    always = (
        *("BatchMode=yes", "ControlPath=none", f"ConnectTimeout={CONNECT_TIMEOUT_S}"),
        "LogLevel=INFO",  # as in SshLink.first
        *("PasswordAuthentication=no", "ClearAllForwardings=yes", "RemoteCommand=none"),
    )
    given = [word for option in (*options, *always) for word in ("-o", option)]
    asked = subprocess.run(
        [*ssh_command(), *given, "--", destination, "true"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stderr
