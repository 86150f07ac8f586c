"""The row of devices.toml by which a person reaches an emulated device that `make` brought up."""

from __future__ import annotations

from edgernn.devices.inventory import Entry, forget_entry, keep_entry, named, read_inventory
from edgernn.errors import DeviceError


def keep_emulated(entry: Entry) -> None:
    """Raises DeviceError where a device that the user added has the name."""
    known = named(entry.name)
    if known is not None and not known.emulated:
        raise DeviceError(
            f"there is already a device '{entry.name}', which is not emulated",
            remedy=f"Run `edgernn devices remove {entry.name}` first",
        )
    keep_entry(entry)


def forget_emulated(name: str) -> None:
    known = named(name)
    if known is not None and known.emulated:
        forget_entry(name)


def a_real_pi_is_known() -> bool:
    return any(entry.is_pi and not entry.emulated for entry in read_inventory())
