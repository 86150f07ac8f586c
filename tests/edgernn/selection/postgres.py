"""A PostgreSQL server of its own for tests, where Debian's package is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Server:
    """Started in a folder; listens on a free port of the loopback device."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        self._programs = programs
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._run("initdb", "-A", "trust", "-U", "edgernn", "-D", str(folder / "data"), "--no-sync")
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://edgernn@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._folder} -F"
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-w", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if os.getuid() == 0:  # the server refuses root
            command = ["runuser", "-u", "postgres", "--", *command]
        log = (self._folder / "server.log").open("ab")
        with log:
            subprocess.run(
                command, check=True, stdout=log, stderr=log, cwd=self._folder, timeout=60
            )


@contextmanager
def started() -> Iterator[Server]:
    """In a folder of its own: pytest's folders are closed to the server's user.

    Skips the test where there is no PostgreSQL.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found and (elsewhere := shutil.which("initdb")):
        found = [Path(elsewhere)]
    if not found:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    with tempfile.TemporaryDirectory(prefix="edgernn-pg-") as made:
        if os.getuid() == 0:
            try:
                user = pwd.getpwnam("postgres")
            except KeyError:
                pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
            os.chown(made, user.pw_uid, user.pw_gid)
        server = Server(Path(made), found[-1].parent)
        try:
            yield server
        finally:
            server.stop()
