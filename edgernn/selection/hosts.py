"""Machines that train, too: reached by ssh, with edgernn installed there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edgernn.devices.inventory import named
from edgernn.devices.kinds import SSH
from edgernn.devices.link import Link
from edgernn.devices.ssh import SshLink, checked_destination
from edgernn.errors import DeviceError, WrongOption

_PYTHON: Final = "python3"
_MOST_WORKERS: Final = 256
_SPELLING: Final = re.compile(r"(?P<address>[^=]+?)(:(?P<python>[/~][^=]*))?(=(?P<count>\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One machine, and how many trainings it does at a time."""

    address: str  # user@host, a name in ssh's settings, or a device that the user named
    python: str = _PYTHON  # with edgernn
    count: int = 1

    def link(self) -> Link:
        """A new connection.  Raises DeviceError for what is no host."""
        entry = named(self.address)
        if entry is None:
            return SshLink(self.address.removeprefix("ssh:"), name=self.address)
        if entry.kind != SSH.name:
            raise DeviceError(
                f"{self.address} is a device of the kind {entry.kind}",
                remedy="Trainings run on this machine and on hosts that ssh reaches",
            )
        return SshLink(entry.address, name=entry.name, program=entry.ssh_command)

    @property
    def command(self) -> str:
        """A worker, as the host's shell starts it."""
        home = self.python.startswith("~/")  # not quoted: the shell replaces it
        python = f"~/{shlex.quote(self.python[2:])}" if home else shlex.quote(self.python)
        threads = "OMP_NUM_THREADS=1 CUDA_VISIBLE_DEVICES="
        return f"exec env {threads} {python} -m edgernn.selection.worker -"


def parsed_hosts(given: str | Sequence[str]) -> tuple[Host, ...]:
    """Hosts in "ada@big=4,small:/opt/venv/bin/python".  Raises WrongOption, DeviceError.

    >>> parsed_hosts("ada@big=4")
    (Host(address='ada@big', python='python3', count=4),)
    """
    texts = [text.strip() for text in (given.split(",") if isinstance(given, str) else given)]
    if isinstance(given, str) and not given.strip():
        return ()
    if not all(texts):
        raise WrongOption(
            f"a host has no name in '{given if isinstance(given, str) else ','.join(given)}'",
            remedy="Write user@host, or user@host,user@other; leave --hosts out for this machine "
            "alone",
        )
    hosts = tuple(_parsed(text) for text in texts)
    for host in hosts:
        checked_destination(host.address)
    return hosts


def _parsed(text: str) -> Host:
    found = _SPELLING.fullmatch(text)
    count = int(found["count"] or 1) if found else 0
    # One colon alone: a port, or a Python that is relative to nobody knows which folder.
    is_odd = found is not None and found["address"].removeprefix("ssh:").count(":") == 1
    if found is None or is_odd or not 1 <= count <= _MOST_WORKERS:
        raise WrongOption(
            f"'{text}' is no host that trains",
            remedy="Write user@host, user@host=4 for four trainings at a time, or "
            "user@host:/path/to/python=4; a port goes into ~/.ssh/config",
        )
    return Host(address=found["address"], python=found["python"] or _PYTHON, count=count)
