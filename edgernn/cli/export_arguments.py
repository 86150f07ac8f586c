"""Values of `edgernn export`'s options: formats, schemes, and options of single formats."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import TypeVar

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


def split_schemes(given: Sequence[str]) -> tuple[Scheme, dict[str, Scheme]]:
    """The scheme of the model, and those of single layers."""
    whole, per_layer = Scheme.FLOAT32, {}
    for entry in given:
        layer, _, name = entry.rpartition("=")
        if name not in {scheme.value for scheme in Scheme}:
            near = difflib.get_close_matches(name, [scheme.value for scheme in Scheme], n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Known are {_SCHEMES}."
            raise click.BadParameter(f"there is no scheme '{name}'. {hint}", param_hint="--scheme")
        if layer:
            per_layer[layer] = Scheme(name)
        else:
            whole = Scheme(name)
    return whole, per_layer


F = TypeVar("F", bound=Callable[..., object])


def format_options(function: F) -> F:
    """Declares the options that only one format knows, from the rows of `edgernn.formats`.

    The command gets each as `FormatOption.parameter`; `options_by_format` sorts them.
    """
    rows = [option for row in FORMATS.values() for option in row.options]
    for option in reversed(rows):  # click lists the decorators from the top down
        choice = click.Choice(option.choices)
        function = click.option(option.flag, type=choice, help=option.help)(function)
    return function
