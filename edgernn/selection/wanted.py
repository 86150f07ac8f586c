"""What a search is asked for, and what it chooses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edgernn.profile.measure import Benchmark
from edgernn.scoring.metric import Metric
from edgernn.selection.candidates import Budget, Candidate, Tried
from edgernn.selection.confirming import Confirmation
from edgernn.selection.contender import Job
from edgernn.selection.predictor import Predictor
from edgernn.selection.training import Training
from edgernn.selection.work import Forms
from edgernn.tasks.samples import Splits
from edgernn.tasks.task import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is searched, in which data, for how long."""

    name: str  # of the data
    splits: Splits
    data_sha256: str
    recipe: Recipe
    architectures: tuple[str, ...]
    budget: Budget
    forms: Forms  # one format in one scheme
    metric: Metric
    by_time: bool = False  # the fastest instead of the smallest
    most_trials: int = 40  # suggestions of recipes
    predictor: Predictor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The winner's best final training, and everything that was tried."""

    candidate: Candidate
    job: Job
    training: Training
    scores: tuple[float, ...]  # of the search, on validation rows
    confirmation: Confirmation | None  # by fresh trainings; None: there was no time for them
    reached: bool  # the score there, and when trained again; the margin is `confirmation.holds`
    tried: tuple[Tried, ...]
    refused: tuple[str, ...]  # sentences: architectures that do not fit
    trainings: int
    left_out: int
    confirmed: Mapping[Candidate, Confirmation] = field(default_factory=dict)  # or not, of `tried`
    timed: Benchmark | None = None  # on the device, with validation rows; None: not asked for
    in_time: bool = True  # whether it then holds the limit of p95
    file_bytes: int | None = None  # of its checked file; None: as large as the candidate's
    in_bytes: bool = True  # whether that holds the limit of bytes

    @property
    def opens_test(self) -> bool:
        """Whether it holds all that validation rows can show.

        Otherwise the search may go on, and the test rows stay unseen.
        """
        return self.reached and self.in_time and self.in_bytes


#: Measures a winner on the device; None where times are not measured there.
Timing = Callable[[Chosen], Benchmark | None]

#: The bytes of a winner's checked file, in which layers that lose too much in 4 bits keep 8.
Sizing = Callable[[Chosen], int]
