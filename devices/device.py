"""What a device is: three primitives, `run`, `push` and `pull`, over a private working directory.

Everything else is a function of them.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol

from typing_extensions import Self


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


def signal_name(number: int) -> str:
    """As Completed has it.  Real-time signals have a number only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Stopped(Exception):
    """The user gave up while something ran on a target.  Not an error, and not to be reported."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choices:
    """What the user may choose about how a target is used."""

    own_packages: bool = False  # the target's Python packages, instead of ones we bring
    android_runtimes: tuple[Path, ...] = ()  # an AAR, a folder of .so files, a .so
    benchmark_model: Path | None = None  # Google's tool for TFLite files, made for the device
    stop: threading.Event = field(default_factory=threading.Event)  # set: raise Stopped


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

    @property
    def is_this_machine(self) -> bool:
        """Whether work that goes on here disturbs its times."""
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
