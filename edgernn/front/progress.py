"""How far a job is: on a terminal or in a notebook by default, else through a callback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from edgernn.profile.pool import Advance

#: Called with each step of a device.
Show: TypeAlias = Callable[[Advance], None]


@contextmanager
def progress_line(
    first_phase: str, callback: Callable[[str], None] | None = None
) -> Iterator[Callable[[str], None]]:
    """Yields what shows the present phase: `callback`, or a spinner on stderr.

    Without a callback, nothing is shown but on a terminal and in a notebook.
    """
    if callback is not None:
        callback(first_phase)
        yield callback
        return
    from rich.console import Console

    console = Console(stderr=True)
    if not (console.is_terminal or console.is_jupyter):
        yield lambda _phase: None
        return
    with console.status(first_phase) as status:
        yield status.update


@contextmanager
def device_bars(devices: int, callback: Show | None = None) -> Iterator[Show]:
    """Yields what shows an advance: `callback`, or a line for each device on stderr.

    Lines are drawn only when something happened, on a terminal or in a notebook.

    A bar that moved by itself would take time from what is measured on this machine.
    """
    if callback is not None:
        yield callback
        return
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
        disable=not (console.is_terminal or console.is_jupyter),
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
