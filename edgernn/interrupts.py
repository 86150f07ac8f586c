"""Ctrl-C, held back while something is done that must be whole; work that it does not wait for."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Lets the block end before a Ctrl-C takes effect.

    Raises KeyboardInterrupt afterwards if it was pressed meanwhile.  For blocks of milliseconds.
    Does nothing outside of the main thread, which alone receives signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = False

    def note(_signal: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Runs `work` in a thread beside the block, which ends when both have.

    Raises what the block raises, else what `work` raises.  After Ctrl-C the block does not wait.

    >>> with meanwhile(compute_what_is_expected):
    ...     run_the_file()
    """
    failed: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 (raised below)
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    except Exception:
        thread.join()
        raise
    thread.join()
    if failed:
        raise failed[0]
