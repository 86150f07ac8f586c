"""Work side by side: its order, its errors, its threads."""

from __future__ import annotations

import threading
from functools import partial

import numpy as np  # noqa: F401 (its BLAS has the threads)
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from edgernn import side_by_side as module
from edgernn.side_by_side import meanwhile, one_thread_each, side_by_side


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


@pytest.fixture
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_processors", lambda: 2)


@pytest.mark.usefixtures("two_processors")
def test_work_side_by_side_runs_at_the_same_time_and_is_returned_in_order() -> None:
    together = threading.Barrier(2, timeout=5)

    def waits(number: int) -> int:
        together.wait()
        return number

    assert side_by_side([partial(waits, number) for number in range(6)]) == list(range(6))
    assert side_by_side([]) == []


@pytest.mark.usefixtures("two_processors")
def test_after_an_error_side_by_side_nothing_more_begins() -> None:
    begun: list[int] = []

    def fails(number: int) -> None:
        begun.append(number)
        raise ValueError(f"work {number}")

    with pytest.raises(ValueError, match="work"):
        side_by_side([partial(fails, number) for number in range(20)])
    assert len(begun) <= 2


@pytest.mark.usefixtures("two_processors")
def test_of_two_errors_side_by_side_the_first_in_order_is_raised() -> None:
    """As with one processor: a message must not depend on which thread was faster."""
    later_failed = threading.Event()

    def first() -> None:
        assert later_failed.wait(5)
        raise ValueError("first")

    def later() -> None:
        later_failed.set()
        raise ValueError("later")

    for _ in range(5):  # either thread may take either
        later_failed.clear()
        with pytest.raises(ValueError, match="first"):
            side_by_side([first, later])


@pytest.mark.usefixtures("two_processors")
def test_products_take_one_thread_while_others_work_and_afterwards_as_many_as_before() -> None:
    def threads() -> set[int]:
        found = [one for one in threadpool_info() if one["user_api"] == "blas"]
        return {one["num_threads"] for one in found}

    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        assert side_by_side([threads, threads]) == [{1}, {1}]
        with one_thread_each(), one_thread_each():
            assert threads() == {1}
        assert threads() == before


def test_blocks_of_one_thread_may_end_in_any_order() -> None:
    first, second = one_thread_each(), one_thread_each()
    with threadpool_limits(limits=2, user_api="blas"):
        before = threadpool_info()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"} == {1}
        second.__exit__(None, None, None)
        assert threadpool_info() == before
