"""The key by which an ssh server proves who it is: shown to a person, kept once confirmed."""

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
    """What a server showed.  Nobody has vouched for it yet."""

    lines: str  # as known_hosts holds them
    fingerprints: tuple[str, ...]  # "256 SHA256:… emulated (ED25519)"


def is_known(destination: str) -> bool:
    """Whether ssh trusts the host already: then there is nothing to confirm.

    Raises DeviceError where another key is known: that is never to be answered by adding one.
    """
    options = ("StrictHostKeyChecking=yes", f"UserKnownHostsFile={known_hosts_files(destination)}")
    stderr = _connect(checked_destination(destination), *options)
    if "IDENTIFICATION HAS CHANGED" in stderr:
        raise SshLink(destination, name=destination).refusal(stderr)
    return "Host key verification failed" not in stderr


def shown_key(destination: str) -> HostKey:
    """Asks the server for its key, without logging in.  Raises DeviceError if nobody answers."""
    checked_destination(destination)
    with TemporaryFolder() as folder:
        seen = folder / "known_hosts"
        # Into an empty file of its own: what ssh accepts here, nobody trusts yet.
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
    """Trusts the key from now on.  Raises OutputError where it cannot be written down."""
    path = own_known_hosts()
    before = path.read_text() if path.is_file() else ""
    atomic.write_bytes(path, f"{before}{key.lines}".encode())


def forget(destination: str) -> None:
    """Removes what edgernn keeps about the host; the user's own known_hosts stays as it is."""
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
    """What ssh complains about while it connects and runs nothing."""
    always = (
        *("BatchMode=yes", "ControlPath=none", f"ConnectTimeout={CONNECT_TIMEOUT_S}"),
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
