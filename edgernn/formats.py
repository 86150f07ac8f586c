"""The file formats that models are exported to: one row holds all that belongs to a format.

This module imports none of what it names, so that a command's help and a file's suffix cost
nothing.  The code behind a row is named as in an entry point, "package.module:NAME", and is loaded
by `edgernn.export.backend_named` and `edgernn.devices.runners.runner_for`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePath
from typing import Final

from edgernn.scheme import Scheme


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatOption:
    """A choice that only one format knows: an option of `edgernn export` and of its back end."""

    flag: str  # on the command line: "--onnx-gru"
    name: str  # the keyword of the back end's `lower`: "gru"
    choices: tuple[str, ...]
    help: str

    @property
    def parameter(self) -> str:
        """The option's name among the parameters of a command: "onnx_gru"."""
        return self.flag.lstrip("-").replace("-", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A file format.

    name: on the command line, in manifests and in reports.
    suffix: of its files, with the dot.
    schemes: those that it can store; an export refuses the others, or leaves the format out.
    reason: why it lacks the others.
    backend: where its `edgernn.export.backend.Backend` is.
    runner: where its `edgernn.devices.runners.runner.Runner` is; None where nothing runs its files:
    they are written without a check and cannot be profiled.
    threads: whether its runtime shares out one call among threads.
    """

    name: str
    suffix: str
    schemes: frozenset[Scheme]
    reason: str = ""
    backend: str
    runner: str | None = None
    threads: bool = False
    options: tuple[FormatOption, ...] = ()


_STOCK: Final = frozenset(Scheme) - {Scheme.INT4}
_NO_NIBBLES: Final = "its runtimes have no GRU or LSTM with weights of 4 bits"

_ROWS: Final = (
    Format(
        name="onnx",
        suffix=".onnx",
        schemes=_STOCK,
        reason=_NO_NIBBLES,
        backend="edgernn.export.onnx:BACKEND",
        runner="edgernn.devices.runners.vendor_runtime:ONNX_RUNTIME",
        threads=True,
        options=(
            FormatOption(
                flag="--onnx-gru",
                name="gru",
                choices=("auto", "storage", "scan", "customop"),
                help="How an int8 GRU is written: int8 weights with float arithmetic (storage), an "
                "int8 loop (scan), or edgernn's own operator (customop, for an LSTM too). The "
                "operator is the fastest; the app that runs it must register edgernn's library.",
            ),
            FormatOption(
                flag="--onnx-lstm",
                name="lstm",
                choices=("auto", "storage"),
                help="How an int8 LSTM is written: ONNX Runtime's int8 LSTM (auto), or int8 "
                "weights with float arithmetic (storage).",
            ),
            FormatOption(
                flag="--onnx-profile",
                name="profile",
                choices=("default", "qnn", "portable"),
                help="qnn: QDQ for Qualcomm's NPU; portable: plain operators, for OpenCV and other "
                "runtimes.",
            ),
        ),
    ),
    Format(
        name="tflite",
        suffix=".tflite",
        schemes=_STOCK,
        reason=_NO_NIBBLES,
        backend="edgernn.export.tflite:BACKEND",
        runner="edgernn.devices.runners.vendor_runtime:LITERT",
        options=(
            FormatOption(
                flag="--tflite-profile",
                name="profile",
                choices=("default", "integer-only", "micro"),
                help="integer-only: for NPUs and MCUs without floats; micro: for tflite-micro.",
            ),
            FormatOption(
                flag="--runtime-min",
                name="runtime_min",
                choices=("litert", "2.14"),
                help="Oldest TFLite runtime to support: 2.14 is the last tflite-runtime.",
            ),
            FormatOption(
                flag="--io",
                name="io",
                choices=("float32", "int8", "uint8"),
                help="Type of the inputs and outputs of an int8 .tflite file.",
            ),
        ),
    ),
    Format(
        name="native",
        suffix=".ernn",
        schemes=frozenset(Scheme),
        backend="edgernn.export.native:BACKEND",
        runner="edgernn.devices.runners.native:NATIVE",
    ),
)

#: By name, in the order of a table's rows.
FORMATS: Final[dict[str, Format]] = {row.name: row for row in _ROWS}


def format_named(name: str) -> Format:
    """The format called `name`.

    Raises ValueError, with the nearest name, where there is none.

    >>> format_named("native").suffix
    '.ernn'
    """
    if name not in FORMATS:
        near = get_close_matches(name, FORMATS, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else f"The formats are {', '.join(FORMATS)}."
        raise ValueError(f"there is no format '{name}'. {hint}")
    return FORMATS[name]


def format_of(path: str | PurePath) -> Format | None:
    """The format of a file by its suffix; None where no format has it.

    >>> format_of("out/gru.int8.tflite").name
    'tflite'
    """
    suffix = PurePath(path).suffix
    return next((row for row in FORMATS.values() if row.suffix == suffix), None)


def suffixes() -> tuple[str, ...]:
    """The suffixes of all formats, for messages: (".onnx", ".tflite", ".ernn")."""
    return tuple(row.suffix for row in FORMATS.values())


def options_by_format(given: Mapping[str, str | None]) -> dict[str, dict[str, str]]:
    """What the user chose, by format and by the back end's own keyword.

    given: values by `FormatOption.parameter`; None where the user chose nothing.

    >>> options_by_format({"onnx_gru": "scan", "runtime_min": None})
    {'onnx': {'gru': 'scan'}}
    """
    chosen: dict[str, dict[str, str]] = {}
    for row in FORMATS.values():
        for option in row.options:
            value = given.get(option.parameter)
            if value is not None:
                chosen.setdefault(row.name, {})[option.name] = value
    return chosen
