"""`edgernn devices`: the targets that the user named, and whether they are ready."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from edgernn.devices.facts import Battery
    from edgernn.devices.inventory import Entry
    from edgernn.devices.survey import Survey


@click.group()
def command() -> None:
    """Name the boards that artefacts are measured on.

    \b
    edgernn devices add pi@raspberrypi.local --name kitchen
    edgernn devices add android --name phone
    edgernn devices list --json
    edgernn devices check kitchen
    edgernn devices remove kitchen
    edgernn profile out/ --device kitchen --data digits:test
    """


@command.command("add")
@click.argument("address")
@click.option("--name", metavar="NAME", help="What to call it; else its host's name, or phone.")
@click.option(
    "--fingerprint",
    metavar="SHA256:…",
    help="Accept the host key with this fingerprint without asking: for scripts.",
)
def add(address: str, name: str | None, fingerprint: str | None) -> int:
    """Get to know user@host, android or android:SERIAL: test it, write down what it is.

    A host's key is shown, and you are asked whether it is the right one.
    """
    from edgernn.devices.adb import ready_serial
    from edgernn.devices.inventory import Entry, read_inventory, write_inventory
    from edgernn.errors import DeviceError

    kind, _, wanted = address.partition(":")
    if kind == "android":
        address = ready_serial(wanted)
        name = _free_name(name or "phone")
    else:
        kind = "ssh"
        name = _free_name(name or _host_name(address))
        if not _trusted(address, fingerprint):
            click.echo("edgernn: the host key was not accepted; nothing was changed", err=True)
            return DeviceError.code
    found = _surveyed(f"{kind}:{address}")
    identity = found.identity
    entry = Entry(
        name=name,
        kind=kind,
        address=address,
        board=identity.board or identity.cpu or "",
        soc=identity.soc or "",
        architecture=found.machine.architecture,
        abis=",".join(identity.abis),
        system=identity.system or found.machine.system,
    )
    write_inventory([*read_inventory(), entry])
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
@click.argument("names", nargs=-1, metavar="[NAME]…")
@click.option("--json", "as_json", is_flag=True, help="As JSON, a line for each device.")
def check(names: tuple[str, ...], as_json: bool) -> int:
    """Connect to devices (names, user@host, android; or else all known ones); tell how they are.

    Exit code 10 where one is not ready.
    """
    from edgernn.devices.inventory import read_inventory
    from edgernn.errors import DeviceError

    chosen = names or tuple(entry.name for entry in read_inventory())
    if not chosen:
        raise DeviceError(
            "no device is known",
            remedy="Name one, or run `edgernn devices add pi@raspberrypi.local`",
        )
    status = 0
    for name in chosen:
        try:
            found = _surveyed(name)
        except DeviceError as error:
            click.echo(f"edgernn: {error}", err=True)
            status = DeviceError.code
            continue
        if as_json:
            click.echo(json.dumps({"name": name, **asdict(found)}))
        else:
            _print_survey(name, found)
    return status


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
    if entry.kind == "ssh" and all(one.address != entry.address for one in others):
        forget(entry.address)
    click.echo(f"Forgot {name}.")
    return 0


def _host_name(address: str) -> str:
    """Of pi@kitchen.local "kitchen"; a number stays whole, with dashes: 192-168-1-5."""
    host = address.rpartition("@")[2].strip("[]")
    is_number = not re.search("[g-zG-Z]", host.partition(".")[0]) and re.search(r"[.:]\d*$", host)
    return re.sub("[.:]+", "-", host) if is_number else host.partition(".")[0]


def _free_name(name: str) -> str:
    """Raises DeviceError where no device can be called so, or one is already."""
    from edgernn.devices.inventory import checked_name, named
    from edgernn.errors import DeviceError

    if named(checked_name(name)):
        raise DeviceError(
            f"there is a device '{name}' already",
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
        click.echo(f"{address} shows this host key, which is not known yet:", err=True)
        for line in key.fingerprints:
            click.echo(f"  {line}", err=True)
        click.echo(
            "Compare it with what the device itself prints:\n"
            "  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
            err=True,
        )
        try:
            accepted = click.confirm("Is it the same, and shall it be trusted?", err=True)
        except click.Abort as error:  # nobody is there to answer, or Ctrl-C
            raise DeviceError(
                f"the host key of {address} was not confirmed; nothing was changed",
                remedy="Give --fingerprint SHA256:… where nobody can be asked",
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


def _print_survey(name: str, found: Survey) -> None:
    identity, now, machine = found.identity, found.conditions, found.machine
    board = identity.board or identity.cpu or "unknown board"
    click.echo(f"{name}: {board}, {machine.cores} × {identity.cpu or machine.architecture}")
    click.echo(f"  system       {identity.system or '–'}, {machine.system}, {machine.architecture}")
    if identity.soc:
        click.echo(f"  SoC          {identity.soc}")
    if identity.abis:
        click.echo(f"  ABIs         {' '.join(identity.abis)}")
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
    if now.battery is not None:
        click.echo(f"  battery      {_charge(now.battery)}")
    if identity.emulated:
        click.echo(f"  emulated     {identity.emulated}: no times will be told")


def _charge(battery: Battery) -> str:
    plugged = "charging" if battery.charging else "not charging"
    warm = "" if battery.temperature_c is None else f", {battery.temperature_c:.0f} °C"
    low = ": phones slow down to save it; plug it in before you measure" if battery.low else ""
    return f"{battery.level:.0%}, {plugged}{warm}{low}"
