"""This machine as a device: a fresh child process per run."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from typing_extensions import Self

from edgernn.devices.device import Completed, signal_name
from edgernn.devices.supervised import supervised
from edgernn.errors import DeviceError
from edgernn.temporary import TemporaryFolder

_LOG: Final = logging.getLogger(__name__)


class HostDevice:
    """Runs commands here, in a temporary directory.

    Each child leads its own session, so a time-out or Ctrl-C ends it with all that it started.
    A crash of a runtime ends only the child and is returned as a value.  A child ends when this
    process ends, even by SIGKILL; its memory and processor time are limited.
    """

    def __init__(self, python: Path | None = None) -> None:
        """`python` is another interpreter than this one, for its runtimes (an older LiteRT)."""
        self.name = f"cpu:{python}" if python else "cpu"
        # The working directory holds only pushed files, so "-P" (3.11) is not needed.
        self.python = (str(python or sys.executable),)
        self._folder: TemporaryFolder | None = None

    @property
    def is_this_machine(self) -> bool:
        return True

    def run(self, argv: Sequence[str], *, timeout_s: float) -> Completed:
        start_s = time.perf_counter()
        reading, writing = os.pipe()
        try:
            return self._ran(argv, reading, timeout_s=timeout_s)
        finally:
            os.close(writing)
            _LOG.debug("%s: ran %s: %.3f s", self.name, argv[0], time.perf_counter() - start_s)

    def _ran(self, argv: Sequence[str], watched: int, *, timeout_s: float) -> Completed:
        """`watched`: the read end of a pipe that closes when this process ends."""
        try:
            child = subprocess.Popen(
                supervised(argv, timeout_s=timeout_s),
                cwd=self.folder,
                stdin=watched,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise DeviceError(f"cannot start {argv[0]}: {error.strerror or error}") from error
        finally:
            os.close(watched)
        try:
            stdout, stderr = child.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _end(child)
            stdout, stderr = child.communicate()
            return Completed(exit_code=None, timed_out=True, stdout=stdout, stderr=stderr)
        except BaseException:
            _end(child)
            child.communicate()
            raise
        code = child.returncode
        if code in (126, 127):
            complaint = (stderr.strip() or "it is not there").splitlines()[-1]
            raise DeviceError(f"cannot start {argv[0]}: {complaint}")
        number = -code if code < 0 else code - 128  # the shell itself was killed, or what it ran
        if number > 0:
            killed_by = signal_name(number)
            return Completed(exit_code=None, signal=killed_by, stdout=stdout, stderr=stderr)
        return Completed(exit_code=code, stdout=stdout, stderr=stderr)

    def push(self, local: Path, remote: str) -> None:
        _copy(local, self.folder / remote)

    def pull(self, remote: str, local: Path) -> None:
        _copy(self.folder / remote, local)

    def __enter__(self) -> Self:
        try:
            self._folder = TemporaryFolder()
        except OSError as error:
            raise DeviceError(f"no temporary directory to work in: {error.strerror}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            self._folder.remove()
            self._folder = None

    @property
    def folder(self) -> Path:
        """Where commands work, and what is pushed arrives."""
        if self._folder is None:
            raise RuntimeError("enter the device first: with open_device(...) as device")
        return self._folder.path


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        raise DeviceError(
            f"cannot copy {source.name} to {target}: {error.strerror or error}",
            remedy="Free some space for temporary files, or set TMPDIR to another folder",
        ) from error


def _end(child: subprocess.Popen[str]) -> None:
    """Kills the child's whole session; its pid is its process group (start_new_session)."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def require_cpus(cpus: Sequence[int]) -> None:
    """Raises DeviceError where this machine cannot confine a process to `cpus`."""
    if not hasattr(os, "sched_getaffinity"):
        return
    allowed = os.sched_getaffinity(0)
    if not allowed.issuperset(cpus):
        raise DeviceError(
            f"CPUs {', '.join(map(str, cpus))} were asked for; there are "
            f"{', '.join(map(str, sorted(allowed)))}",
            remedy="Choose among these with --cpus",
        )
