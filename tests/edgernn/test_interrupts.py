"""Ctrl-C at an unfortunate moment."""

from __future__ import annotations

import signal
import threading

import pytest

from edgernn.interrupts import meanwhile, uninterrupted


def pressed_in_the_middle(done: list[str]) -> None:
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
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


def test_work_beside_a_block_is_done_at_its_end() -> None:
    began, may_end, done = threading.Event(), threading.Event(), []

    def work() -> None:
        began.set()
        may_end.wait(5)
        done.append("work")

    with meanwhile(work):
        assert began.wait(5)  # beside, not before or after
        assert not done
        may_end.set()
    assert done == ["work"]


def test_an_error_of_the_work_is_raised_unless_the_block_has_one() -> None:
    def fails() -> None:
        raise ValueError("work")

    with pytest.raises(ValueError, match="work"), meanwhile(fails):
        pass
    with pytest.raises(OSError, match="block"), meanwhile(fails):
        raise OSError("block")


def test_ctrl_c_does_not_wait_for_the_work() -> None:
    may_end = threading.Event()

    def work() -> None:
        may_end.wait(30)

    with pytest.raises(KeyboardInterrupt), meanwhile(work):
        raise KeyboardInterrupt
    may_end.set()
