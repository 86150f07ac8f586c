"""How far each device is, on a terminal: one line a device, drawn only when something happened.

A bar that moved by itself would take time from what is measured on this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgernn.profile.pool import Advance


@contextmanager
def bars(devices: int) -> Iterator[Callable[[Advance], None]]:
    """Shows each advance on stderr, or on anything but a terminal nothing at all."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    names = (TextColumn("{task.fields[device]}"),) if devices > 1 else ()
    shown = Bars(
        *names,
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=True,
        auto_refresh=False,
        disable=not console.is_terminal,
    )
    lines: dict[str, TaskID] = {}

    def show(advance: Advance) -> None:
        name, progress = advance.device, advance.progress
        if name not in lines:
            lines[name] = shown.add_task("", total=None, device=name)
        if progress is None:
            done = shown.tasks[shown.task_ids.index(lines[name])].completed
            said = "failed" if advance.failure else "done"
            shown.update(lines[name], total=max(done, 1), description=said, refresh=True)
            return
        shown.update(
            lines[name],
            completed=progress.done,
            total=progress.total,
            description=progress.next,
            refresh=True,
        )

    with shown:
        yield show
