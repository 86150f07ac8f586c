"""A target behind a link (ssh, adb) as a device: its working directory, its cache, its lock.

One program stays connected as long as the device is entered.  It deletes its files on the target
when its standard input ends, so also after Ctrl-C, a crash or a lost connection.
"""

from __future__ import annotations

import getpass
import hashlib
import logging
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from typing_extensions import Self

from edgernn.devices.child import CLOSING_S, Child
from edgernn.devices.device import Choices, Completed, Stopped, signal_name
from edgernn.devices.link import Link, Unreachable
from edgernn.devices.remote_shell import (
    KEEP,
    LINK,
    NOT_IN_CACHE,
    READ,
    RUN,
    STORE,
    Ended,
    command,
    unpacked,
)
from edgernn.errors import ConnectionLost, DeviceError

#: Waits between attempts to reach a target again after the connection was cut, in seconds.
BACKOFF_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
OPEN_TIMEOUT_S: Final = 60.0
CLOSE_TIMEOUT_S: Final = 20.0
#: For one file: adb itself never times out if a device stops answering.
TRANSFER_TIMEOUT_S: Final = 600.0
#: How long Android may take to boot: less than OPEN_TIMEOUT_S.
BOOT_TIMEOUT_S: Final = 45
#: How long the target may take to report that it has killed a command.
KILL_TIMEOUT_S: Final = 15.0
#: Smaller files are sent each time: a look-up in the cache takes as long.
SMALLEST_CACHED_BYTES: Final = 4_096
#: Smaller files are not compressed on the way back: starting gzip takes longer than it saves.
SMALLEST_COMPRESSED_BYTES: Final = 16_384
#: Formats that are already compressed.
_COMPRESSED: Final = frozenset({".npz"})

_LOG: Final = logging.getLogger(__name__)


