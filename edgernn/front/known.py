"""Which devices and tasks there are."""

from __future__ import annotations

from dataclasses import dataclass

from edgernn.devices.inventory import read_inventory
from edgernn.tasks.registry import TASKS


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDevice:
    """A device that `device=` takes by name."""

    name: str
    kind: str  # "cpu", "ssh", "android"
    address: str  # "" for this machine
    description: str  # board, system


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTask:
    """A reference task; its data are "NAME:train", ":validation", ":calibration" and ":test"."""

    name: str
    title: str
    classes: int
    test_rows: int


def known_devices() -> tuple[KnownDevice, ...]:
    """This machine, and the devices that `edgernn devices add` put into devices.toml.

    Raises DeviceError where that file is damaged.

    >>> [device.name for device in edgernn.known_devices()]
    ['cpu', 'kitchen']
    """
    here = KnownDevice(name="cpu", kind="cpu", address="", description="this machine")
    return (
        here,
        *(
            KnownDevice(
                name=entry.name,
                kind=entry.kind,
                address=entry.address,
                description=", ".join(part for part in (entry.board, entry.system) if part),
            )
            for entry in read_inventory()
        ),
    )


def known_tasks() -> tuple[KnownTask, ...]:
    """The reference tasks, whose data can stand wherever data are taken.

    >>> [task.name for task in edgernn.known_tasks()]
    ['digits', 'japanese-vowels', 'next-byte', 'counter', 'bike', 'bike-daily', …]
    """
    return tuple(
        KnownTask(name=task.name, title=task.title, classes=task.classes, test_rows=task.rows.test)
        for task in TASKS.values()
    )
