"""devices.toml: the user's devices by name, in the folder of edgernn's settings.

[kitchen]
kind = "ssh"
address = "pi@raspberrypi.local"
board = "Raspberry Pi 4 Model B Rev 1.4"
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from edgernn import atomic
from edgernn.errors import DeviceError
from edgernn.folders import config_folder
from edgernn.regular_file import DAMAGE, read_toml

FILE_NAME: Final = "devices.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A device that the user named, and what it reported about itself when it was added."""

    name: str
    kind: str  # "ssh", "android"
    address: str  # user@host, or a serial number
    board: str = ""
    soc: str = ""
    architecture: str = ""
    abis: str = ""  # Android's, with commas
    system: str = ""
    emulated: str = ""  # the emulator; empty: a real device
    ssh_command: str = ""  # instead of $EDGERNN_SSH or ssh: "ssh -F CONFIG -p PORT"
    adb_port: str = ""  # port of its adb server, if not the default

    @property
    def is_pi(self) -> bool:
        return self.board.startswith("Raspberry Pi")


def inventory_path() -> Path:
    return config_folder() / FILE_NAME


def read_inventory() -> tuple[Entry, ...]:
    """The devices in the file's order; none without a file.  Raises DeviceError if invalid."""
    path = inventory_path()
    try:
        tables = read_toml(path)
        return tuple(_entry(name, table) for name, table in tables.items())
    except FileNotFoundError:
        return ()
    except (OSError, *DAMAGE) as error:
        raise DeviceError(
            f"cannot read {path}: {getattr(error, 'strerror', None) or error}",
            remedy="Repair it, or delete it and add the devices again with `edgernn devices add`",
        ) from error


def write_inventory(entries: Sequence[Entry]) -> None:
    """Raises OutputError if the file cannot be written; it is never left incomplete."""
    text = "\n".join(_table(entry) for entry in entries)
    atomic.write_bytes(inventory_path(), text.encode())


def named(name: str) -> Entry | None:
    return next((entry for entry in read_inventory() if entry.name == name), None)


def keep_entry(entry: Entry) -> None:
    """Adds a device, or replaces the one with its name.  Raises OutputError or DeviceError."""
    write_inventory([*(one for one in read_inventory() if one.name != entry.name), entry])


def forget_entry(name: str) -> None:
    """Removes the device if it exists.  Raises OutputError or DeviceError."""
    entries = read_inventory()
    if any(entry.name == name for entry in entries):
        write_inventory([entry for entry in entries if entry.name != name])


def emulated_only(kind: str) -> Entry | None:
    """The emulated device of a kind, if the user has added no real one of this kind."""
    entries = [entry for entry in read_inventory() if entry.kind == kind]
    return next(iter(entries), None) if all(entry.emulated for entry in entries) else None


def the_only_pi() -> Entry:
    """The device for --device pi: a real one, else an emulated one.

    Raises DeviceError if there is none, or more than one real one.
    """
    all_pis = [entry for entry in read_inventory() if entry.is_pi]
    pis = [entry for entry in all_pis if not entry.emulated] or all_pis
    if len(pis) == 1:
        return pis[0]
    if pis:
        raise DeviceError(
            f"there are {len(pis)} Raspberry Pis: {', '.join(entry.name for entry in pis)}",
            remedy="Choose one with --device NAME",
        )
    raise DeviceError(
        "no Raspberry Pi is known",
        remedy="Run `edgernn devices add pi@raspberrypi.local`, or use --device pi@HOST",
    )


def _entry(name: str, table: object) -> Entry:
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise ValueError(f"[{name}] may contain only strings")
    known = {field.name for field in fields(Entry)} - {"name"}
    if unknown := set(table) - known:
        raise ValueError(f"[{name}] has {', '.join(sorted(unknown))}; known are {sorted(known)}")
    return Entry(name=name, **table)


def _table(entry: Entry) -> str:
    # JSON's strings are TOML's basic strings.
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
        for key, value in asdict(entry).items()
        if key != "name" and value
    ]
    return "\n".join([f"[{entry.name}]", *lines, ""])
