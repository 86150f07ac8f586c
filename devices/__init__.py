"""Where artefacts are run: this machine, later a board over SSH or a phone over adb.

A device is three primitives, `run`, `push` and `pull`, over a private working directory on the
target; everything else is a function of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol

from typing_extensions import Self

from edgernn.errors import DeviceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a command on a device ended.  `signal` names what killed it, e.g. "SIGSEGV"."""

    exit_code: int | None  # None: killed by a signal, or out of time
    signal: str | None = None
    timed_out: bool = False
    stdout: str = ""
    stderr: str = ""

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0


class Device(Protocol):
    """A target.  As a context manager it owns a working directory there, gone when it is left.

    Remote names are relative to that directory, which is also where commands are started.
    All methods raise DeviceError when the target cannot be reached or has no room; a command that
    fails, crashes or takes too long is a value.
    """

    @property
    def name(self) -> str:
        """What the user calls it, and a report's rows with it."""
        ...

    @property
    def python(self) -> tuple[str, ...] | None:
        """How Python is started there; None where there is none (a phone)."""
        ...

    def run(self, argv: Sequence[str], *, timeout_s: float) -> Completed: ...

    def push(self, local: Path, remote: str) -> None: ...

    def pull(self, remote: str, local: Path) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_device(spec: str) -> Device:
    """The device that `spec` names: a kind, or `kind:address`.  Enter it before use.

    Raises DeviceError when there is no such kind.
    """
    kind, _, address = spec.partition(":")
    if kind not in KINDS:
        close = get_close_matches(kind, KINDS, n=1)
        hint = f"Did you mean '{close[0]}'?" if close else f"Known are: {', '.join(KINDS)}"
        raise DeviceError(f"there is no device '{spec}'", remedy=hint)
    return KINDS[kind](address)


def _host(address: str) -> Device:
    from edgernn.devices.host import HostDevice

    if address and not Path(address).is_file():
        raise DeviceError(
            f"there is no Python at {address}",
            remedy="'cpu' is this machine; 'cpu:/path/to/python' uses that Python's runtimes",
        )
    # Not resolved: a virtual environment is known by the path of its link to Python.
    return HostDevice(Path(address).absolute() if address else None)


def _fake(address: str) -> Device:
    from edgernn.devices.fake import FakeDevice

    return FakeDevice(name=address or "fake")


KINDS: Final[dict[str, Callable[[str], Device]]] = {"cpu": _host, "fake": _fake}
