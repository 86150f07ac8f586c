"""`edgernn devices`: the targets that the user named, and whether they are ready."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgernn.devices.inventory import Entry
    from edgernn.devices.survey import Survey


@click.group()
def command() -> None:
    """Name the boards that artefacts are measured on.

    \b
    edgernn devices add pi@raspberrypi.local --name kitchen
    edgernn devices list --json
    edgernn devices check kitchen
    edgernn devices remove kitchen
    edgernn profile out/ --device kitchen --data digits:test
    """


@command.command("add")
@click.argument("address")
@click.option("--name", metavar="NAME", help="What to call it; else its host's name.")
@click.option(
    "--fingerprint",
    metavar="SHA256:…",
    help="Accept the host key with this fingerprint without asking: for scripts.",
)
def add(address: str, name: str | None, fingerprint: str | None) -> int:
    """Get to know user@host: show its host key, ask, test it, write down what it is."""
    from edgernn.devices.host_key import is_known
    from edgernn.devices.inventory import Entry, checked_name, read_inventory, write_inventory
    from edgernn.devices.ssh import checked_destination
    from edgernn.errors import DeviceError

    checked_destination(address)
    host = address.rpartition("@")[2].partition(".")[0]
    name = checked_name(name or host)
    entries = read_inventory()
    if any(entry.name == name for entry in entries):
        raise DeviceError(
            f"there is a device '{name}' already",
            remedy="Choose another --name, or run `edgernn devices remove` first",
        )
    if not is_known(address) and not _confirmed(address, fingerprint):
        click.echo("edgernn: the host key was not accepted; nothing was changed", err=True)
        return DeviceError.code
    found = _surveyed(f"ssh:{address}")
    entry = Entry(
        name=name,
        kind="ssh",
        address=address,
        board=found.identity.board or found.identity.cpu or "",
        architecture=found.machine.architecture,
        system=found.identity.system or found.machine.system,
    )
    write_inventory([*entries, entry])
    _print_survey(name, found)
    click.echo(f"Measure on it with `edgernn profile out/ --device {name}`.")
    return 0


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_devices(as_json: bool) -> int:
    """Tell which devices are known."""
    from edgernn.devices.inventory import inventory_path, read_inventory

    entries = read_inventory()
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in entries]))
    elif entries:
        width = max(len(entry.name) for entry in entries)
        for entry in entries:
            click.echo(f"{entry.name:{width}}  {_described(entry)}")
    else:
        click.echo(f"No device is named in {inventory_path()}.", err=True)
        click.echo("Add one with `edgernn devices add pi@raspberrypi.local`.", err=True)
    return 0


@command.command("check")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def check(name: str, as_json: bool) -> int:
    """Connect to a device (a name, or user@host) and tell how it is."""
    found = _surveyed(name)
    if as_json:
        click.echo(json.dumps(asdict(found)))
    else:
        _print_survey(name, found)
    return 0


@command.command("remove")
@click.argument("name")
def remove(name: str) -> int:
    """Forget a device, and the host key that was confirmed for it."""
    from edgernn.devices.host_key import forget
    from edgernn.devices.inventory import named, read_inventory, write_inventory
    from edgernn.errors import DeviceError

    entry = named(name)
    if entry is None:
        raise DeviceError(f"there is no device '{name}'", remedy="See `edgernn devices list`")
    others = [one for one in read_inventory() if one.name != name]
    write_inventory(others)
    if all(one.address != entry.address for one in others):
        forget(entry.address)
    click.echo(f"Forgot {name}.")
    return 0


def _confirmed(address: str, fingerprint: str | None) -> bool:
    """Shows the key and keeps it if a person, or the fingerprint given, says that it is right."""
    from edgernn.devices.host_key import keep, shown_key

    key = shown_key(address)
    if fingerprint is None:
        click.echo(f"{address} shows this host key, which is not known yet:", err=True)
        for line in key.fingerprints:
            click.echo(f"  {line}", err=True)
        click.echo(
            "Compare it with what the device itself prints:\n"
            "  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
            err=True,
        )
        accepted = click.confirm("Is it the same, and shall it be trusted?", err=True)
    else:
        accepted = any(fingerprint in line.split() for line in key.fingerprints)
    if accepted:
        keep(key)
    return accepted


def _surveyed(spec: str) -> Survey:
    from edgernn.devices import open_device
    from edgernn.devices.survey import survey

    with open_device(spec) as device:
        return survey(device)


def _described(entry: Entry) -> str:
    facts = [entry.board, entry.architecture, entry.system]
    return f"{entry.kind}:{entry.address}  {', '.join(fact for fact in facts if fact)}"


def _print_survey(name: str, found: Survey) -> None:
    identity, now, machine = found.identity, found.conditions, found.machine
    board = identity.board or identity.cpu or "unknown board"
    click.echo(f"{name}: {board}, {machine.cores} × {identity.cpu or machine.architecture}")
    click.echo(f"  system       {identity.system or '–'}, {machine.system}, {machine.architecture}")
    click.echo(f"  instructions {' '.join(identity.isa) or '–'}")
    click.echo(f"  Python       {found.python or 'none: native models only'}")
    if now.governors:
        click.echo(f"  governor     {', '.join(now.governors)}")
    if now.temperature_c is not None:
        click.echo(f"  temperature  {now.temperature_c:.0f} °C")
    if now.throttling is not None:
        word = now.throttling
        state = "under-voltage" if word.under_voltage else "slowed" if word.slowed else "none"
        since = ", but it happened since boot" if word.happened and state == "none" else ""
        click.echo(f"  throttling   {state}{since} (0x{word.word:x})")
    if identity.emulated:
        click.echo(f"  emulated     {identity.emulated}: no times will be told")
