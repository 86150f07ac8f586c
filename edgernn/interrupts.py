"""Ctrl-C: held back while something is done that must be whole, and never lost.

Python runs the handler of a signal between any two instructions of the main thread.  In most
places a KeyboardInterrupt from there ends the program; in two it does not.  Raised in the
import system it may leave a lock behind that every other thread waits for.  Raised in a
destructor or in the callback of a weak reference, it is printed and forgotten
(https://docs.python.org/3/library/signal.html#signals-and-threads).
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ExtensionFileLoader
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

#: The exit code and the one line of a command that was interrupted.
INTERRUPTED: Final = 130
INTERRUPTED_MESSAGE: Final = "edgernn: interrupted; nothing was left half-written"

#: The code of the import system, which holds locks between its instructions.
_IMPORTING: Final = "<frozen importlib"

_AGAIN_AFTER_S: Final = 0.001


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the block by a KeyboardInterrupt, wherever they arrive.

    As a CI service ends what takes too long, so SIGTERM does here.  A Ctrl-C that is ignored
    (`nohup`) stays so.  Does nothing outside of the main thread, which alone receives signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        numbers.append(signal.SIGINT)
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    hook = sys.unraisablehook
    sys.unraisablehook = _remembering(hook)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if _is_importing(frame):
        _again(number)
        return
    raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    """Whether the import system itself runs, or a module in C++ begins: it may end the process."""
    at_top = True
    while frame is not None:
        is_import = frame.f_code.co_filename.startswith(_IMPORTING)
        if is_import and (at_top or isinstance(frame.f_locals.get("self"), ExtensionFileLoader)):
            return True
        at_top, frame = False, frame.f_back
    return False


def _again(number: int) -> None:
    """Sends the signal once more when the main thread has gone on."""

    def later() -> None:
        time.sleep(_AGAIN_AFTER_S)
        main_thread = threading.main_thread().ident
        if main_thread is None or not hasattr(signal, "pthread_kill"):  # Windows
            _thread.interrupt_main(signal.Signals(number))
        elif callable(signal.getsignal(number)):  # else it would end the process, or nothing
            signal.pthread_kill(main_thread, number)  # also ends what the thread waits for

    _thread.start_new_thread(later, ())  # a Thread takes locks that the main thread may hold


def _remembering(
    hook: Callable[[UnraisableHookArgs], object],
) -> Callable[[UnraisableHookArgs], None]:
    def unraisable(what: UnraisableHookArgs) -> None:
        if issubclass(what.exc_type, KeyboardInterrupt):
            _again(signal.SIGTERM)  # SIGINT may be ignored; both end the block alike
        else:
            hook(what)

    return unraisable


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Lets the block end before a Ctrl-C takes effect, or a SIGTERM of `interruptible`.

    Raises KeyboardInterrupt afterwards if one came meanwhile.  For blocks of milliseconds.
    Does nothing outside of the main thread, which alone receives signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = False

    def note(_signal: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True

    numbers = []
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        numbers.append(signal.SIGINT)
    if signal.getsignal(signal.SIGTERM) is _interrupt:
        numbers.append(signal.SIGTERM)
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if pressed:
        raise KeyboardInterrupt
