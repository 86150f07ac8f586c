"""Every deliberate error: its class is its exit code and its whole message.

The library raises these; only `edgernn.cli` prints them.  A message says what failed, why, and
what to do next.  Exit code 1 is left to bugs (an unexpected exception), 2 to wrong usage of the
command line, 130 to Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from edgernn.printable import printable, shown


class EdgernnError(Exception):
    """Something the user can act on.  `code` is the process's exit code.

    outcome: a sentence on what succeeded all the same; "" where nothing did.
    made: the `Made` of an export of which some files passed; None otherwise.
    warnings: sentences on an export of which nothing passed: they may name the cause.
    """

    code: ClassVar[int] = 1
    outcome: str = ""
    made: Any = None
    warnings: tuple[str, ...] = ()

    def __init__(self, what: str, *, remedy: str = "") -> None:
        self.what = printable(what)
        self.remedy = printable(remedy)
        super().__init__(f"{self.what}. {self.remedy}" if remedy else self.what)

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text}\n{printable(self.outcome)}" if self.outcome else text


class WrongOption(EdgernnError, ValueError):
    """Options that contradict each other, that change nothing, or that name what does not exist."""

    code = 2  # as click's own errors of usage


class ModelFileError(EdgernnError):
    """The file is not a Keras model, is damaged, or holds weights only."""

    code = 3


class UnsupportedLayer(EdgernnError):
    """The model holds a layer or an option that edgernn (or the chosen target) cannot express."""

    code = 4

    def __init__(self, *, layer: str, kind: str, where: str, reason: str, remedy: str) -> None:
        self.layer = layer
        self.kind = kind
        self.where = where
        self.reason = reason
        super().__init__(
            f"layer '{shown(layer)}' ({shown(kind)}, in {where}) {reason}", remedy=remedy
        )


class UnsupportedScheme(EdgernnError):
    """A format that was asked for cannot store the scheme that was asked for."""

    code = 15

    def __init__(
        self,
        *,
        format: str,  # noqa: A002
        scheme: str,
        known: Sequence[str],
        reason: str = "",
    ) -> None:
        because = f": {reason}" if reason else ""
        super().__init__(
            f"the format '{format}' has no scheme {scheme}{because}",
            remedy=f"Export it as {' or '.join(known)}, or choose another format with --to",
        )


class DataError(EdgernnError):
    """The data do not fit the model, are damaged, or hold NaN or infinity."""

    code = 5


class DownloadError(EdgernnError):
    """A data set is neither in the cache nor to be had, or its checksum is wrong."""

    code = 6


class OutputError(EdgernnError):
    """A result could not be written: no permission, no room, not a folder."""

    code = 7


class VerificationError(EdgernnError):
    """An artefact does not agree with the model it was made from."""

    code = 8


class LossTooLarge(VerificationError):
    """A file loses more on labelled rows than the user allows."""


class MissingRuntime(EdgernnError):
    """A package that this command needs is not installed."""

    code = 9


class MissingTool(MissingRuntime):
    """A program that this command needs, such as a compiler, is not installed."""


class DeviceError(EdgernnError):
    """The target cannot be reached, or a command failed there."""

    code = 10


class ConnectionLost(DeviceError):
    """The connection to the target was cut while something ran there.  Worth another try."""


class CalibrationError(EdgernnError):
    """Quantization lacks calibration data, or they do not fit."""

    code = 12


class IncomparableRuns(EdgernnError):
    """Measurements of different machines, versions or plans would have been put together."""

    code = 13


class BudgetExceeded(EdgernnError):
    """An artefact costs more than the budget allows."""

    code = 14


class TrainingFailed(EdgernnError):
    """A training of a comparison failed, or cannot end within the time that is given."""

    code = 16


EXIT_CODES: dict[int, type[EdgernnError]] = {
    error.code: error
    for error in (
        ModelFileError,
        UnsupportedLayer,
        DataError,
        DownloadError,
        OutputError,
        VerificationError,
        MissingRuntime,
        DeviceError,
        CalibrationError,
        IncomparableRuns,
        BudgetExceeded,
        UnsupportedScheme,
        TrainingFailed,
    )
}
