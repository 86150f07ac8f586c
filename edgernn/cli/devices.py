"""`edgernn devices`: the devices that the user named, and whether they are ready."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from edgernn.cli.completion import complete_devices, known_devices
from edgernn.cli.terminal import print_note
from edgernn.cli.verbosity import is_quiet
from edgernn.devices.kinds import checked_name, spellings, to_be_added

if TYPE_CHECKING:
    from edgernn.devices.facts import Battery
    from edgernn.devices.inventory import Entry
    from edgernn.devices.survey import Survey


@click.group()
def command() -> None:
    """Name the devices that artefacts are measured on.

    \b
    edgernn devices add pi@raspberrypi.local --name kitchen
    edgernn devices add android --name phone
    edgernn devices list --json
    edgernn devices check kitchen
    edgernn devices remove kitchen
    edgernn profile out/ --device kitchen --data digits:test
    """


_ADD_HELP = f"""Connect to a device, and save its name and what it is.

ADDRESS is one of: {", ".join(spellings(addable=True))}.

An SSH server's host key is shown, and you are asked whether it is the right one.
"""


@command.command("add", help=_ADD_HELP)
@click.argument("address")
@click.option(
    "--name", metavar="NAME", help="Name of the device; default: its host name, or phone."
)
@click.option(
    "--fingerprint",
    metavar="SHA256:…",
    help="Accept the host key with this fingerprint without asking: for scripts.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was saved as JSON.")
def add(address: str, name: str | None, fingerprint: str | None, as_json: bool) -> int:
    from edgernn.devices.inventory import Entry, keep_entry
    from edgernn.errors import DeviceError

    kind, wanted = to_be_added(address)
    address = kind.found(wanted)
    name = _free_name(name or kind.default_name(address))
    if kind.has_host_key and not _trusted(address, fingerprint):
        click.echo("edgernn: the host key was not accepted; nothing was changed", err=True)
        return DeviceError.code
    found = _surveyed(f"{kind.name}:{address}")
    identity = found.identity
    entry = Entry(
        name=name,
        kind=kind.name,
        address=address,
        board=identity.board or identity.cpu or "",
        soc=identity.soc or "",
        architecture=found.machine.architecture,
        abis=",".join(identity.abis),
        system=identity.system or found.machine.system,
        emulated=identity.emulated or "",
    )
    keep_entry(entry)
    if as_json:
        click.echo(json.dumps(asdict(entry)))
    else:
        _print_survey(name, found, kind.without_python)
        if not is_quiet():
            click.echo(f"Measure on it with `edgernn profile out/ --device {name}`.")
    return 0


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_devices(as_json: bool) -> int:
    """List the devices that have a name."""
    from edgernn.devices.inventory import inventory_path, read_inventory

    entries = read_inventory()
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in entries]))
    elif entries:
        width = max(len(entry.name) for entry in entries)
        for entry in entries:
            click.echo(f"{entry.name:{width}}  {_described(entry)}")
    else:
        print_note(f"There are no devices in {inventory_path()}.")
        print_note("Add one with `edgernn devices add pi@raspberrypi.local`.")
    return 0


@command.command("check")
@click.argument("names", nargs=-1, metavar="[NAME]…", shell_complete=complete_devices)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of those that are ready.")
def check(names: tuple[str, ...], as_json: bool) -> int:
    """Connect to devices and show their state.

    NAME is what --device takes; default: all devices of `edgernn devices list`.
    Exit code 10 if one is not ready.
    """
    from edgernn.devices import without_python
    from edgernn.devices.inventory import read_inventory
    from edgernn.errors import DeviceError

    chosen = names or tuple(entry.name for entry in read_inventory())
    if not chosen:
        raise DeviceError(
            "there are no devices to check",
            remedy="Name one, or run `edgernn devices add pi@raspberrypi.local`",
        )
    status = 0
    ready = []
    for name in chosen:
        try:
            found = _surveyed(name)
        except DeviceError as error:
            click.echo(f"edgernn: {error}", err=True)
            status = DeviceError.code
            continue
        if as_json:
            ready.append({"name": name, **asdict(found)})
        else:
            _print_survey(name, found, without_python(name))
    if as_json:
        click.echo(json.dumps(ready))
    return status


@command.command("remove")
@click.argument("name", shell_complete=known_devices)
@click.option("--json", "as_json", is_flag=True, help="Print what was removed as JSON.")
def remove(name: str, as_json: bool) -> int:
    """Remove a device, and the host key that you confirmed for it."""
    from edgernn.devices.host_key import forget
    from edgernn.devices.inventory import forget_entry, named, read_inventory
    from edgernn.devices.kinds import KINDS
    from edgernn.errors import DeviceError

    entry = named(name)
    if entry is None:
        raise DeviceError(f"there is no device '{name}'", remedy="See `edgernn devices list`")
    forget_entry(name)
    kind = KINDS.get(entry.kind)
    has_key = kind is not None and kind.has_host_key and not entry.ssh_command
    if has_key and all(one.address != entry.address for one in read_inventory()):
        forget(entry.address)
    click.echo(json.dumps(asdict(entry)) if as_json else f"Removed {name}.")
    return 0


def _free_name(name: str) -> str:
    """Raises DeviceError where no device can have this name, or one has it already."""
    from edgernn.devices.inventory import named
    from edgernn.errors import DeviceError

    if named(checked_name(name)):
        raise DeviceError(
            f"there is already a device '{name}'",
            remedy="Choose another --name, or run `edgernn devices remove` first",
        )
    return name


def _trusted(address: str, fingerprint: str | None) -> bool:
    """Whether the host's key is known, or was confirmed just now."""
    from edgernn.devices.host_key import is_known
    from edgernn.devices.ssh import checked_destination

    return is_known(checked_destination(address)) or _confirmed(address, fingerprint)


