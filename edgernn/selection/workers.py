"""Worker processes on this machine and on hosts that ssh reaches; one that dies is replaced."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, Protocol

from edgernn.errors import DeviceError, TrainingFailed
from edgernn.selection.hosts import Host
from edgernn.selection.messages import Answer, Order, order_line, read_answer
from edgernn.selection.worker_process import (
    Event,
    LocalWorker,
    RemoteWorker,
    WorkerProcess,
    is_passing,
)

#: An order that ends its worker so often is at fault itself (out of memory, for instance).
MOST_DEATHS: Final = 2
#: A host that is lost is tried again after so many seconds, and then left out.
BACKOFF_S: Final = (2.0, 5.0, 15.0)
_WAIT_S: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """An order was carried out in so many seconds."""

    order: Order
    answer: Answer
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Away:
    """A worker whose host was lost, and when to try again."""

    due: float  # of time.monotonic
    host: Host
    losses: int  # in succession


class Crew(Protocol):
    """Who carries out orders: processes of this machine and of hosts, or workers at a database."""

    @property
    def size(self) -> int:
        """How many orders are carried out at a time; at least 1."""

    @property
    def has_room(self) -> bool:
        """Whether one more order is begun at once."""

    @property
    def running(self) -> list[Order]:
        """Orders that are given and not done."""

    def give(self, order: Order) -> None:
        """Only while `has_room`."""

    def next(self) -> Done:
        """The next order that ends."""

    def done(self, *, until: float | None) -> Done | None:
        """The next order that ends; None at the time `until` (of time.monotonic)."""


class Workers:
    """Takes orders while `has_room`, yields what is done.  Made by `working`."""

    def __init__(
        self,
        folder: Path,
        count: int,
        log: Path,
        *,
        hosts: Sequence[Host] = (),
        notify: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._folder = folder
        self._log = log
        self._notify = notify
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._idle: list[WorkerProcess] = []
        self._busy: dict[WorkerProcess, tuple[Order, float]] = {}
        self._waiting: deque[Order] = deque()  # for the next worker that is there
        self._away: list[_Away] = []
        self._losses: dict[WorkerProcess, int] = {}  # of its connection, in succession
        self._deaths: dict[str, int] = {}
        try:
            for host in (one for one in hosts for _ in range(one.count)):
                self._idle.append(self._started(host))
            self._idle += [self._started(None) for _ in range(count)]  # local ones work first
        except DeviceError:
            self.end()
            raise

    @property
    def size(self) -> int:
        return len(self._idle) + len(self._busy) + len(self._away)

    @property
    def has_room(self) -> bool:
        return len(self._idle) + len(self._away) > len(self._waiting)

    @property
    def running(self) -> list[Order]:
        return [*(order for order, _ in self._busy.values()), *self._waiting]

    def give(self, order: Order) -> None:
        """Only while `has_room`."""
        if not self._idle:
            self._waiting.append(order)
            return
        worker = self._idle.pop()
        self._busy[worker] = (order, time.monotonic())
        worker.tell(order)

    def next(self) -> Done:
        """The next order that ends.  Raises TrainingFailed and DeviceError as `done` does."""
        while (done := self.done(until=None)) is None:
            pass
        return done

    def done(self, *, until: float | None) -> Done | None:
        """The next order that ends; None at the time `until` (of time.monotonic).

        Raises TrainingFailed for an order that ended its worker repeatedly or that failed, and
        DeviceError for a host that cannot train, or where no worker is left.
        """
        while until is None or time.monotonic() < until:
            self._bring_back()
            while self._waiting and self._idle:
                self.give(self._waiting.popleft())
            try:
                worker, line = self._events.get(timeout=_WAIT_S)
            except Empty:
                continue
            if not line:
                self._lost(worker)
                continue
            if worker not in self._busy:
                continue
            order, began = self._busy.pop(worker)
            self._idle.append(worker)
            self._losses.pop(worker, None)
            answer = read_answer(line)
            answer.require_success()
            return Done(order=order, answer=answer, seconds=time.monotonic() - began)
        return None

    def end(self) -> None:
        """Ends all workers at once; what they were doing is lost."""
        for worker in (*self._idle, *self._busy):
            worker.end()

    def _lost(self, worker: WorkerProcess) -> None:
        """Starts another one, on its machine or, where that is away, later."""
        if worker not in self._busy and worker not in self._idle:
            return
        worker.end()
        order, _ = self._busy.pop(worker, (None, 0.0))
        if worker in self._idle:
            self._idle.remove(worker)
        trouble, losses = worker.trouble(), self._losses.pop(worker, 0) + 1
        if trouble is not None and worker.host is not None:
            if order is not None:
                self._waiting.append(order)
            self._leave(worker.host, trouble, losses)
            return
        if order is not None:
            self._count_death(order)
            self._waiting.append(order)
        self._idle.append(self._started(worker.host))

    def _leave(self, host: Host, trouble: DeviceError, losses: int) -> None:
        """Tries a host again later, or not at all."""
        if not is_passing(trouble):
            raise trouble
        if losses <= len(BACKOFF_S):
            self._notify(f"{trouble.what}; trying again")
            due = time.monotonic() + BACKOFF_S[losses - 1]
            self._away.append(_Away(due=due, host=host, losses=losses))
            return
        self._notify(f"{trouble.what}; going on without this worker")
        if not self.size:
            raise trouble

    def _bring_back(self) -> None:
        for one in [one for one in self._away if one.due <= time.monotonic()]:
            self._away.remove(one)
            worker = self._started(one.host)
            self._losses[worker] = one.losses
            self._idle.append(worker)

    def _count_death(self, order: Order) -> None:
        line = order_line(order)
        self._deaths[line] = self._deaths.get(line, 0) + 1
        if self._deaths[line] >= MOST_DEATHS:
            raise TrainingFailed(
                f"a training ended its worker {MOST_DEATHS} times (see {self._log})",
                remedy="Was the machine out of memory? Give fewer --workers or smaller models",
            )

    def _started(self, host: Host | None) -> WorkerProcess:
        if host is None:
            return LocalWorker(self._folder, self._log, self._events)
        return RemoteWorker(host, self._folder, self._log, self._events)


@contextmanager
def working(
    folder: Path,
    count: int,
    *,
    hosts: Sequence[Host] = (),
    notify: Callable[[str], None] = lambda _text: None,
) -> Iterator[Workers]:
    """`count` workers on the data of a comparison in `folder`, and those of `hosts`.

    They end with the block.  `notify` gets sentences about hosts that are lost.
    Raises DeviceError for what is no host.
    """
    workers = Workers(folder, count, folder / "workers.log", hosts=hosts, notify=notify)
    try:
        yield workers
    finally:
        workers.end()
