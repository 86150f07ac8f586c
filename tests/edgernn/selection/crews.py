"""A crew without processes: each training ends at once, with the scores that a test gives it."""

from __future__ import annotations

from typing import Any

from edgernn.selection.messages import Answer, Measure, Train
from edgernn.selection.training import Training, model_file, write_training
from edgernn.selection.workers import Done

FORM = "native int8"


def result_of(job, *, scores):
    """The training of a job; scores: of its rows, by form."""
    return Training(
        key=job.key,
        name=job.contender.name,
        repetition=job.repetition,
        seed=job.seed,
        parameters=1,
        seconds=1.0,
        seconds_to_best=1.0,
        epochs_to_best=1,
        peak_bytes=1,
        curve=(),
        scores=scores,
    )


class MadeUpCrew:
    """`trained_by` gets a job and gives its Training, or raises; `bytes_of` gets a contender."""

    def __init__(self, folder, trained_by, *, size=2, bytes_of=lambda _: 1, seconds=1.0):
        self.size = size
        self.running: list[Any] = []
        self.given: list[Any] = []  # orders
        self.trained: list[Any] = []  # jobs, in order
        self._folder = folder
        self._trained_by = trained_by
        self._bytes_of = bytes_of
        self._seconds = seconds

    @property
    def has_room(self):
        return len(self.running) < self.size

    def give(self, order):
        self.running.append(order)
        self.given.append(order)

    def next(self):
        return self.done(until=None)

    def done(self, *, until):
        del until
        order = self.running.pop(0)
        if isinstance(order, Measure):
            answer = Answer(bytes={FORM: self._bytes_of(order.contender)})
            return Done(order=order, answer=answer, seconds=0.1)
        assert isinstance(order, Train)
        self.trained.append(order.job)
        write_training(self._folder, self._trained_by(order.job))
        model_file(self._folder, order.job.key).touch()
        return Done(order=order, answer=Answer(bytes={}), seconds=self._seconds)