class RemoteDevice:
    """Runs commands on a target in a directory of their own.

    A file that was pushed before, now or by an earlier profile, is not transferred again: the
    target stores files by their SHA-256.  If the connection is lost during a call, that call raises
    ConnectionLost; the next one connects again, with an empty working directory.
    """

    def __init__(self, link: Link, *, choices: Choices | None = None) -> None:
        self.choices = choices or Choices()
        self._link = link
        self._word = secrets.token_hex(8)
        self._keeper: Child | None = None
        self._told: dict[str, str] = {}
        #: Facts that the target reported; cleared when the connection is lost.
        self.notes: dict[str, tuple[str, ...]] = {}
        self._pushed: dict[str, str] = {}  # remote name -> SHA-256
        self._was_entered = False

    @property
    def name(self) -> str:
        return self._link.name

    @property
    def is_this_machine(self) -> bool:
        return False

    @property
    def python(self) -> tuple[str, ...] | None:
        found = self._fact("python")
        return (found,) if found else None

    @property
    def architecture(self) -> str:
        """The output of `uname -m`."""
        return self._fact("machine")

    @property
    def processors(self) -> tuple[str, ...]:
        """The platforms of programs for it, the best first: Android's ABIs, else `uname -m`.

        A phone can have a 32-bit system on a 64-bit kernel.
        """
        return self.abis or (self.architecture,)

    @property
    def abis(self) -> tuple[str, ...]:
        """Android's ABIs; empty if it does not run Android."""
        return tuple(filter(None, self._fact("abis").split(",")))

    @property
    def cache(self) -> str:
        """The folder on the target that is kept after a profile."""
        return self._fact("cache")

    @property
    def work(self) -> str:
        """The working directory on the target, as an absolute path."""
        return self._fact("work")

    def run(self, argv: Sequence[str], *, timeout_s: float) -> Completed:
        start_s = time.perf_counter()
        try:
            ended = self._script(RUN, self.work, *argv, timeout_s=timeout_s)
        finally:
            _LOG.debug("%s: ran %s: %.3f s", self.name, argv[0], time.perf_counter() - start_s)
        if ended is None:
            return Completed(exit_code=None, timed_out=True)
        stdout = ended.stdout.decode(errors="replace")
        if ended.code in (126, 127):
            complaint = (ended.stderr.strip() or "it is not there").splitlines()[-1]
            raise DeviceError(
                f"cannot start {argv[0]} on {self.name}: {complaint}",
                remedy=f"The target is {self.architecture}; was the program built for it?",
            )
        if ended.code is not None and ended.code > 128:
            killed_by = signal_name(ended.code - 128)
            return Completed(exit_code=None, signal=killed_by, stdout=stdout, stderr=ended.stderr)
        return Completed(exit_code=ended.code, stdout=stdout, stderr=ended.stderr)

    def push(self, local: Path, remote: str) -> None:
        try:
            content = local.read_bytes()
        except OSError as error:
            raise DeviceError(f"cannot read {local}: {error.strerror or error}") from error
        digest = hashlib.sha256(content).hexdigest()
        self._ensure_open()
        if self._pushed.get(remote) == digest:
            return
        target = f"{self.work}/{remote}"
        if len(content) < SMALLEST_CACHED_BYTES:
            self._store(local, target, len(content), digest, remote)
        else:
            cached = f"{self.cache}/files/{digest}"
            link = (LINK, cached, target, digest)
            if self._done(*link, what=remote, also=NOT_IN_CACHE) == NOT_IN_CACHE:
                self._store(local, cached, len(content), digest, remote)
                self._done(*link, what=remote)
        self._pushed[remote] = digest

    def pull(self, remote: str, local: Path) -> None:
        self._pushed.pop(remote, None)
        above = sys.maxsize if Path(remote).suffix in _COMPRESSED else SMALLEST_COMPRESSED_BYTES
        ended = self._lasting(READ, f"{self.work}/{remote}", str(above))
        if ended.code != 0:
            raise DeviceError(f"cannot read {remote} on {self.name}: {_last_line(ended.stderr)}")
        try:
            content = unpacked(ended.stdout)
        except ValueError as error:
            raise DeviceError(
                f"cannot read {remote} on {self.name}: {error}", remedy="Check its cable or network"
            ) from error
        try:
            local.write_bytes(content)
        except OSError as error:
            raise DeviceError(
                f"cannot write {local}: {error.strerror or error}",
                remedy="Free some space for temporary files, or set TMPDIR to another folder",
            ) from error

    def __enter__(self) -> Self:
        self._open()
        self._was_entered = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._was_entered = False
        self._close()

    def _fact(self, name: str) -> str:
        self._ensure_open()
        return self._told.get(name, "")

    def _ensure_open(self) -> None:
        """Connects again if the connection is lost."""
        if not self._was_entered:
            raise RuntimeError("enter the device first: with open_device(...) as device")
        if self._keeper is not None and self._keeper.is_running:
            return
        self._close()
        for wait_s in BACKOFF_S:
            try:
                self._open()
            except Unreachable:  # noqa: PERF203 - retrying is the purpose of the loop
                if self.choices.stop.wait(wait_s):
                    raise Stopped from None
            else:
                return
        self._open()

    def _open(self) -> None:
        self._pushed.clear()
        self.notes.clear()
        first = self._link.first(command(KEEP, self._word, _who(), str(BOOT_TIMEOUT_S)))
        keeper = Child(first, stop=self.choices.stop)
        try:
            told = keeper.lines_until(f"ready {self._word}", timeout_s=OPEN_TIMEOUT_S)
        except BaseException:
            keeper.end()
            raise
        self._told = dict(line.split(" ", 1) for line in told if " " in line)
        if "ready" in self._told:
            self._keeper = keeper
            return
        is_silent = not keeper.ends_within(CLOSING_S)
        stderr = keeper.end()
        if "busy" in self._told:
            pid, _, who = self._told["busy"].partition(" ")
            if who == _who():
                raise DeviceError(
                    f"{self.name} is already in use by this profile under another name",
                    remedy="Name each device once in --device",
                )
            raise DeviceError(
                f"{self.name} is in use by {who}",
                remedy="Wait until that profile ends: two at once would disturb each other. If it "
                f"lost its network, end the process that it left: kill -9 {pid} there",
            )
        if "booting" in self._told:
            raise DeviceError(
                f"{self.name} has not finished booting after {self._told['booting']} s",
                remedy="Wait until it shows its lock screen, then try again",
            )
        if is_silent:
            raise Unreachable(
                f"{self.name} cannot be reached: it gave no answer in {OPEN_TIMEOUT_S:g} s",
                remedy="Check its name, and that it is switched on and in this network",
            )
        if told:
            raise DeviceError(
                f"cannot create a working directory on {self.name}: {_last_line(stderr)}",
                remedy="Free some space there, or make ~/.cache writable for the user",
            )
        raise self._link.refusal(stderr)

    def _close(self) -> None:
        """The target cleans up at the end of its input; this waits until it reports that."""
        if self._keeper is not None:
            keeper, self._keeper = self._keeper, None
            keeper.close_input()
            try:
                keeper.lines_until("gone", timeout_s=CLOSE_TIMEOUT_S, even_if_stopped=True)
            finally:
                keeper.end()

    def _store(self, local: Path, target: str, size: int, digest: str, what: str) -> None:
        with local.open("rb") as content:
            self._done(STORE, target, str(size), digest, what=what, stdin=content)

    def _done(
        self,
        script: str,
        *arguments: str,
        what: str,
        also: int = 0,
        stdin: IO[bytes] | None = None,
    ) -> int:
        """The exit code if it is 0 or `also`.  Raises DeviceError otherwise."""
        ended = self._lasting(script, *arguments, stdin=stdin)
        if ended.code not in (0, also):
            raise DeviceError(
                f"cannot write {what} on {self.name}: {_last_line(ended.stderr)}",
                remedy=f"Free some space in {self._told['cache']} there",
            )
        return ended.code or 0

    def _lasting(self, script: str, *arguments: str, stdin: IO[bytes] | None = None) -> Ended:
        ended = self._script(script, *arguments, stdin=stdin, timeout_s=TRANSFER_TIMEOUT_S)
        if ended is None:
            self._close()
            raise ConnectionLost(
                f"{self.name} did not transfer a file within {TRANSFER_TIMEOUT_S:g} s",
                remedy="Check its network, then run the command again with --resume",
            )
        return ended

    def _script(
        self,
        script: str,
        *arguments: str,
        stdin: IO[bytes] | None = None,
        timeout_s: float | None,
    ) -> Ended | None:
        """Runs a script there; None if it was killed after `timeout_s`."""
        self._ensure_open()
        line = command(script, self._word, *arguments)
        child = Child(self._link.further(line), stop=self.choices.stop, stdin=stdin)
        try:
            ended = child.result(self._word, timeout_s=timeout_s, kill_timeout_s=KILL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return None
        finally:
            child.end()
        if ended.code is None:
            self._close()
            raise ConnectionLost(
                f"the connection to {self.name} was lost: {_last_line(ended.stderr)}",
                remedy="Check its power and network, then run the command again with --resume",
            )
        return ended


def _who() -> str:
    """The user and machine to show to others who find the target locked."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = "somebody"
    return re.sub(r"[^\w@.:-]", "_", f"{user}@{socket.gethostname()}:{os.getpid()}")


def _last_line(text: str) -> str:
    return (text.strip() or "it gave no reason").splitlines()[-1]
