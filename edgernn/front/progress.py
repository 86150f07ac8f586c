"""How far a job is: on a terminal or in a notebook by default, else through a callback."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from edgernn.front.hidden import is_hidden
from edgernn.front.steps import logged_phases
from edgernn.profile.pool import Advance

_LOG: Final = logging.getLogger(__name__)

#: Called with each step of a device.
Show: TypeAlias = Callable[[Advance], None]


@contextmanager
def progress_line(
    first_phase: str, callback: Callable[[str], None] | None = None
) -> Iterator[Callable[[str], None]]:
    """Yields what shows the present phase: `callback`, or a spinner on stderr.

    Without a callback, nothing is shown but on a terminal and in a notebook.  Each phase is logged
    with its time.
    """
    with _phase_shown(first_phase, callback) as show, logged_phases(first_phase, show) as begin:
        yield begin


@contextmanager
def _phase_shown(
    first_phase: str, callback: Callable[[str], None] | None
) -> Iterator[Callable[[str], None]]:
    if callback is not None:
        callback(first_phase)
        yield callback
        return
    from rich.console import Console

    console = Console(stderr=True)
    if is_hidden() or not (console.is_terminal or console.is_jupyter):
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
    with _bars_shown(devices, callback) as shown:

        def show(advance: Advance) -> None:
            _log(advance)
            shown(advance)

        yield show


def _log(advance: Advance) -> None:
    name, progress = advance.device, advance.progress
    if progress is not None:
        what = progress.next or "storing the report"
        _LOG.info("%s: %d of %d processes are done; %s", name, progress.done, progress.total, what)
    elif advance.failure is not None:
        _LOG.info("%s: failed: %s", name, advance.failure)
    else:
        _LOG.info("%s: done", name)


@contextmanager
def _bars_shown(devices: int, callback: Show | None) -> Iterator[Show]:
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
        disable=is_hidden() or not (console.is_terminal or console.is_jupyter),
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
