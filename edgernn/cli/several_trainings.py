"""The options of commands that train more than one model: compare, search, demo."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from edgernn.cli.parameters import Duration, F

epochs = click.option("--epochs", type=click.IntRange(min=1), help="Maximum number of epochs.")
time_limit = click.option(
    "--time-limit", "time_limit_s", type=Duration(), help="For everything: 15min, 8h."
)
target = click.option(
    "--target",
    help="What y means (class, steps, numbers), or the columns of a .csv to predict.",
)
hold_out = click.option(
    "--hold-out", metavar="PATTERN", help="Test on the rows whose origin matches."
)
as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print report.json instead of the text."
)

hosts = click.option(
    "--hosts",
    default="",
    metavar="HOSTS",
    help="Machines that train, too, over ssh: user@host=4,user@other:/path/to/python.",
)


def progress_lines() -> Callable[[str], None] | None:
    """Where stderr is a file or a pipe, a line for each phase: such commands take long.

    None on a terminal, which shows one line that changes, and with --quiet and --verbose.
    """
    from edgernn.front.hidden import is_hidden

    if is_hidden() or sys.stderr.isatty():
        return None
    said: list[str] = []

    def show(phase: str) -> None:
        if said != [phase]:
            said[:] = [phase]
            click.echo(phase, err=True)

    return show


def workers(default: int = 1, least: int = 1) -> Callable[[F], F]:
    return click.option(
        "--workers",
        type=click.IntRange(least, 256),
        default=default,
        show_default=True,
        help="Trainings at a time; each takes one processor and up to 1.5 GB.",
    )


def models(note: str = "") -> Callable[[F], F]:
    """note: what else the order of the architectures decides."""
    return click.option(
        "--models",
        default="gru,lstm",
        show_default=True,
        help=f"Architectures, as for `train --cell`{note}.",
    )
