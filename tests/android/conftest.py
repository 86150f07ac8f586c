"""Loopback Android devices, and an adb server that knows no other; or a real one, by --android."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgernn.folders import CACHE_VARIABLE, cache_folder
from tests.android.loopback import LoopbackDevice, kill_server
from tests.android.root import ABIS, CannotBuild
from tests.android.space import reason_against
from tests.edgernn.cli.conftest import edgernn

__all__ = ["edgernn"]  # a fixture: the command line


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of `phone` is for any device: both loopback devices, and the real one if there is."""
    if "phone" in metafunc.fixturenames:
        serial = metafunc.config.getoption("--android")
        targets = [*ABIS, *([f"android:{serial}"] if serial else [])]
        metafunc.parametrize("phone", targets, indirect=True)


@pytest.fixture
def settings(monkeypatch, tmp_path):
    """No device is named yet."""
    monkeypatch.setenv("EDGERNN_CONFIG", str(tmp_path / "settings"))


@pytest.fixture
def adb(monkeypatch, tmp_path) -> Iterator[int]:
    """adb's server on a port of its own, with a home of its own, seeing no real device."""
    port = free_port()
    for name, value in {
        "ANDROID_ADB_SERVER_PORT": str(port),
        "ADB_LOCAL_TRANSPORT_MAX_PORT": "5553",
        "ADB_MDNS": "0",
        "ADB_USB": "0",
        CACHE_VARIABLE: str(cache_folder()),  # as HOME was
        "HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    yield port
    kill_server(port)


@pytest.fixture
def attach(adb, settings, tmp_path) -> Iterator[Callable[..., LoopbackDevice]]:  # noqa: ARG001
    """Makes devices and lets adb connect to them.

    At the end, nothing may have been brought to one that its processor could not run.
    """
    made: list[LoopbackDevice] = []

    def attach(*, abi: str = "x86_64", **how: object) -> LoopbackDevice:
        if reason := reason_against(ABIS[abi]):
            pytest.skip(reason)
        device = LoopbackDevice(tmp_path / f"root{len(made)}", abi=abi, **how)  # type: ignore[arg-type]
        try:
            device.__enter__()
        except CannotBuild as reason:
            pytest.skip(f"no loopback device: {reason}")
        made.append(device)
        connect(device)
        return device

    yield attach
    foreign = [name for device in made for name in device.foreign_programs()]
    for device in made:
        device.__exit__()
    assert not foreign, f"programs of another processor were brought there: {foreign}"


@pytest.fixture
def phone(request) -> Iterator[str]:
    """What --device calls a phone, whatever it is."""
    if request.param in ABIS:
        yield f"android:{request.getfixturevalue('attach')(abi=request.param).serial}"
        return
    request.getfixturevalue("settings")
    # A device takes one profile at a time; pytest-xdist may start several tests of it.
    name = hashlib.sha256(request.param.encode()).hexdigest()[:16]
    with (Path(tempfile.gettempdir()) / f"edgernn-test-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield request.param


def free_port() -> int:
    """A port that no program gets by chance: below those that systems hand out (from 32768)."""
    while True:
        port = random.randrange(15000, 30000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def connect(device: LoopbackDevice) -> None:
    """What plugging in a cable does by itself; a server that is just starting is asked again."""
    argv = ["adb", "connect", device.serial]
    said = "no answer"
    for _ in range(5):
        with contextlib.suppress(subprocess.TimeoutExpired):
            asked = subprocess.run(argv, capture_output=True, text=True, timeout=20)
            said = asked.stdout + asked.stderr
            if asked.returncode == 0:
                return
        time.sleep(1)
    raise AssertionError(f"adb connect {device.serial}: {said}")
