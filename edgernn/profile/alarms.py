"""False alarms and misses of a model that listens to long recordings, as values."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgernn.stats import Interval, clopper_pearson, poisson_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What was heard in some recordings."""

    hours: float
    events: int
    missed: int
    false_alarms: int

    @property
    def per_hour(self) -> float:
        return self.false_alarms / self.hours

    @property
    def per_hour_interval(self) -> Interval:
        """95 %, as if false alarms came independently of each other."""
        low, high = poisson_interval(self.false_alarms)
        return Interval(low / self.hours, high / self.hours)

    @property
    def miss_rate(self) -> float | None:
        return self.missed / self.events if self.events else None

    @property
    def miss_interval(self) -> Interval | None:
        return clopper_pearson(self.missed, self.events) if self.events else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """Of one artefact: the threshold that was chosen, and what it gives."""

    file: str
    sha256: str
    recordings: str  # the folder's name
    wanted_per_hour: float
    threshold: float
    smooth: int
    pause_s: float
    background: tuple[str, ...]  # labels that are no alarm
    validation: Tally
    test: Tally

    @property
    def is_kept(self) -> bool:
        """Whether the validation has no more false alarms than were wanted."""
        return self.validation.per_hour <= self.wanted_per_hour

    @property
    def hours_to_show(self) -> float:
        """So long a recording without a false alarm shows, at 95 %, that the wanted rate is kept.

        Infinite where none is wanted: no recording shows that there will never be one.
        """
        most = poisson_interval(0).high
        return most / self.wanted_per_hour if self.wanted_per_hour else math.inf

    @property
    def can_show(self) -> bool:
        """Whether both parts are so long."""
        return min(self.validation.hours, self.test.hours) >= self.hours_to_show
