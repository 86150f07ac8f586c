"""Ctrl-C at an unfortunate moment."""

from __future__ import annotations

import signal
import sys
import threading
import time
import weakref
from importlib.machinery import ExtensionFileLoader
from typing import Any

import pytest

from edgernn.interrupts import interruptible, uninterrupted


def pressed_in_the_middle(done: list[str], number: int = signal.SIGINT) -> None:
    with uninterrupted():
        signal.raise_signal(number)
        done.append("all of it")


def test_ctrl_c_takes_effect_after_the_block():
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        pressed_in_the_middle(done)
    assert done == ["all of it"]


def failing() -> None:
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
        raise OSError("disk")


def test_an_error_in_the_block_is_not_hidden_by_ctrl_c():
    with pytest.raises(OSError, match="disk"):
        failing()


def test_afterwards_ctrl_c_works_as_before():
    before = signal.getsignal(signal.SIGINT)
    with uninterrupted():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_are_left_alone():
    errors = []

    def work() -> None:
        try:
            with uninterrupted():
                pass
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not errors


def wait_for_the_interrupt() -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        time.sleep(0.001)
    pytest.fail("the interrupt was lost")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_in_the_import_system_waits_until_it_is_left(number):
    """`_get_module_lock` takes a lock before its `try`: an exception there keeps it for ever."""
    reached: list[str] = []
    importing = compile(
        "raise_signal(number)\nreached.append('all of it')\n",
        "<frozen importlib._bootstrap>",
        "exec",
    )
    names = {"raise_signal": signal.raise_signal, "number": number, "reached": reached}

    def block() -> None:
        exec(importing, names)
        reached.append("and left it")
        wait_for_the_interrupt()

    with pytest.raises(KeyboardInterrupt), interruptible():
        block()
    assert reached == ["all of it", "and left it"]


def test_an_interrupt_that_waited_ends_what_the_main_thread_waits_for_by_then():
    began = time.monotonic()

    def block() -> None:
        code = "raise_signal(2)\n"
        exec(compile(code, "<frozen importlib._bootstrap>", "exec"), vars(signal).copy())
        threading.Event().wait(30)

    with pytest.raises(KeyboardInterrupt), interruptible():
        block()
    assert time.monotonic() - began < 15


def test_an_interrupt_while_a_module_in_c_begins_waits_until_it_has():
    """Python that such a module calls may not raise there: C++ would end the process."""
    called: list[str] = []

    def from_c() -> None:
        signal.raise_signal(signal.SIGINT)
        called.append("all of it")

    code = "def exec_module(self, module):\n    module()\n"
    names: dict[str, Any] = {}
    exec(compile(code, "<frozen importlib._bootstrap_external>", "exec"), names)

    def block() -> None:
        names["exec_module"](ExtensionFileLoader("module", "module.so"), from_c)
        wait_for_the_interrupt()

    with pytest.raises(KeyboardInterrupt), interruptible():
        block()
    assert called == ["all of it"]


class Owner:
    """Something that a weak reference can be made to."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_in_the_callback_of_a_weak_reference_is_not_forgotten(number, capsys):

    def block() -> None:
        owner = Owner()
        watch = weakref.ref(owner, lambda _gone: signal.raise_signal(number))
        del owner
        assert watch() is None
        wait_for_the_interrupt()

    with pytest.raises(KeyboardInterrupt), interruptible():
        block()
    assert capsys.readouterr().err == ""  # Python prints what it ignores


def test_other_errors_in_such_a_callback_are_printed_as_ever(monkeypatch):
    seen: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: seen.append(what.exc_type))

    def fails(_gone: object) -> None:
        raise ValueError("callback")

    owner = Owner()
    watch = weakref.ref(owner, fails)
    with interruptible():
        del owner
    assert watch() is None
    assert seen == [ValueError]


def test_handlers_are_as_before_when_the_block_ends():
    def state() -> tuple[object, object, object]:
        return (
            signal.getsignal(signal.SIGINT),
            signal.getsignal(signal.SIGTERM),
            sys.unraisablehook,
        )

    before = state()
    with interruptible():
        assert not set(before) & set(state())
    assert state() == before


def test_a_ctrl_c_that_is_ignored_stays_so():
    """As under nohup."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible(), uninterrupted():
            signal.raise_signal(signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_must_be_whole_is_whole_after_either_signal(number):
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt), interruptible():
        pressed_in_the_middle(done, number)
    assert done == ["all of it"]
