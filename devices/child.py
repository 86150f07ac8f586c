"""A child process that forwards a command to a target: ssh or adb."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from typing import IO, Final

from edgernn.devices.device import Stopped
from edgernn.devices.remote_shell import Ended, ended
from edgernn.errors import DeviceError

#: How long a program may keep running after it closed its output.
CLOSING_S: Final = 15.0
#: How often a wait looks for Ctrl-C.
WAIT_S: Final = 0.2


class Child:
    """A running program.  Its input stays open until `end`; the target stops when it closes.

    It has its own session, so Ctrl-C reaches only this process, which then ends the target's
    commands in the right order.
    """

    def __init__(
        self, argv: list[str], *, stop: threading.Event, stdin: IO[bytes] | None = None
    ) -> None:
        """Without `stdin` the program's input is an open pipe without data.

        Once `stop` is set, the methods that wait for the program raise Stopped.
        Raises DeviceError if the program is not installed.
        """
        self._stop = stop
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE if stdin is None else stdin,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                start_new_session=True,
            )
        except OSError as error:
            self._stderr.close()
            raise DeviceError(
                f"cannot start {argv[0]}: {error.strerror or error}",
                remedy=f"Install it: apt-get install {_PACKAGES.get(argv[0], argv[0])}",
            ) from error

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def ends_within(self, timeout_s: float) -> bool:
        """Waits until the program ends, after its output ended."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close_input(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    def lines_until(
        self, last: str, *, timeout_s: float, even_if_stopped: bool = False
    ) -> list[str]:
        """The lines of output up to `last`, or all lines until the program ended or timed out.

        Call it from one thread at a time.  A later call does not return the same lines again.
        """
        lines: list[str] = []
        reader = threading.Thread(target=self._read_lines, args=(lines, last), daemon=True)
        reader.start()
        if even_if_stopped:
            reader.join(timeout_s)
        else:
            self._join(reader, timeout_s)
        return lines

    def _read_lines(self, lines: list[str], last: str) -> None:
        if self._process.stdout is None:
            raise RuntimeError("the program was started without a pipe to read")
        for line in self._process.stdout:
            lines.append(line.decode(errors="replace").rstrip("\r\n"))
            if lines[-1] == last:
                return

    def result(self, word: str, *, timeout_s: float | None, kill_timeout_s: float) -> Ended:
        """Waits for the end.  After a time-out, closes the input, so that the target kills it.

        Raises subprocess.TimeoutExpired.  Ctrl-C and `stop` close the input, too.
        """
        output: list[bytes] = []
        reader = threading.Thread(target=self._read_all, args=(output,), daemon=True)
        reader.start()
        try:
            self._join(reader, timeout_s)
            # Its output has ended, or there is no time left: then this raises TimeoutExpired.
            self._process.wait(timeout=0.0 if reader.is_alive() else CLOSING_S)
        except BaseException:
            if self._process.stdin is None:  # its input is a file: that cannot be cut short
                os.killpg(self._process.pid, signal.SIGKILL)
            self.close_input()
            reader.join(kill_timeout_s)
            raise
        return ended(word, b"".join(output), self._standard_error())

    def _join(self, reader: threading.Thread, timeout_s: float | None) -> None:
        """Waits for the thread, at most `timeout_s` seconds.  Raises Stopped."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        # Wait in short steps: on some systems, Ctrl-C does not interrupt a thread's join.
        while reader.is_alive():
            left_s = WAIT_S if end is None else max(0.0, min(WAIT_S, end - time.monotonic()))
            reader.join(left_s)
            if self._stop.is_set():
                raise Stopped
            if left_s == 0.0:
                return

    def _read_all(self, output: list[bytes]) -> None:
        if self._process.stdout is None:
            raise RuntimeError("the program was started without a pipe to read")
        output.append(self._process.stdout.read())

    def _standard_error(self) -> bytes:
        self._stderr.seek(0)
        return self._stderr.read()

    def end(self) -> str:
        """Ends the program if it still runs.  Returns what it wrote to standard error."""
        self.close_input()
        try:
            self._process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        text = "" if self._stderr.closed else self._standard_error().decode(errors="replace")
        self._stderr.close()
        return text


_PACKAGES: Final = {"ssh": "openssh-client", "adb": "adb"}
