"""The interface of a device: `run`, `push` and `pull`, with a private working directory.

Everything else is built from these three methods.
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
    """How a command on a device ended.  `signal` is the signal that killed it, e.g. "SIGSEGV"."""

    exit_code: int | None  # None: killed by a signal, or out of time
    signal: str | None = None
    timed_out: bool = False
    stdout: str = ""
    stderr: str = ""

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0


def signal_name(number: int) -> str:
    """The name, as in Completed.signal.  Real-time signals have only a number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Stopped(Exception):
    """The user stopped a command on a target.  This is not an error and is not reported."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choices:
    """Options of a user for how a target is used."""

    own_packages: bool = False  # use the target's Python packages instead of transferred ones
    android_runtimes: tuple[Path, ...] = ()  # an AAR, a folder of .so files, a .so
    benchmark_model: Path | None = None  # Google's tool for TFLite files, made for the device
    stop: threading.Event = field(default_factory=threading.Event)  # set: raise Stopped


class Device(Protocol):
    """A target.  As a context manager it owns a working directory there, and deletes it at exit.

    Remote names are relative to that directory, which is also where commands are started.
    All methods raise DeviceError if the target cannot be reached or has no space left.  A command
    that fails, crashes or takes too long is returned as a value.
    """

    @property
    def name(self) -> str:
        """The name that the user gave it; rows of a report show it."""
        ...

    @property
    def python(self) -> tuple[str, ...] | None:
        """How Python is started there; None if there is no Python (a phone)."""
        ...

    @property
    def is_this_machine(self) -> bool:
        """Whether other work on this machine disturbs its times."""
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
