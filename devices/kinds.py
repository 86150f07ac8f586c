"""The kinds of devices: the row of KINDS contains everything that belongs to one kind.

A new kind is a link (link.py) or a device (device.py) in a module of its own, and a row here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgernn.devices.device import Choices, Device
from edgernn.errors import DeviceError

if TYPE_CHECKING:
    from edgernn.devices.inventory import Entry
    from edgernn.devices.link import Link

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def _as_given(address: str) -> str:
    return address


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of device.  Its name is reserved: no device in devices.toml may have it."""

    name: str  # before the colon of --device KIND:ADDRESS
    open: Callable[[str, Choices], Device]  # receives the address, which may be empty
    spellings: tuple[str, ...] = ()  # spellings in help and messages; empty: not shown
    link: Callable[[Entry], Link] | None = None  # None: cannot be stored in devices.toml
    found: Callable[[str], str] = _as_given  # checks and completes the address of a new device
    default_name: Callable[[str], str] = _as_given  # name of a device that is added without --name
    has_host_key: bool = False  # the user confirms it before the device is added
    without_python: str = "native models only"  # the files that run without Python


def _open_host(address: str, _choices: Choices) -> Device:
    from edgernn.devices.host import HostDevice

    if address and not Path(address).is_file():
        raise DeviceError(
            f"there is no Python at {address}",
            remedy="'cpu' is this machine; 'cpu:/path/to/python' uses that Python's runtimes",
        )
    # Not resolved: Python finds its virtual environment by the path of this link.
    return HostDevice(Path(address).absolute() if address else None)


def _open_fake(address: str, _choices: Choices) -> Device:
    from edgernn.devices.fake import INVENTED_SYSTEM, FakeDevice

    return FakeDevice(name=address or "fake", system=INVENTED_SYSTEM)


def _open_pi(address: str, choices: Choices) -> Device:
    from edgernn.devices.inventory import the_only_pi

    return _open_ssh(address, choices) if address else open_entry(the_only_pi(), choices)


def _open_ssh(address: str, choices: Choices) -> Device:
    from edgernn.devices.remote import RemoteDevice
    from edgernn.devices.ssh import SshLink

    return RemoteDevice(SshLink(address, name=address), choices=choices)


def _ssh_link(entry: Entry) -> Link:
    from edgernn.devices.ssh import SshLink

    return SshLink(entry.address, name=entry.name, program=entry.ssh_command)


def _host_name(address: str) -> str:
    """pi@kitchen.local gives "kitchen"; an IP address keeps all numbers: 192-168-1-5."""
    host = address.rpartition("@")[2].strip("[]")
    is_number = not re.search("[g-zG-Z]", host.partition(".")[0]) and re.search(r"[.:]\d*$", host)
    return re.sub("[.:]+", "-", host) if is_number else host.partition(".")[0]


def _open_android(serial: str, choices: Choices) -> Device:
    from edgernn.devices.adb import AdbLink, attached
    from edgernn.devices.inventory import emulated_only
    from edgernn.devices.remote import RemoteDevice

    if not serial and (emulated := emulated_only("android")) and not attached():
        return open_entry(emulated, choices)
    link = AdbLink(serial, name=f"android:{serial}" if serial else "android")
    return RemoteDevice(link, choices=choices)


def _android_link(entry: Entry) -> Link:
    from edgernn.devices.adb import AdbLink

    return AdbLink(entry.address, name=entry.name, server_port=entry.adb_port)


def _ready_serial(wanted: str) -> str:
    from edgernn.devices.adb import ready_serial

    return ready_serial(wanted)


SSH: Final = Kind(
    name="ssh",
    open=_open_ssh,
    spellings=("user@host", "ssh:HOST"),
    link=_ssh_link,
    default_name=_host_name,
    has_host_key=True,
)

_ROWS: Final = (
    Kind(name="cpu", open=_open_host, spellings=("cpu", "cpu:/path/to/python")),
    Kind(name="fake", open=_open_fake),
    Kind(name="pi", open=_open_pi, spellings=("pi",)),
    SSH,
    Kind(
        name="android",
        open=_open_android,
        spellings=("android", "android:SERIAL"),
        link=_android_link,
        found=_ready_serial,
        default_name=lambda _serial: "phone",
        without_python="native models; .onnx and .tflite with --android-runtime",
    ),
)

KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in _ROWS}


def open_entry(entry: Entry, choices: Choices) -> Device:
    """The device of an entry in devices.toml.  Raises DeviceError if its kind is unknown."""
    from edgernn.devices.remote import RemoteDevice

    kind = KINDS.get(entry.kind)
    if kind is None or kind.link is None:
        raise DeviceError(
            f"'{entry.name}' is of the unknown kind '{entry.kind}'",
            remedy="Remove it with `edgernn devices remove`, and add it again",
        )
    return RemoteDevice(kind.link(entry), choices=choices)


def spellings(*, addable: bool = False) -> tuple[str, ...]:
    """The spellings of --device besides names; with `addable`, those of `edgernn devices add`.

    >>> spellings(addable=True)
    ('user@host', 'ssh:HOST', 'android', 'android:SERIAL')
    """
    kinds = [kind for kind in _ROWS if kind.link or not addable]
    return tuple(spelling for kind in kinds for spelling in kind.spellings)


def to_be_added(spec: str) -> tuple[Kind, str]:
    """Splits the argument of `edgernn devices add` into kind and address; a bare host is ssh."""
    name, _, address = spec.partition(":")
    kind = KINDS.get(name)
    return (kind, address) if kind and kind.link else (SSH, spec)


def checked_name(name: str) -> str:
    """Raises DeviceError if a device cannot have this name."""
    if not _NAME.fullmatch(name):
        raise DeviceError(
            f"'{name}' cannot be the name of a device", remedy="Use letters, digits, - and _"
        )
    if name in KINDS:
        raise DeviceError(
            f"'{name}' is a reserved name: --device {name} is a kind of device",
            remedy="Choose another name with --name",
        )
    return name
