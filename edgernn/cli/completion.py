"""What the shell completes on the command line.

A function here is a `shell_complete` of click.  It never fails: where a file is damaged it
completes nothing, and the command itself reports the damage.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem

#: Files that hold data, as edgernn.tasks.data reads them.
_DATA_SUFFIXES: Final = frozenset({".npz", ".csv"})


def known_devices(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The name of one device in devices.toml."""
    from edgernn.devices.inventory import read_inventory
    from edgernn.errors import DeviceError

    try:
        entries = read_inventory()
    except DeviceError:
        return []
    return _starting((CompletionItem(one.name, help=one.board) for one in entries), incomplete)


def complete_devices(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Kinds and names of devices, with commas between them."""
    from edgernn.devices.kinds import spellings

    kinds = [CompletionItem(word) for word in spellings() if word.isalnum()]
    return _listed([*kinds, *known_devices(context, parameter, "")], incomplete)


def complete_tasks(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The name of a reference task."""
    from edgernn.tasks.registry import TASKS

    tasks = (CompletionItem(task.name, help=task.title) for task in TASKS.values())
    return _starting(tasks, incomplete)


def complete_data(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """A part of a task (digits:test), a file of data, or a folder."""
    from edgernn.tasks.registry import TASKS
    from edgernn.tasks.samples import Split

    parts = (
        CompletionItem(f"{task.name}:{split.value}", help=task.title)
        for task in TASKS.values()
        for split in Split
    )
    return [*_starting(parts, incomplete), *_data_files(incomplete)]


def complete_formats(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Formats, with commas between them."""
    from edgernn.formats import FORMATS

    rows = [CompletionItem(row.name, help=f"a {row.suffix} file") for row in FORMATS.values()]
    return _listed(rows, incomplete)


def complete_schemes(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Schemes and LAYER=SCHEME, with commas between them."""
    from edgernn.scheme import Scheme

    schemes = [CompletionItem(scheme.value) for scheme in Scheme]
    if not incomplete or "auto".startswith(incomplete):
        schemes.append(CompletionItem("auto"))
    before, comma, last = incomplete.rpartition(",")
    layer, equals, _ = last.rpartition("=")
    if equals:
        return _starting(_after(f"{before}{comma}{layer}=", schemes), incomplete)
    layers = [CompletionItem(f"{name}=") for name in _layers(context)]
    return _listed([*schemes, *layers], incomplete)


def complete_layers(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The name of a layer of MODEL."""
    return _starting(map(CompletionItem, _layers(context)), incomplete)


def _layers(context: click.Context) -> tuple[str, ...]:
    """Layers of the MODEL that stands before the cursor."""
    from edgernn.errors import EdgernnError
    from edgernn.export.reading import read_source

    # click stops at an option without a value, and leaves arguments before it in `args`.
    words = (context.params.get("model"), *context.args)
    model = next((word for word in words if word and Path(word).is_file()), None)
    if model is None:
        return ()
    try:
        return tuple(layer.name for layer in read_source(Path(model)).graph.layers)
    except EdgernnError:
        return ()


def _data_files(incomplete: str) -> list[CompletionItem]:
    """Files of data and folders whose path starts like this; a folder ends in a slash."""
    typed = Path(incomplete or ".")
    folder = typed if not incomplete or incomplete.endswith("/") else typed.parent
    start = incomplete[: incomplete.rfind("/") + 1]
    try:
        found = sorted(folder.iterdir())
    except OSError:
        return []
    names = [
        f"{start}{path.name}{'/' if path.is_dir() else ''}"
        for path in found
        if path.is_dir() or path.suffix.lower() in _DATA_SUFFIXES
    ]
    hidden = incomplete[len(start) :].startswith(".")
    shown = [name for name in names if hidden or not name[len(start) :].startswith(".")]
    return _starting(map(CompletionItem, shown), incomplete)


def _starting(items: Iterable[CompletionItem], incomplete: str) -> list[CompletionItem]:
    return [item for item in items if item.value.startswith(incomplete)]


def _listed(items: Iterable[CompletionItem], incomplete: str) -> list[CompletionItem]:
    """The last of several with commas; those before it are not offered again."""
    before, comma, _ = incomplete.rpartition(",")
    given = before.split(",")
    left = [item for item in items if item.value not in given]
    return _starting(_after(f"{before}{comma}", left), incomplete)


def _after(start: str, items: Iterable[CompletionItem]) -> list[CompletionItem]:
    return [CompletionItem(f"{start}{item.value}", help=item.help) for item in items]
