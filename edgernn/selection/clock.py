"""How long trainings take, and whether one more ends in time."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from edgernn.selection.contender import Contender

#: An estimate from a few trainings: early stopping ends some of them later than others.
_MARGIN = 1.15


@dataclass(slots=True, kw_only=True)
class Clock:
    """Seconds that a job took by contender, and a deadline."""

    limit_s: float | None  # from the start; None: none
    reserve_s: float = 0.0  # for what comes after the trainings
    began: float = field(default_factory=time.monotonic)
    _seconds: dict[Contender, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def deadline(self) -> float | None:
        """Of the trainings, on time.monotonic's clock."""
        return None if self.limit_s is None else self.began + self.limit_s - self.reserve_s

    def took(self, contender: Contender, seconds: float) -> None:
        self._seconds[contender].append(seconds)

    def estimate_s(self, contender: Contender) -> float | None:
        """Of one more training of this contender; None before any has ended.

        Of a contender that has not been trained, from the slowest that has, by units.
        """
        if self._seconds[contender]:
            return _MARGIN * max(self._seconds[contender])
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

    def left_s(self, contenders: list[Contender], workers: int) -> float | None:
        """Of trainings that are still to do, one for each entry; None before any estimate."""
        estimates = [self.estimate_s(one) for one in contenders]
        if None in estimates:
            return None
        return sum(one for one in estimates if one is not None) / _MARGIN / workers
