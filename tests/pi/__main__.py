"""An emulated Raspberry Pi for a person to try: `make pi` and `make pi-down`.

And a virtual one, `make pi-vm` and `make pi-vm-down`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn, TypeAlias

from edgernn.folders import cache_folder
from tests.pi import emulated, virtual
from tests.pi.boards import BOARDS
from tests.pi.root import CannotBuild

Pi: TypeAlias = emulated.EmulatedPi | virtual.VirtualPi


def main(argv: list[str]) -> None:
    match argv:
        case ["up", *board] if len(board) <= 1:
            up(board[0] if board else "4")
        case ["down"]:
            down("up.json")
        case ["vm-up"]:
            vm_up()
        case ["vm-down"]:
            down("vm-up.json")
        case _:
            fail("say up, up 5, down, vm-up or vm-down")


def up(board: str) -> None:
    if board not in BOARDS:
        fail(f"there is no Raspberry Pi {board} here; there are {', '.join(BOARDS)}")
    pi = emulated.EmulatedPi(folder=new_folder(), board=BOARDS[board], dies_with_parent=False)
    bring_up(pi, emulated.reason_against(pi.board.qemu), "up.json")
    print(f"An emulated {pi.board.model} is up.")
    print("It tells size, accuracy and executed instructions, and no times.  Try:")
    print(f"  export EDGERNN_SSH='{pi.ssh_command}'")
    print("  $EDGERNN_SSH pi@emulated")
    print("  edgernn devices check pi@emulated")
    print("  edgernn profile out/ --device cpu,pi@emulated --data digits:test")


def vm_up() -> None:
    virtual.install_qemu()
    pi = virtual.VirtualPi(folder=new_folder(), dies_with_parent=False)
    began = time.monotonic()
    bring_up(pi, virtual.reason_against(), "vm-up.json")
    print(f"A virtual computer of 64-bit ARM is up, after {time.monotonic() - began:.0f} s.")
    print(f"It ends with `make pi-vm-down`, or after {virtual.LIFE_S // 3600} hours.  Try:")
    print(f"  export EDGERNN_SSH='{pi.ssh_command}'")
    print("  $EDGERNN_SSH pi@virtual")
    print("  edgernn devices check pi@virtual")
    print("  edgernn profile out/ --device pi@virtual --data digits:test")
    print("Its clock counts instructions: see how equal times are, which are no Pi's, with")
    print("  edgernn profile out/ --device pi@virtual --allow-emulated-timing")


def bring_up(pi: Pi, reason_against: str | None, state: str) -> None:
    if reason_against:
        shutil.rmtree(pi.folder)
        fail(reason_against)
    down(state)
    try:
        pi.up()
    except CannotBuild as reason:
        shutil.rmtree(pi.folder)
        fail(str(reason))
    state_file(state).parent.mkdir(parents=True, exist_ok=True)
    state_file(state).write_text(json.dumps({"pid": pi.pid, "folder": str(pi.folder)}))


def down(name: str) -> None:
    if not state_file(name).is_file():
        return
    state = json.loads(state_file(name).read_text())
    if is_ours(state["pid"], state["folder"]):
        os.killpg(state["pid"], signal.SIGKILL)  # it was started in a session of its own
    shutil.rmtree(state["folder"], ignore_errors=True)
    state_file(name).unlink()


def new_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="edgernn-pi-"))


def is_ours(pid: int, folder: str) -> bool:
    """Whether the number still belongs to the process that we started."""
    try:
        return os.fsencode(folder) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def state_file(name: str) -> Path:
    return cache_folder() / "emulated-pi" / name


def fail(reason: str) -> NoReturn:
    print(f"no emulated Pi: {reason}", file=sys.stderr)
    sys.exit(1)


main(sys.argv[1:])
