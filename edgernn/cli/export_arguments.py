"""Values of `edgernn export`'s options: formats, schemes, and what only one format knows."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Final

import click

from edgernn.export import BACKENDS
from edgernn.scheme import Scheme

_SCHEMES = ", ".join(scheme.value for scheme in Scheme)


class BackendList(click.ParamType[tuple[str, ...]]):
    """Back ends by name, separated by commas."""

    name = "backends"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002
        return ",".join(BACKENDS)

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
            if name not in BACKENDS:
                self.fail(f"'{name}' is not one of {', '.join(BACKENDS)}", param, ctx)
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


#: Option on the command line -> (back end, its own name for it).
_FORMAT_OPTIONS: Final = {
    "onnx_gru": ("onnx", "gru"),
    "onnx_profile": ("onnx", "profile"),
    "tflite_profile": ("tflite", "profile"),
    "runtime_min": ("tflite", "runtime_min"),
}


def format_options(given: Mapping[str, str | None]) -> dict[str, dict[str, str]]:
    """By back end, the options that the user gave."""
    options: dict[str, dict[str, str]] = {}
    for option, value in given.items():
        if value is not None:
            backend, name = _FORMAT_OPTIONS[option]
            options.setdefault(backend, {})[name] = value
    return options
