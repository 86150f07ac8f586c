"""Work side by side, which Ctrl-C does not wait for.

It is in threads: numpy's products and element-wise functions let others run meanwhile.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from threadpoolctl import threadpool_limits

T = TypeVar("T")

#: More at a time would take memory for little: the work is a dozen pieces.
_MOST_AT_A_TIME: Final = 4


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


def side_by_side(work: Sequence[Callable[[], T]]) -> list[T]:
    """What each of `work` returns, in order; as many run at a time as there are processors.

    They must not depend on each other.  A matrix product takes one thread meanwhile: a small one
    gains little by a second.
    Raises what the first in order of those that fail raises, as if they had run one by one; what
    has begun ends before.  After Ctrl-C it does not wait.

    >>> side_by_side([lambda: 1, lambda: 2])
    [1, 2]
    """
    threads = min(len(work), _processors(), _MOST_AT_A_TIME)
    if threads < 2:
        return [one() for one in work]
    pending, lock = iter(enumerate(work)), threading.Lock()
    done: dict[int, T] = {}
    failed: dict[int, Exception] = {}
    ended = threading.Event()

    def take() -> None:
        while not ended.is_set():
            with lock:
                at, one = next(pending, (-1, None))
            if one is None:
                return
            try:
                done[at] = one()
            except Exception as error:  # noqa: BLE001 (raised below)
                failed[at] = error
                ended.set()
            except BaseException:
                ended.set()
                raise

    with one_thread_each(), ExitStack() as others:
        for _ in range(threads - 1):
            others.enter_context(meanwhile(take))
        take()
    if failed:
        raise failed[min(failed)]
    return [done[at] for at in range(len(work))]


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Matrix products take one thread in the block, where other work has the other processors.

    Two threads that each want all processors wait for each other, and spin while they do.
    """
    _limit.begin()
    try:
        yield
    finally:
        _limit.end()


class _Limit:
    """One limit of the process for all blocks: the last that ends takes it back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks = 0
        self._limits: threadpool_limits | None = None

    def begin(self) -> None:
        from threadpoolctl import threadpool_limits  # only where work is shared out

        with self._lock:
            if self._blocks == 0:
                self._limits = threadpool_limits(limits=1, user_api="blas")
            self._blocks += 1

    def end(self) -> None:
        with self._lock:
            self._blocks -= 1
            if self._blocks == 0 and self._limits is not None:
                self._limits.restore_original_limits()


_limit: Final = _Limit()


def _processors() -> int:
    """Those that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # macOS has none
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1