def _confirmed(address: str, fingerprint: str | None) -> bool:
    """Shows the key and keeps it if a person, or the fingerprint given, says that it is right."""
    from edgernn.devices.host_key import keep, shown_key
    from edgernn.errors import DeviceError

    key = shown_key(address)
    if fingerprint is None:
        click.echo(f"The host key of {address} is new here:", err=True)
        for line in key.fingerprints:
            click.echo(f"  {line}", err=True)
        click.echo(
            "Compare it with what the device itself prints:\n"
            "  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
            err=True,
        )
        try:
            accepted = click.confirm("Is it the same? Trust it from now on?", err=True)
        except click.Abort as error:  # nobody is there to answer, or Ctrl-C
            raise DeviceError(
                f"the host key of {address} was not confirmed; nothing was changed",
                remedy="In a script, use --fingerprint SHA256:…",
            ) from error
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
    facts = [entry.board, entry.soc, entry.abis or entry.architecture, entry.system]
    return f"{entry.kind}:{entry.address}  {', '.join(fact for fact in facts if fact)}"


def _print_survey(name: str, found: Survey, without_python: str) -> None:
    identity, now, machine = found.identity, found.conditions, found.machine
    board = identity.board or identity.cpu or "unknown board"
    click.echo(f"{name}: {board}, {machine.cores} × {identity.cpu or machine.architecture}")
    click.echo(f"  system       {identity.system or '–'}, {machine.system}, {machine.architecture}")
    if identity.soc:
        click.echo(f"  SoC          {identity.soc}")
    if identity.abis:
        click.echo(f"  ABIs         {' '.join(identity.abis)}")
    click.echo(f"  instructions {' '.join(identity.isa) or '–'}")
    click.echo(f"  Python       {found.python or f'none: {without_python}'}")
    if now.governors:
        click.echo(f"  governor     {', '.join(now.governors)}")
    if now.temperature_c is not None:
        click.echo(f"  temperature  {now.temperature_c:.0f} °C")
    if now.throttling is not None:
        word = now.throttling
        state = "under-voltage" if word.under_voltage else "slowed" if word.slowed else "none"
        since = ", but it happened since boot" if word.happened and state == "none" else ""
        click.echo(f"  throttling   {state}{since} (0x{word.word:x})")
    if now.battery is not None:
        click.echo(f"  battery      {_charge(now.battery)}")
    if identity.emulated:
        click.echo(f"  emulated     {identity.emulated}: profiles report no times")


def _charge(battery: Battery) -> str:
    from edgernn.units import percent

    plugged = "charging" if battery.charging else "not charging"
    warm = "" if battery.temperature_c is None else f", {battery.temperature_c:.0f} °C"
    low = ": phones slow down when it is low; charge it before you measure" if battery.low else ""
    return f"{percent(battery.level, digits=0)}, {plugged}{warm}{low}"
