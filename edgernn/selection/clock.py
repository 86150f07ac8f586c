"""How long trainings take, and whether one more ends in time."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgernn.selection.contender import Contender, Job
from edgernn.tasks.notation import architecture_named

#: An estimate from a few trainings: early stopping ends some of them later than others.
_MARGIN = 1.15
#: Before any training has ended, its time is expected within this factor.
_ROUGHLY = 3.0


@dataclass(slots=True, kw_only=True)
class Clock:
    """Seconds that a job took by contender, and a deadline."""

    limit_s: float | None  # from the start; None: none
    reserve_s: float = 0.0  # for what comes after the trainings
    began: float = field(default_factory=time.monotonic)
    expected_s: Callable[[Job], float] | None = None  # before any training has ended
    _seconds: dict[Contender, list[float]] = field(default_factory=lambda: defaultdict(list))
    _around: list[float] = field(default_factory=list)  # of a job, all but its training

    @property
    def deadline(self) -> float | None:
        """Of the trainings, on time.monotonic's clock."""
        return None if self.limit_s is None else self.began + self.limit_s - self.reserve_s

    @property
    def remaining_s(self) -> float | None:
        """For everything; None without a limit."""
        if self.limit_s is None:
            return None
        return max(0.0, self.began + self.limit_s - time.monotonic())

    def took(self, contender: Contender, seconds: float, *, around_s: float | None = None) -> None:
        """around_s: what of it was not training, as to export and to score."""
        self._seconds[contender].append(seconds)
        if around_s is not None:
            self._around.append(around_s)

    def estimate_s(self, contender: Contender, *, is_averaged: bool = False) -> float | None:
        """Of one more training of this contender; None before any has ended.

        Of a contender that has not been trained, from the slowest that has, by units.
        is_averaged: it is the mean of models that are there, and only exported and scored.
        """
        if self._seconds[contender]:
            return _MARGIN * max(self._seconds[contender])
        if is_averaged and self._around:
            return _MARGIN * float(np.median(self._around)) * _models_in(contender)
        others = [
            max(seconds) * max(1.0, contender.units / other.units)
            for other, seconds in self._seconds.items()
            if seconds
        ]
        return _MARGIN * max(others) if others else None

    def fits(self, contender: Contender, *, rounds: int = 1) -> bool:
        """Whether a training that starts now, and others after it, are expected to end in time."""
        if self.deadline is None:
            return True
        estimate = self.estimate_s(contender) or 0.0
        others = float(np.mean(self._seconds[contender] or [estimate]))
        return time.monotonic() + estimate + (rounds - 1) * others < self.deadline

    def has_time_for(self, job: Job) -> bool:
        """Whether the job is expected to end in time if it starts now.

        Before any training has ended, whether it may.
        """
        if self.deadline is None:
            return True
        seconds = self._job_s(job)
        if seconds is None:
            seconds = self.expected_s(job) / _ROUGHLY if self.expected_s else 0.0
        return time.monotonic() + seconds < self.deadline

    @property
    def is_measured(self) -> bool:
        """Whether a training has ended: what is expected then follows from it."""
        return any(self._seconds.values())

    def left_s(self, jobs: Sequence[Job], workers: int) -> float | None:
        """Of trainings that are still to do; None where nothing is known about one of them."""
        estimates = [self._job_s(one) for one in jobs]
        if None not in estimates:
            return sum(one for one in estimates if one is not None) / _MARGIN / workers
        return sum(map(self.expected_s, jobs)) / workers if self.expected_s else None

    def _job_s(self, job: Job) -> float | None:
        """A training on a share of the rows takes that share of the time."""
        estimate = self.estimate_s(job.contender, is_averaged=bool(job.members))
        return None if estimate is None else estimate * job.share


def _models_in(contender: Contender) -> int:
    """Of an ensemble: it is as slow to export and to score as its members together."""
    return len(architecture_named(contender.architecture).members)
