"""Worker processes on this machine, as many as are asked for; one that dies is replaced."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, Protocol, TextIO, TypeAlias, cast

from edgernn.errors import TrainingFailed
from edgernn.selection.messages import Answer, Order, order_line, read_answer

#: An order that ends its worker so often is at fault itself (out of memory, for instance).
MOST_DEATHS: Final = 2
_WAIT_S: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """An order was carried out in so many seconds."""

    order: Order
    answer: Answer
    seconds: float


_Event: TypeAlias = tuple["_Worker", str]  # a line of answer, "" when the worker is gone


class Crew(Protocol):
    """Who carries out orders: processes of this machine, or workers at a database."""

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

    def __init__(self, folder: Path, count: int, log: Path) -> None:
        self._folder = folder
        self._log = log
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._idle: list[_Worker] = [self._started() for _ in range(count)]
        self._busy: dict[_Worker, tuple[Order, float]] = {}
        self._deaths: dict[str, int] = {}

    @property
    def size(self) -> int:
        return len(self._idle) + len(self._busy)

    @property
    def has_room(self) -> bool:
        return bool(self._idle)

    @property
    def running(self) -> list[Order]:
        return [order for order, _ in self._busy.values()]

    def give(self, order: Order) -> None:
        """Only while `has_room`."""
        worker = self._idle.pop()
        self._busy[worker] = (order, time.monotonic())
        worker.tell(order_line(order))

    def next(self) -> Done:
        """The next order that ends.  Raises TrainingFailed as `done` does."""
        while (done := self.done(until=None)) is None:
            pass
        return done

    def done(self, *, until: float | None) -> Done | None:
        """The next order that ends; None at the time `until` (of time.monotonic).

        Raises TrainingFailed for an order that ended its worker repeatedly or that failed.
        """
        while until is None or time.monotonic() < until:
            try:
                worker, line = self._events.get(timeout=_WAIT_S)
            except Empty:
                continue
            if worker not in self._busy:
                if worker in self._idle and not line:
                    worker.end()
                    self._idle[self._idle.index(worker)] = self._started()
                continue
            order, began = self._busy.pop(worker)
            if not line:
                worker.end()
                self._again(order)
                continue
            self._idle.append(worker)
            answer = read_answer(line)
            if answer.error:
                raise TrainingFailed(answer.error, remedy=answer.remedy)
            return Done(order=order, answer=answer, seconds=time.monotonic() - began)
        return None

    def end(self) -> None:
        """Ends all workers at once; what they were doing is lost."""
        for worker in (*self._idle, *self._busy):
            worker.end()

    def _again(self, order: Order) -> None:
        line = order_line(order)
        self._deaths[line] = self._deaths.get(line, 0) + 1
        if self._deaths[line] >= MOST_DEATHS:
            raise TrainingFailed(
                f"a training ended its worker {MOST_DEATHS} times (see {self._log})",
                remedy="Was the machine out of memory? Give fewer --workers or smaller models",
            )
        self._idle.append(self._started())
        self.give(order)

    def _started(self) -> _Worker:
        return _Worker(self._folder, self._log, self._events)


@contextmanager
def working(folder: Path, count: int) -> Iterator[Workers]:
    """`count` workers on the data of a comparison in `folder`, ended with the block."""
    workers = Workers(folder, count, folder / "workers.log")
    try:
        yield workers
    finally:
        workers.end()


class _Worker:
    def __init__(self, folder: Path, log: Path, events: SimpleQueue[_Event]) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edgernn.selection.worker", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                text=True,
            )
        self._stdin = cast("TextIO", self._process.stdin)
        self._stdout = cast("TextIO", self._process.stdout)
        threading.Thread(target=self._read, args=[events], daemon=True).start()

    def tell(self, line: str) -> None:
        with suppress(BrokenPipeError):  # it is gone: its reader reports that
            self._stdin.write(line + "\n")
            self._stdin.flush()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._stdin, self._stdout):
            with suppress(BrokenPipeError):
                pipe.close()

    def _read(self, events: SimpleQueue[_Event]) -> None:
        with suppress(ValueError):  # closed by `end`
            for line in self._stdout:
                events.put((self, line))
        events.put((self, ""))
