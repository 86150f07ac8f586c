"""The C library: loaded when first used, its statuses as exceptions."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from edgernn.errors import DataError, MissingRuntime, ModelFileError
from edgernn.printable import shown

try:
    _ernn: Any = import_module("edgernn.runtime._ernn")
except ImportError as error:
    raise MissingRuntime(
        "the native runtime was not built when edgernn was installed",
        remedy="Install a C compiler (gcc or clang), then install edgernn again",
    ) from error

ffi: Final[Any] = _ernn.ffi
lib: Final[Any] = _ernn.lib

OK: Final = 0
NO_RESULT: Final[int] = lib.ERNN_NO_RESULT
_NOT_ERNN: Final = 1  # the status of ernn.h

#: Instruction sets by the name that `Model(isa=...)` takes.
ISA_BY_NAME: Final[dict[str, int]] = {
    ffi.string(lib.ernn_isa_name(number)).decode(): number for number in range(lib.ERNN_ISA_COUNT)
}


def available_isas() -> tuple[str, ...]:
    """The instruction sets that this processor and this build have, "portable" first.

    >>> "portable" in available_isas()
    True
    """
    return tuple(
        name
        for name, number in ISA_BY_NAME.items()
        if name != "auto" and lib.ernn_isa_available(number)
    )


def text(pointer: Any) -> str:
    """A string of the library's, or of a model file: bytes that are not UTF-8 show as U+FFFD."""
    return str(ffi.string(pointer).decode(errors="replace"))


def status_text(status: int) -> str:
    return text(lib.ernn_status_text(status))


def check_model(status: int, where: str, refusal: Any = None) -> None:
    """Raises ModelFileError unless the library could use the file.

    `refusal`: an ernn_refusal, where the library said what in the file it refused.
    """
    if status != OK:
        if refusal is not None and refusal.layer:
            where = f"{where}, layer {shown(text(refusal.layer))}"
        remedy = "Export the model again with this edgernn"
        if status == _NOT_ERNN:
            remedy = "Give the .ernn file that an export to native wrote"
        raise ModelFileError(f"{where}: {status_text(status)}", remedy=remedy)


def check_run(status: int, session: Any = None) -> None:
    """Raises DataError unless the library could run the model on what it was given.

    `session`: the one that ran; the error names the layer that refused, if one did.
    """
    if status != OK:
        layer = lib.ernn_refusing_layer(session) if session is not None else ffi.NULL
        where = f"layer {shown(text(layer))}: " if layer else ""
        raise DataError(where + status_text(status))
