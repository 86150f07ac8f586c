"""Where artefacts are run: this machine, a board over SSH, a phone over adb.

The registry of device kinds is here; what a device is, in device.py.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgernn.devices.device import Choices, Device
from edgernn.errors import DeviceError

if TYPE_CHECKING:
    from edgernn.devices.inventory import Entry
    from edgernn.devices.link import Link


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
