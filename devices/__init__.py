"""Where artefacts are run: this machine, a board over SSH, a phone over adb.

A device is three primitives, `run`, `push` and `pull`, over a private working directory on the
target; everything else is a function of them.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol

from typing_extensions import Self

from edgernn.errors import DeviceError

if TYPE_CHECKING:
    from edgernn.devices.inventory import Entry
    from edgernn.devices.link import Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a command on a device ended.  `signal` names what killed it, e.g. "SIGSEGV"."""

    exit_code: int | None  # None: killed by a signal, or out of time
    signal: str | None = None
    timed_out: bool = False
    stdout: str = ""
    stderr: str = ""

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0


def signal_name(number: int) -> str:
    """As Completed tells it.  Real-time signals have a number only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Stopped(Exception):
    """The user gave up while something ran on a target.  Not an error, and not to be reported."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choices:
    """What the user may choose about how a target is used."""

    own_packages: bool = False  # the target's Python packages, instead of ones we bring
    android_runtimes: tuple[Path, ...] = ()  # an AAR, a folder of .so files, a .so
    benchmark_model: Path | None = None  # Google's tool for TFLite files, made for the device
    stop: threading.Event = field(default_factory=threading.Event)  # set: raise Stopped


class Device(Protocol):
    """A target.  As a context manager it owns a working directory there, gone when it is left.

    Remote names are relative to that directory, which is also where commands are started.
    All methods raise DeviceError when the target cannot be reached or has no room; a command that
    fails, crashes or takes too long is a value.
    """

    @property
    def name(self) -> str:
        """What the user calls it, and a report's rows with it."""
        ...

    @property
    def python(self) -> tuple[str, ...] | None:
        """How Python is started there; None where there is none (a phone)."""
        ...

    def run(self, argv: Sequence[str], *, timeout_s: float) -> Completed: ...

    def push(self, local: Path, remote: str) -> None: ...

    def pull(self, remote: str, local: Path) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_device(spec: str, choices: Choices | None = None) -> Device:
    """The device that `spec` names.  Enter it before use.

    A kind ("cpu", "pi"), a kind with an address ("ssh:NAME"), user@host, or a name in devices.toml.
    Raises DeviceError when there is no such device.
    """
    choices = choices or Choices()
    kind, _, address = spec.partition(":")
    if kind in KINDS:
        return KINDS[kind](address, choices)
    if "@" in spec:
        return _ssh(spec, choices)
    from edgernn.devices.inventory import named, read_inventory

    if entry := named(spec):
        return _of_inventory(entry, choices)
    known = [*KINDS, *(entry.name for entry in read_inventory())]
    close = get_close_matches(kind, known, n=1)
    hint = f"Did you mean '{close[0]}'?" if close else f"Known are: {', '.join(known)}"
    raise DeviceError(f"there is no device '{spec}'", remedy=hint)


def _host(address: str, _choices: Choices) -> Device:
    from edgernn.devices.host import HostDevice

    if address and not Path(address).is_file():
        raise DeviceError(
            f"there is no Python at {address}",
            remedy="'cpu' is this machine; 'cpu:/path/to/python' uses that Python's runtimes",
        )
    # Not resolved: a virtual environment is known by the path of its link to Python.
    return HostDevice(Path(address).absolute() if address else None)


def _fake(address: str, _choices: Choices) -> Device:
    from edgernn.devices.fake import INVENTED_SYSTEM, FakeDevice

    return FakeDevice(name=address or "fake", system=INVENTED_SYSTEM)


def _ssh(address: str, choices: Choices) -> Device:
    from edgernn.devices.remote import RemoteDevice
    from edgernn.devices.ssh import SshLink

    return RemoteDevice(SshLink(address, name=address), choices=choices)


def _pi(address: str, choices: Choices) -> Device:
    from edgernn.devices.inventory import the_only_pi

    if address:
        return _ssh(address, choices)
    return _of_inventory(the_only_pi(), choices)


def _android(serial: str, choices: Choices) -> Device:
    from edgernn.devices.adb import AdbLink
    from edgernn.devices.remote import RemoteDevice

    link = AdbLink(serial, name=f"android:{serial}" if serial else "android")
    return RemoteDevice(link, choices=choices)


def _of_inventory(entry: Entry, choices: Choices) -> Device:
    from edgernn.devices.adb import AdbLink
    from edgernn.devices.remote import RemoteDevice
    from edgernn.devices.ssh import SshLink

    links: dict[str, Callable[[], Link]] = {
        "ssh": lambda: SshLink(entry.address, name=entry.name),
        "android": lambda: AdbLink(entry.address, name=entry.name),
    }
    if entry.kind not in links:
        raise DeviceError(
            f"'{entry.name}' is of the unknown kind '{entry.kind}'",
            remedy="Remove it with `edgernn devices remove`, and add it again",
        )
    return RemoteDevice(links[entry.kind](), choices=choices)


KINDS: Final[dict[str, Callable[[str, Choices], Device]]] = {
    "cpu": _host,
    "fake": _fake,
    "ssh": _ssh,
    "pi": _pi,
    "android": _android,
}
