"""The process behind a worker: on this machine, or on a host at the other end of ssh.

Both report what they answer as events: a line, or "" when they are gone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Protocol, TextIO, TypeAlias, cast

from edgernn.devices.link import Link, Unreachable
from edgernn.errors import DeviceError, OutputError
from edgernn.selection.carried import data_line, keep_results, needed_line
from edgernn.selection.hosts import Host
from edgernn.selection.messages import Order, order_line
from edgernn.version import __version__

_SSH_FAILED: Final = 255
_NOT_FOUND: Final = 127
#: That a worker may take to end by itself.
_LEAVING_S: Final = 2.0


class WorkerProcess(Protocol):
    """Carries out one order at a time."""

    host: Host | None  # None: this machine

    def tell(self, order: Order) -> None:
        """Gives it an order."""

    def end(self) -> None:
        """Ends it at once."""

    def trouble(self) -> DeviceError | None:
        """Of one that is gone: why its machine cannot work; None where the process just died."""


Event: TypeAlias = tuple[WorkerProcess, str]  # a line of answer, "" when the worker is gone


class LocalWorker:
    """A process of this machine, which reads the data and writes results in `folder` itself."""

    host: Host | None = None

    def __init__(self, folder: Path, log: Path, events: SimpleQueue[Event]) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edgernn.selection.worker", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                text=True,
            )
        self._stdin = cast("TextIO", self._process.stdin)
        self._stdout = cast("TextIO", self._process.stdout)
        threading.Thread(target=self._read, args=[events], daemon=True).start()

    def tell(self, order: Order) -> None:
        """Gives it an order; where it is gone, the event reports that."""
        with suppress(BrokenPipeError):
            self._stdin.write(order_line(order) + "\n")
            self._stdin.flush()

    def end(self) -> None:
        """Ends it: with its stdin ends the worker, which removes its scratch folder first.

        One that does not is killed.
        """
        with suppress(BrokenPipeError):
            self._stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_LEAVING_S)
        _killed(self._process)

    def trouble(self) -> DeviceError | None:
        """This machine can work."""
        return None

    def _read(self, events: SimpleQueue[Event]) -> None:
        try:
            with suppress(ValueError):  # closed by `end`
                for line in self._stdout:
                    events.put((self, line))
        finally:  # else the coordinator waits for it without end
            events.put((self, ""))


class RemoteWorker:
    """A process on a host.  The data go through its connection, and each result comes back.

    It ends with the connection.  ssh gives a silent host up after half a minute.
    """

    def __init__(self, host: Host, folder: Path, log: Path, events: SimpleQueue[Event]) -> None:
        """Raises DeviceError for what is no host."""
        self.host: Host | None = host
        self._name = host.address
        self._python = host.python
        self._link: Link = host.link()  # kept: its folder holds the connection's socket
        self._folder = folder
        self._log = log
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self._process = subprocess.Popen(
            self._link.first(host.command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._stdin = cast("TextIO", self._process.stdin)
        self._stdout = cast("TextIO", self._process.stdout)
        self._orders: SimpleQueue[Order | None] = SimpleQueue()
        self._order: Order | None = None
        self._version: str | None = None  # of edgernn there; None: it has not answered yet
        self._complaint = ""
        threading.Thread(target=self._read, args=[events], daemon=True).start()

    def tell(self, order: Order) -> None:
        """Gives it an order, which waits here until the host has the data."""
        self._order = order
        self._orders.put(order)

    def end(self) -> None:
        """Kills the connection, and with it the process at its other end."""
        self._orders.put(None)
        _killed(self._process)
        if not self._errors.closed:
            self._complaint = self._complained()
            self._errors.close()

    def trouble(self) -> DeviceError | None:
        """Why the host cannot work: no connection, no edgernn, another version of it."""
        code, name = self._process.poll(), self._name
        if code == _SSH_FAILED:  # or a worker that a signal ended: then ssh gives no reason
            refusal = self._link.refusal(self._complaint)
            if self._version is None or is_passing(refusal):
                return refusal
        if self._version is None:
            last = (self._complaint.strip().splitlines() or ["it gave no reason"])[-1]
            if code == _NOT_FOUND or "No such file" in last:
                what = f"there is no {self._python} on {name}"
            elif "No module named" in last:
                what = f"{self._python} on {name} has no edgernn: {last}"
            else:
                what = f"no worker starts on {name}: {last}"
            return DeviceError(
                what,
                remedy=f"Install edgernn with [train] there, and name its Python: "
                f"{name}:/path/to/venv/bin/python",
            )
        if self._version != __version__:
            return DeviceError(
                f"{name} has edgernn {self._version}, and this is {__version__}",
                remedy="Install the same version there",
            )
        return None

    def _read(self, events: SimpleQueue[Event]) -> None:
        try:
            with suppress(ValueError, KeyError, TypeError):  # closed by `end`, or no worker's line
                self._greeted(self._stdout.readline())
                if self._version == __version__:
                    threading.Thread(target=self._write, daemon=True).start()
                    for line in self._stdout:
                        events.put((self, self._kept(line)))
        finally:  # else the coordinator waits for it without end
            events.put((self, ""))

    def _greeted(self, line: str) -> None:
        with suppress(ValueError, TypeError, KeyError):  # no greeting: `trouble` reports that
            self._version = str(json.loads(line)["edgernn"])

    def _write(self) -> None:
        with suppress(BrokenPipeError, ValueError):  # gone, or ended: the event reports that
            self._stdin.write(data_line(self._folder) + "\n")
            while (order := self._orders.get()) is not None:
                self._stdin.write(order_line(order) + "\n")
                self._stdin.write(needed_line(self._folder, order) + "\n")
                self._stdin.flush()

    def _kept(self, line: str) -> str:
        """The answer, once the files that came with it are in the folder."""
        entry = json.loads(line)
        answer, files = entry["answer"], entry["files"]
        if answer["error"]:
            answer["error"] = f"{self._name}: {answer['error']}"
        if files is not None and self._order is not None:
            try:
                keep_results(files, self._folder, self._order)
            except OutputError as error:
                answer |= {"error": error.what, "remedy": error.remedy}
        return json.dumps(answer)

    def _complained(self) -> str:
        self._errors.seek(0)
        said = self._errors.read()
        with self._log.open("ab") as log:
            log.write(said)
        return said.decode(errors="replace")


def is_passing(trouble: DeviceError) -> bool:
    """Whether another try may help."""
    return isinstance(trouble, Unreachable)


def _killed(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
