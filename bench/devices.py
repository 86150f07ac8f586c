"""Several devices at once: four loopback phones beside one, through the real adb and command line.

A phone's work is time that goes by on the phone.  The loopback ones compute on this machine, but
their loops last as long as they are told to, however busy it is: what is compared is what we add.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.comparison import Comparison
from tests.android.loopback import LoopbackDevice, kill_server
from tests.android.root import ABIS
from tests.android.space import reason_against

PHONES = 4
#: Five processes of a second each: a short profile.
PLAN = ("--processes", "5", "--min-time", "1s")


def compare_devices(model: Path, folder: Path) -> list[Comparison]:
    """The throughput of four devices as a multiple of one's.  Nothing where there can be none."""
    if reason := reason_against(ABIS["x86_64"]):
        print(f"no loopback phones: {reason}", file=sys.stderr)
        return []
    with _phones(folder) as serials:
        one_s = min(_profile_s(model, serials[:1]) for _ in range(2))
        all_s = min(_profile_s(model, serials) for _ in range(2))
    return [
        Comparison(
            name=f"{PHONES} phones at once, throughput of one",
            ours=f"{all_s:.2f} s",
            peer=f"{PHONES} × {one_s:.2f} s",
            ratio=PHONES * one_s / all_s,
            target=0.85 * PHONES,
        )
    ]


@contextmanager
def _phones(folder: Path) -> Iterator[list[str]]:
    """Serial numbers of phones that an adb server of our own is connected to."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    os.environ.update(
        ANDROID_ADB_SERVER_PORT=str(port), ADB_LOCAL_TRANSPORT_MAX_PORT="5553", ADB_MDNS="0"
    )
    with ExitStack() as stack:
        stack.callback(kill_server, port)
        serials = []
        for number in range(PHONES):
            phone = stack.enter_context(LoopbackDevice(folder / f"phone{number}"))
            subprocess.run(["adb", "connect", phone.serial], check=True, capture_output=True)
            serials.append(phone.serial)
        yield serials


def _profile_s(model: Path, serials: list[str]) -> float:
    devices = ",".join(f"android:{serial}" for serial in serials)
    argv = [sys.executable, "-m", "edgernn", "profile", str(model), "--device", devices, *PLAN]
    started = time.perf_counter()
    subprocess.run([*argv, "--allow-emulated-timing"], check=True, capture_output=True)
    return time.perf_counter() - started
