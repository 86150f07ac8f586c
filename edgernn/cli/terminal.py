"""Warnings on stderr."""

from __future__ import annotations

import click


def print_warning(text: str) -> None:
    click.echo(f"{click.style('warning:', fg='yellow', bold=True)} {text}", err=True)
