"""Warnings and notes on stderr."""

from __future__ import annotations

import click

from edgernn.cli.verbosity import is_quiet
from edgernn.printable import printable


def print_warning(text: str) -> None:
    click.echo(f"{click.style('warning:', fg='yellow', bold=True)} {printable(text)}", err=True)


def print_note(text: str) -> None:
    """What is good to know and no result; --quiet hides it."""
    if not is_quiet():
        click.echo(printable(text), err=True)
