"""A target over the system's OpenSSH client, with the user's settings, keys, agents, jump hosts.

One connection for a whole profile (ControlMaster); never a question (BatchMode), never an unknown
key (StrictHostKeyChecking).  EDGERNN_SSH names another command, as GIT_SSH_COMMAND does for git.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edgernn.devices.link import Unreachable
from edgernn.errors import DeviceError
from edgernn.folders import config_folder
from edgernn.temporary import TemporaryFolder

COMMAND_VARIABLE: Final = "EDGERNN_SSH"
CONNECT_TIMEOUT_S: Final = 15
#: The connection counts as lost after three such periods without an answer.
ALIVE_INTERVAL_S: Final = 10

#: A text in ssh's output, its meaning, and what to do.  The first match counts.
_REFUSALS: Final = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        (
            "{host} has a different host key than before: it was reinstalled, or another machine "
            "answers in its place"
        ),
        (
            "If you know why, remove the old key with `edgernn devices remove` or `ssh-keygen -R`, "
            "then run `edgernn devices add {host}`"
        ),
    ),
    (
        "Host key verification failed",
        "the host key of {host} is not known",
        "Run `edgernn devices add {host}`, which shows its fingerprint and asks",
    ),
    (
        "Too many authentication failures",
        "{host} refused several of your keys before the right one was tried",
        "Name the key with IdentityFile and IdentitiesOnly in ~/.ssh/config",
    ),
)
#: ssh's own words about a connection: a server's banner stands beside them.
_OWN_LINE: Final = re.compile(
    r"(ssh|kex_\w+|ssh_\w+|banner exchange|client_loop|channel \d+|packet_write_wait)\b.*: "
    r"|Connection (closed|reset|timed out)\b.* (by|with|to|from|during) |Connection to |Timeout, "
    r"|Write failed: |Read from "
)
_UNREACHABLE: Final = (
    "Could not resolve hostname",
    "Connection refused",
    "Connection timed out",
    "Operation timed out",
    "No route to host",
    "Network is unreachable",
    "Connection reset",
    "Connection closed",
    "banner exchange",
    "Broken pipe",
    "not responding",
)


def ssh_command() -> list[str]:
    """The ssh command: $EDGERNN_SSH, else ssh."""
    return shlex.split(os.environ.get(COMMAND_VARIABLE, "ssh"))


def own_known_hosts() -> Path:
    """The host keys that the user confirmed in `edgernn devices add`."""
    return config_folder() / "known_hosts"


def checked_destination(destination: str) -> str:
    """Raises DeviceError if ssh would read it as an option, or if it cannot be a host."""
    if destination.startswith("-") or not re.fullmatch(r"[^\s\0'\"\\;|&$`<>()]+", destination):
        raise DeviceError(
            f"'{destination}' is not a host", remedy="Write pi@raspberrypi.local, or ssh:NAME"
        )
    return destination


class SshLink:
    """Commands through one connection to `destination` (user@host, or a name in ssh's config)."""

    def __init__(self, destination: str, *, name: str, program: str = "") -> None:
        """`program` is the ssh command of this one device ("ssh -F FILE"); empty: ssh_command()."""
        self.name = name
        self._program = shlex.split(program) or ssh_command()
        self._destination = checked_destination(destination)
        # A socket's path must be short, and TMPDIR is long on some systems.
        short = Path("/tmp") if Path("/tmp").is_dir() else None  # noqa: S108
        self._sockets = TemporaryFolder(parent=short)
        known_hosts = known_hosts_files(self._destination, self._program)
        self._known_hosts = f"UserKnownHostsFile={known_hosts}"

    def first(self, command: str) -> list[str]:
        return self._argv(
            command,
            "ControlMaster=yes",
            "ControlPersist=no",
            "StrictHostKeyChecking=yes",
            self._known_hosts,
            f"ConnectTimeout={CONNECT_TIMEOUT_S}",
            f"ServerAliveInterval={ALIVE_INTERVAL_S}",
            "ServerAliveCountMax=3",
            "LogLevel=INFO",  # at ERROR it is silent about a jump host that ends at once
        )

    def further(self, command: str) -> list[str]:
        # Without its master, ssh would silently open another connection.
        alone = ("ControlMaster=no", "ProxyCommand=false", "ProxyJump=none")
        return self._argv(command, *alone, "LogLevel=ERROR")

    def _argv(self, command: str, *options: str) -> list[str]:
        always = (
            "BatchMode=yes",
            "PasswordAuthentication=no",
            "ForwardAgent=no",
            "ForwardX11=no",
            "ClearAllForwardings=yes",
            "PermitLocalCommand=no",
            "RemoteCommand=none",
            "RequestTTY=no",
            f"ControlPath={self._sockets.path}/control",
        )
        given = [word for option in (*options, *always) for word in ("-o", option)]
        return [*self._program, *given, "--", self._destination, command]

    def refusal(self, stderr: str) -> DeviceError:
        host = self._destination
        for sign, what, remedy in _REFUSALS:
            if sign in stderr:
                return DeviceError(what.format(host=host), remedy=remedy.format(host=host))
        if denied := re.search(r"Permission denied \(([^)]*)\)", stderr):
            return _denied(host, denied[1].split(","))
        lines = (stderr.strip() or "ssh gave no reason").splitlines()
        if reasons := [line for line in lines if any(sign in line for sign in _UNREACHABLE)]:
            reason = next(filter(_OWN_LINE.match, reasons), reasons[-1]).strip()
            return Unreachable(
                f"{host} cannot be reached: {reason}",
                remedy="Check that it is switched on, in this network, and that sshd runs on it",
            )
        complaint = lines[-1].strip()
        return DeviceError(
            f"ssh to {host} failed: {complaint}", remedy=f"Try `ssh {host} true` yourself"
        )


def _denied(host: str, methods: list[str]) -> DeviceError:
    if "publickey" not in methods:
        return DeviceError(
            f"{host} accepts no keys, only {' or '.join(methods)}; edgernn never types a password",
            remedy="Allow PubkeyAuthentication in its /etc/ssh/sshd_config",
        )
    return DeviceError(
        f"{host} does not accept your key",
        remedy=f"Run `ssh-copy-id {host}`, or load the key into ssh-agent",
    )


def known_hosts_files(destination: str, program: Sequence[str] = ()) -> str:
    """The user's own files of known hosts, then edgernn's, as ssh's option takes them."""
    argv = [*(program or ssh_command()), "-G", "--", destination]
    asked = subprocess.run(argv, capture_output=True, text=True, check=False)
    found = re.search(r"^userknownhostsfile (.*)$", asked.stdout, re.MULTILINE)
    users = found[1] if found else "~/.ssh/known_hosts ~/.ssh/known_hosts2"
    return f'{users} "{own_known_hosts()}"'
