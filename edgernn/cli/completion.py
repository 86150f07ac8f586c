"""What the shell completes on the command line."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem


def known_devices(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """`shell_complete` for an argument that is the name of one device in devices.toml."""
    from edgernn.devices.inventory import read_inventory
    from edgernn.errors import DeviceError

    try:
        entries = read_inventory()
    except DeviceError:  # the command itself reports a broken devices.toml
        return []
    return [
        CompletionItem(entry.name, help=entry.board)
        for entry in entries
        if entry.name.startswith(incomplete)
    ]


def complete_devices(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """`shell_complete` for --device: kinds and names, also the last of several with commas."""
    from edgernn.devices.kinds import spellings

    before, comma, last = incomplete.rpartition(",")
    kinds = [CompletionItem(word) for word in spellings() if word.isalnum()]
    items = [item for item in kinds if item.value.startswith(last)]
    items += known_devices(context, parameter, last)
    return [CompletionItem(f"{before}{comma}{item.value}", help=item.help) for item in items]
