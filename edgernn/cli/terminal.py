"""What goes to stderr: the line that says what is going on, and warnings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def progress_line(first_phase: str) -> Iterator[Callable[[str], None]]:
    """A spinner with the present phase, on a terminal only; gone when the block ends."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _phase: None
        return
    with console.status(first_phase) as status:
        yield status.update


def print_warning(text: str) -> None:
    click.echo(f"{click.style('warning:', fg='yellow', bold=True)} {text}", err=True)
