"""One process for many tasks of a runtime on this machine: its start costs more than most tasks.

Only where someone asks for it (`kept_processes`): a task has a fresh process otherwise.  What a
kept process cannot do is done again in a fresh one, so a crash or an error is what it always was.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Final

from edgernn.devices.device import Completed
from edgernn.devices.runners import archive
from edgernn.devices.supervised import supervised
from edgernn.errors import DeviceError
from edgernn.temporary import TemporaryFolder

#: Processor time of a kept process, in seconds for each processor: that of many tasks.
_LIFE_S: Final = 3600.0
#: How long one may take to end by itself.
_CLOSING_S: Final = 2.0

_KEPT: ContextVar[dict[tuple[str, ...], KeptProcess] | None] = ContextVar("kept", default=None)


@contextmanager
def kept_processes() -> Iterator[None]:
    """Inside, tasks of one runtime on this machine share a process; all of them end with the block.

    One inside of another shares the outer one's processes.

    >>> with kept_processes(), open_device("cpu") as device:
    ...     outputs = [run_cases(device, path, "onnx", cases) for path in paths]  # one process
    """
    if _KEPT.get() is not None:
        yield
        return
    processes: dict[tuple[str, ...], KeptProcess] = {}
    token = _KEPT.set(processes)
    try:
        yield
    finally:
        _KEPT.reset(token)
        with ExitStack() as all_closed:  # whatever interrupts the end of one of them
            for process in processes.values():
                all_closed.callback(process.close)


def asked(
    runtime: str, python: Sequence[str], folder: Path, request: str, *, timeout_s: float
) -> Completed | None:
    """What the kept process of `runtime` answers to the file `request` in `folder`, where it works.

    None where none is kept, or where it has no good answer: then a fresh process is to be asked.
    Raises DeviceError if it cannot be started.
    """
    processes = _KEPT.get()
    if processes is None:
        return None
    key = (runtime, *python)
    if key not in processes:
        processes[key] = KeptProcess(python)
    process = processes[key]
    try:
        completed = process.asked(folder, request, timeout_s=timeout_s)
    except BaseException:
        del processes[key]
        process.end()
        raise
    if completed is None or completed.timed_out:
        del processes[key]
        process.end()
    return completed


class KeptProcess:
    """A Python process that runs the payload for one request after the other.

    It ends when this process ends, even by SIGKILL, and with its memory and processor time limited,
    as every child of this machine (edgernn.devices.supervised).
    """

    def __init__(self, python: Sequence[str]) -> None:
        """`python` starts the interpreter.  Raises DeviceError where that cannot be done."""
        try:
            self._folder = TemporaryFolder()
            (self._folder.path / archive.NAME).write_bytes(archive.payload_archive())
            self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        except OSError as error:
            raise DeviceError(
                f"no temporary directory to work in: {error.strerror}",
                remedy="Free some space for temporary files, or set TMPDIR to another folder",
            ) from error
        self._open: list[int] = []  # our ends of pipes
        theirs: list[int] = []
        try:
            watched, _ = self._pipe(theirs, writes=True)
            requests, self._requests = self._pipe(theirs, writes=True)
            replies, self._replies = self._pipe(theirs, writes=False)
            argv = (*python, archive.NAME, str(requests), str(replies))
            self._child = subprocess.Popen(
                supervised(argv, timeout_s=_LIFE_S),
                cwd=self._folder.path,
                stdin=watched,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                start_new_session=True,
                pass_fds=(requests, replies),
            )
        except BaseException as error:
            self._release()  # which ends the child, too, if there is one
            if isinstance(error, OSError):
                reason = error.strerror or error
                raise DeviceError(f"cannot start {python[0]}: {reason}") from error
            raise
        finally:
            for end in theirs:
                os.close(end)

    def _pipe(self, theirs: list[int], *, writes: bool) -> tuple[int, int]:
        """(the child's end, our end); we write into it, or read from it."""
        reading, writing = os.pipe()
        child, ours = (reading, writing) if writes else (writing, reading)
        theirs.append(child)
        self._open.append(ours)
        return child, ours

    def asked(self, folder: Path, request: str, *, timeout_s: float) -> Completed | None:
        """The reply to one request.  None where the process has crashed, or reports an error."""
        before = os.fstat(self._errors.fileno()).st_size
        line = json.dumps({"folder": str(folder), "request": request}) + "\n"
        try:
            os.write(self._requests, line.encode())
        except BrokenPipeError:
            return None
        reply = self._line(time.monotonic() + timeout_s)
        if reply is None:
            return Completed(exit_code=None, timed_out=True, stderr=self._said(before))
        if not reply or "error" in json.loads(reply):
            return None
        return Completed(exit_code=0, stdout=reply.decode(), stderr=self._said(before))

    def _said(self, before: int) -> str:
        """Its standard error from that byte on; the position in the file, which it has, stays."""
        errors = self._errors.fileno()
        said = os.pread(errors, os.fstat(errors).st_size - before, before)
        return said.decode(errors="replace")

    def _line(self, end_s: float) -> bytes | None:
        """Empty where the process ended before; None where the time did."""
        read = b""
        while not read.endswith(b"\n"):
            left_s = end_s - time.monotonic()
            if left_s <= 0 or not select.select([self._replies], [], [], left_s)[0]:
                return None
            part = os.read(self._replies, 1 << 16)
            if not part:
                return b""
            read += part
        return read

    def close(self) -> None:
        """Lets it end by itself; what runs after a while is killed."""
        self._open.remove(self._requests)
        os.close(self._requests)
        try:
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(_CLOSING_S)
        finally:
            self.end()

    def end(self) -> None:
        """Kills it with all that it started, if it still runs."""
        if self._child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
        self._release()

    def _release(self) -> None:
        while self._open:
            os.close(self._open.pop())
        self._errors.close()
        self._folder.remove()
