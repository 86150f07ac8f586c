"""A loopback Android device, and an adb server that knows no other."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.android.loopback import LoopbackDevice, kill_server, make_root, reason_against


@pytest.fixture
def adb(monkeypatch, tmp_path) -> Iterator[None]:
    """adb's server on a port of its own, with a home of its own, seeing no real device."""
    if reason := reason_against():
        pytest.skip(reason)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for name, value in {
        "ANDROID_ADB_SERVER_PORT": str(port),
        "ADB_LOCAL_TRANSPORT_MAX_PORT": "5553",
        "ADB_MDNS": "0",
        "ADB_USB": "0",
        "HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    yield
    kill_server(port)


@pytest.fixture
def attach(adb, tmp_path) -> Iterator[Callable[..., LoopbackDevice]]:  # noqa: ARG001
    """Makes devices and lets adb connect to them."""
    made: list[LoopbackDevice] = []

    def attach(*, authorizes: bool = True) -> LoopbackDevice:
        root = tmp_path / f"root{len(made)}"
        make_root(root)
        device = LoopbackDevice(root, authorizes=authorizes).__enter__()
        made.append(device)
        subprocess.run(
            ["adb", "connect", device.serial], capture_output=True, check=True, timeout=60
        )
        return device

    yield attach
    for device in made:
        device.__exit__()
