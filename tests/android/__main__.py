"""A loopback Android device for a person to try: `make android` and `make android-down`."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

from edgernn.folders import cache_folder
from tests.android.loopback import LoopbackDevice, kill_server
from tests.android.root import ABIS, CannotBuild
from tests.android.runtime_libraries import give_c_library
from tests.android.space import reason_against

START_TIMEOUT_S = 20.0


def main(argv: list[str]) -> None:
    match argv:
        case ["up", abi] if abi in ABIS:
            up(abi)
        case ["serve", folder, abi]:
            serve(Path(folder), abi)
        case ["down"]:
            down()
        case _:
            fail(f"say `up ABI` ({' or '.join(ABIS)}) or `down`")


def up(abi: str) -> None:
    if reason := reason_against(ABIS[abi]):
        fail(reason)
    down()
    folder = Path(tempfile.mkdtemp(prefix="edgernn-android-"))
    # To a file: whoever reads our own streams would wait for the end of the device.
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.android", "serve", str(folder), abi],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    end = time.monotonic() + START_TIMEOUT_S
    while not (folder / "serial").is_file():
        if child.poll() is not None or time.monotonic() > end:
            fail(f"it did not start: {(folder / 'log').read_text()[-300:]}")
        time.sleep(0.05)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    state_file().parent.mkdir(parents=True, exist_ok=True)
    state = {"pid": child.pid, "folder": str(folder), "adb_port": port}
    state_file().write_text(json.dumps(state))
    try:
        give_c_library(folder / "root", ABIS[abi])
    except CannotBuild as reason:
        print(f"It has no loader, and so takes no --android-runtime: {reason}")
    serial = (folder / "serial").read_text()
    print("A loopback Android device is up.  It tells size and accuracy, and no times.  Try:")
    print(f"  export ANDROID_ADB_SERVER_PORT={port}")
    print(f"  adb connect {serial}")
    print("  edgernn devices check android")
    print("  edgernn profile out/ --device cpu,android --data digits:test")


def serve(folder: Path, abi: str) -> None:
    with LoopbackDevice(folder / "root", abi=abi) as device:
        part = folder / "serial.part"
        part.write_text(device.serial)
        part.rename(folder / "serial")
        while True:
            time.sleep(3600)


def down() -> None:
    if not state_file().is_file():
        return
    state = json.loads(state_file().read_text())
    if is_ours(state["pid"], state["folder"]):
        os.kill(state["pid"], 9)
    kill_server(state["adb_port"])
    shutil.rmtree(state["folder"], ignore_errors=True)
    state_file().unlink()


def is_ours(pid: int, folder: str) -> bool:
    """Whether the number still belongs to the process that we started."""
    try:
        return os.fsencode(folder) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def state_file() -> Path:
    return cache_folder() / "loopback-android.json"


def fail(reason: str) -> NoReturn:
    print(f"no loopback device: {reason}", file=sys.stderr)
    sys.exit(1)


main(sys.argv[1:])
