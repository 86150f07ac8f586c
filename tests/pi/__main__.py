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
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from edgernn.devices.inventory import Entry
from edgernn.errors import EdgernnError
from edgernn.folders import cache_folder
from tests.emulated_entry import a_real_pi_is_known, forget_emulated, keep_emulated
from tests.pi import emulated, virtual
from tests.pi.boards import BOARDS
from tests.pi.root import CannotBuild

Pi: TypeAlias = emulated.EmulatedPi | virtual.VirtualPi

EMULATED = "emulated-pi"  # names in devices.toml
VIRTUAL = "virtual-pi"
STATES = {EMULATED: "up.json", VIRTUAL: "vm-up.json"}


def main(argv: list[str]) -> None:
    match argv:
        case ["up", *board] if len(board) <= 1:
            up(board[0] if board else None)
        case ["down"]:
            down(EMULATED)
        case ["vm-up"]:
            vm_up()
        case ["vm-down"]:
            down(VIRTUAL)
        case _:
            fail("the commands are: up, up 5, down, vm-up, vm-down")


def up(board: str | None) -> None:
    """One for each user: a second call uses it, unless it asks for another board."""
    if board is not None and board not in BOARDS:
        fail(f"there is no Raspberry Pi {board} here; there are {', '.join(BOARDS)}")
    state = running(EMULATED)
    if state is None or board not in {None, state["board"]}:
        board = board or "4"
        pi = emulated.EmulatedPi(folder=new_folder(), board=BOARDS[board], dies_with_parent=False)
        bring_up(pi, emulated.reason_against(pi.board.qemu), EMULATED, board)
        state = {"ssh": pi.ssh_command, "board": board}
    chosen = BOARDS[state["board"]]
    keep_emulated(
        Entry(
            name=EMULATED,
            kind="ssh",
            address="pi@emulated",
            board=chosen.model,
            architecture="aarch64" if chosen.architecture == "arm64" else "armv7l",
            emulated="qemu-user",
            ssh_command=state["ssh"],
        )
    )
    name = EMULATED if a_real_pi_is_known() else "pi"
    print(f"An emulated {chosen.model} is up. It reports no times. Next command:")
    print(f"  edgernn profile out/ --device {name}")
    print(f"To log in: {state['ssh']} pi@emulated")
    print("To stop it: make pi-down")


def vm_up() -> None:
    virtual.install_qemu()
    state = running(VIRTUAL)
    if state is None:
        pi = virtual.VirtualPi(folder=new_folder(), dies_with_parent=False)
        bring_up(pi, virtual.reason_against(), VIRTUAL, "")
        state = {"ssh": pi.ssh_command}
    keep_emulated(
        Entry(
            name=VIRTUAL,
            kind="ssh",
            address="pi@virtual",
            board="virtual computer",
            architecture="aarch64",
            emulated="qemu-system",
            ssh_command=state["ssh"],
        )
    )
    print(
        f"A virtual computer with a 64-bit ARM processor is up, for {virtual.LIFE_S // 3600} hours."
    )
    print("Next command:")
    print(f"  edgernn profile out/ --device {VIRTUAL}")
    print(
        "Its clock counts instructions: times are repeatable, but not those of a Pi. To see them:"
    )
    print(f"  edgernn profile out/ --device {VIRTUAL} --allow-emulated-timing")
    print(f"To log in: {state['ssh']} pi@virtual")
    print("To stop it: make pi-vm-down")


def bring_up(pi: Pi, reason_against: str | None, name: str, board: str) -> None:
    if reason_against:
        shutil.rmtree(pi.folder)
        fail(reason_against)
    down(name)
    try:
        pi.up()
    except CannotBuild as reason:
        shutil.rmtree(pi.folder)
        fail(str(reason))
    state = {"pid": pi.pid, "folder": str(pi.folder), "ssh": pi.ssh_command, "board": board}
    state_file(name).parent.mkdir(parents=True, exist_ok=True)
    state_file(name).write_text(json.dumps(state))


def running(name: str) -> dict[str, Any] | None:
    """What is kept about the one that is up; None where there is none."""
    if not state_file(name).is_file():
        return None
    state: dict[str, Any] = json.loads(state_file(name).read_text())
    return state if "ssh" in state and is_ours(state["pid"], state["folder"]) else None


def down(name: str) -> None:
    forget_emulated(name)
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
    return cache_folder() / "emulated-pi" / STATES[name]


def fail(reason: str) -> NoReturn:
    print(f"no emulated Pi: {reason}", file=sys.stderr)
    sys.exit(1)


try:
    main(sys.argv[1:])
except EdgernnError as error:
    fail(str(error))
