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
from typing import Any, NoReturn

from edgernn.devices.adb import attached
from edgernn.devices.inventory import Entry, emulated_only
from edgernn.errors import EdgernnError
from edgernn.folders import cache_folder
from tests.android.loopback import LoopbackDevice, kill_server
from tests.android.root import ABIS, CannotBuild
from tests.android.runtime_libraries import give_c_library
from tests.android.space import reason_against
from tests.emulated_entry import forget_emulated, keep_emulated

START_TIMEOUT_S = 20.0
EMULATED = "emulated-android"  # its name in devices.toml


def main(argv: list[str]) -> None:
    match argv:
        case ["up"]:
            up(None)
        case ["up", abi] if abi in ABIS:
            up(abi)
        case ["serve", folder, abi]:
            serve(Path(folder), abi)
        case ["down"]:
            down()
        case _:
            fail(f"the commands are: up, up ABI ({' or '.join(ABIS)}), down")


def up(abi: str | None) -> None:
    """One for each user: a second call uses the one that is up, unless it asks for another ABI."""
    state = running()
    if state is None or abi not in {None, state["abi"]}:
        state = bring_up(abi or "x86_64")
    port, serial = str(state["adb_port"]), state["serial"]
    connect(port, serial)
    keep_emulated(
        Entry(
            name=EMULATED,
            kind="android",
            address=serial,
            board="Loopback phone",
            abis=ABIS[state["abi"]].properties["ro.product.cpu.abilist"],
            emulated="loopback",
            adb_port=port,
        )
    )
    name = EMULATED if attached() or emulated_only("android") is None else "android"
    print("A loopback Android device is up. It reports no times. Next command:")
    print(f"  edgernn profile out/ --device {name}")
    print(f"To log in: adb -P {port} -s {serial} shell")
    print("To stop it: make android-down")


def bring_up(abi: str) -> dict[str, Any]:
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
    state: dict[str, Any] = {
        "pid": child.pid,
        "folder": str(folder),
        "adb_port": port,
        "abi": abi,
        "serial": (folder / "serial").read_text(),
    }
    state_file().parent.mkdir(parents=True, exist_ok=True)
    state_file().write_text(json.dumps(state))
    try:
        give_c_library(folder / "root", ABIS[abi])
    except CannotBuild as reason:
        print(f"It has no loader, so --android-runtime does not work: {reason}")
    return state


def connect(port: str, serial: str) -> None:
    """An adb server of its own, which looks for no other device, sees this one."""
    environment = {
        **os.environ,
        "ADB_LOCAL_TRANSPORT_MAX_PORT": "5553",
        "ADB_MDNS": "0",
        "ADB_USB": "0",
    }
    argv = ["adb", "-P", port, "connect", serial]
    connected = subprocess.run(
        argv, env=environment, capture_output=True, text=True, timeout=START_TIMEOUT_S
    )
    if "connected to" not in connected.stdout:
        fail(f"adb does not reach it: {connected.stdout}{connected.stderr}")


def running() -> dict[str, Any] | None:
    """What is kept about the one that is up; None where there is none."""
    if not state_file().is_file():
        return None
    state: dict[str, Any] = json.loads(state_file().read_text())
    return state if "serial" in state and is_ours(state["pid"], state["folder"]) else None


def serve(folder: Path, abi: str) -> None:
    with LoopbackDevice(folder / "root", abi=abi) as device:
        part = folder / "serial.part"
        part.write_text(device.serial)
        part.rename(folder / "serial")
        while True:
            time.sleep(3600)


def down() -> None:
    forget_emulated(EMULATED)
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


try:
    main(sys.argv[1:])
except EdgernnError as error:
    fail(str(error))
