"""Where artefacts are run: this machine, a board over SSH, a phone over adb.

device.py defines the interface of a device; kinds.py has a row for each kind of device.
"""

from __future__ import annotations

from difflib import get_close_matches

from edgernn.devices.device import Choices, Device
from edgernn.devices.kinds import KINDS, SSH, open_entry, spellings
from edgernn.errors import DeviceError


def open_device(spec: str, choices: Choices | None = None) -> Device:
    """The device that `spec` names.  Enter it before use.

    A kind ("cpu", "pi"), a kind with an address ("ssh:HOST"), user@host, or a name in devices.toml.
    Raises DeviceError when there is no such device.

    >>> with open_device("cpu") as device:
    ...     device.run(["true"], timeout_s=10).succeeded
    True
    """
    choices = choices or Choices()
    name, _, address = spec.partition(":")
    if name in KINDS:
        return KINDS[name].open(address, choices)
    if "@" in spec:
        return SSH.open(spec, choices)
    from edgernn.devices.inventory import named, read_inventory

    if entry := named(spec):
        return open_entry(entry, choices)
    known = [*spellings(), *(entry.name for entry in read_inventory())]
    close = get_close_matches(name, known, n=1)
    hint = f"Did you mean '{close[0]}'?" if close else f"Known are: {', '.join(known)}"
    raise DeviceError(f"there is no device '{spec}'", remedy=hint)


def without_python(spec: str) -> str:
    """A phrase that says which files run on a device of this kind without Python."""
    from edgernn.devices.inventory import named

    entry = named(spec)
    return KINDS.get(entry.kind if entry else spec.partition(":")[0], SSH).without_python
