"""Values of `edgernn export`'s options: formats, schemes, and options of single formats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from edgernn.formats import FORMATS
from edgernn.scheme import Scheme

_SCHEMES = ", ".join(scheme.value for scheme in Scheme)


class BackendList(click.ParamType[tuple[str, ...]]):
    """Back ends by name, separated by commas."""

    name = "backends"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002
        return ",".join(FORMATS)

    def convert(
        self,
        value: str | tuple[str, ...],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(name.strip() for name in value.split(",")))
        for name in names:
            if name not in FORMATS:
                self.fail(f"'{name}' is not one of {', '.join(FORMATS)}", param, ctx)
        return names


F = TypeVar("F", bound=Callable[..., Any])


def format_options(function: F) -> F:
    """Declares the options that only one format knows, from the rows of `edgernn.formats`.

    The command gets each as `FormatOption.parameter`; `options_by_format` sorts them.
    """
    rows = [option for row in FORMATS.values() for option in row.options]
    for option in reversed(rows):  # click lists the decorators from the top down
        choice = click.Choice(option.choices)
        function = click.option(option.flag, type=choice, help=option.help)(function)
    return function
