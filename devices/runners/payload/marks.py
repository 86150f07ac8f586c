"""Marks between calls, for an emulator that counts the instructions in between.

A mark is a system call that fails: openat in a folder that does not exist (edgernn/runtime/runner/
system.h has the same one).
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable

MARK = -7777
#: The first calls allocate and choose kernels.
WARM_UP_CALLS = 3


def mark() -> None:
    try:
        os.open("", os.O_RDONLY, dir_fd=MARK)
    except OSError:
        return
    raise RuntimeError("a folder with a negative number was opened")


def make_marked(call: Callable[[], object], *, calls: int) -> None:
    """Two marks before the first call show how many instructions a mark takes."""
    gc.disable()
    for _ in range(WARM_UP_CALLS):
        call()
    mark()
    mark()
    for _ in range(calls):
        call()
        mark()
