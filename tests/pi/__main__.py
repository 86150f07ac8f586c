"""An emulated Raspberry Pi for a person to try: `make pi` and `make pi-down`."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from edgernn.folders import cache_folder
from tests.pi.emulated import BOARDS, EmulatedPi, end, reason_against
from tests.pi.root import CannotBuild


def main(argv: list[str]) -> None:
    match argv:
        case ["up", *board] if len(board) <= 1:
            up(board[0] if board else "4")
        case ["down"]:
            down()
        case _:
            fail("say up, up 5 or down")


def up(board: str) -> None:
    if board not in BOARDS:
        fail(f"there is no Raspberry Pi {board} here; there are {', '.join(BOARDS)}")
    if reason := reason_against():
        fail(reason)
    down()
    pi = EmulatedPi(
        folder=Path(tempfile.mkdtemp(prefix="edgernn-pi-")),
        board=BOARDS[board],
        dies_with_parent=False,
    )
    try:
        pi.up()
    except CannotBuild as reason:
        shutil.rmtree(pi.folder)
        fail(str(reason))
    state_file().parent.mkdir(parents=True, exist_ok=True)
    state_file().write_text(json.dumps({"pid": pi.pid, "folder": str(pi.folder)}))
    print(f"An emulated {pi.board.model} is up.")
    print("It tells size, accuracy and executed instructions, and no times.  Try:")
    print(f"  export EDGERNN_SSH='{pi.ssh_command}'")
    print("  $EDGERNN_SSH pi@emulated")
    print("  edgernn devices check pi@emulated")
    print("  edgernn profile out/ --device cpu,pi@emulated --data digits:test")


def down() -> None:
    if not state_file().is_file():
        return
    state = json.loads(state_file().read_text())
    if is_ours(state["pid"], state["folder"]):
        end(state["pid"])
    shutil.rmtree(state["folder"], ignore_errors=True)
    state_file().unlink()


def is_ours(pid: int, folder: str) -> bool:
    """Whether the number still belongs to the process that we started."""
    try:
        return os.fsencode(folder) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def state_file() -> Path:
    return cache_folder() / "emulated-pi" / "up.json"


def fail(reason: str) -> NoReturn:
    print(f"no emulated Pi: {reason}", file=sys.stderr)
    sys.exit(1)


main(sys.argv[1:])
