"""How good a candidate of a search is: trained a few times, scored on validation rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from edgernn.selection.candidates import Candidate, Tried
from edgernn.selection.clock import Clock
from edgernn.selection.contender import Contender, Job, Role
from edgernn.selection.messages import TrainingDiverged
from edgernn.selection.training import read_training
from edgernn.selection.trainings import with_results
from edgernn.selection.wanted import Wanted
from edgernn.selection.workers import Crew
from edgernn.tasks.task import Recipe

#: Trainings of a candidate, with other validation rows each: few rows alone rank nothing.
REPETITIONS: Final = 3
#: Trainings that decide whether a candidate is worth the others.
FIRST: Final = 1
#: Standard errors of a score that a first training may lack.
_CERTAIN: Final = 2.0


class Judge:
    """Trains candidates, and keeps the scores of those that are decided in `tried`."""

    def __init__(
        self,
        wanted: Wanted,
        folder: Path,
        crew: Crew,
        clock: Clock,
        progress: Callable[[str], None],
    ) -> None:
        self._wanted = wanted
        self._folder = folder
        self._crew = crew
        self._clock = clock
        self._progress = progress
        self.tried: dict[tuple[Contender, Recipe], Tried] = {}
        self.trained: set[str] = set()  # keys of trainings
        self.left_out = 0  # trainings, for time

    @property
    def form(self) -> str:
        """ "native int8": what is searched."""
        forms = self._wanted.forms
        return f"{forms.formats[0]} {forms.schemes[0].value}"

    def job(self, candidate: Candidate, repetition: int, role: Role) -> Job:
        """One training of a candidate."""
        return Job(
            contender=candidate.contender,
            recipe=replace(candidate.recipe, units=candidate.contender.units),
            repetition=repetition,
            data_sha256=self._wanted.data_sha256,
            role=role,
        )

    def judged(self, candidates: Sequence[Candidate], repetitions: int) -> dict[Candidate, Tried]:
        """Those whose trainings all ended in time.  Raises TrainingFailed where one fails."""
        jobs = {
            one: [self.job(one, number, Role.SEARCHED) for number in range(repetitions)]
            for one in candidates
        }
        ordered = [job for jobs_of in zip(*jobs.values(), strict=True) for job in jobs_of]
        found, left = with_results(
            ordered, self._folder, self._crew, self._clock, self._wanted.forms, self._progress
        )
        self.left_out += left
        self.trained |= set(found)
        done: dict[Candidate, Tried] = {}
        for one in candidates:
            results = [found[job.key] for job in jobs[one] if job.key in found]
            if len(results) == repetitions:
                tried = Tried(candidate=one, scores=tuple(run.score(self.form) for run in results))
                done[one] = tried
                if repetitions >= REPETITIONS:
                    self.tried[one.contender, one.recipe] = tried
        return done

    def judged_early(self, candidates: Sequence[Candidate]) -> dict[Candidate, Tried]:
        """One training decides about what is far from the score: its others are not begun."""
        first = self.judged(candidates, FIRST)
        hopeless = {one: tried for one, tried in first.items() if self._is_hopeless(one)}
        for one, tried in hopeless.items():
            self.tried[one.contender, one.recipe] = tried
        rest = [one for one in candidates if one not in hopeless]
        return hopeless | self.judged(rest, REPETITIONS)

    def scored(self, candidates: Sequence[Candidate], repetitions: int) -> dict[Candidate, Tried]:
        """Without those whose recipe diverges: the sampler learns to avoid it."""
        try:
            return self.judged(candidates, repetitions) if candidates else {}
        except TrainingDiverged:
            if len(candidates) == 1:
                return {}
        return {
            key: tried
            for one in candidates
            for key, tried in self.scored([one], repetitions).items()
        }

    def _is_hopeless(self, candidate: Candidate) -> bool:
        """Whether its first training misses the score by more than the luck of its rows."""
        first = read_training(self._folder, self.job(candidate, 0, Role.SEARCHED).key)
        if first is None:
            return False
        rows = np.array(first.scores[self.form])
        luck = _CERTAIN * float(rows.std()) / math.sqrt(len(rows))
        sign = 1 if self._wanted.metric.higher_is_better else -1
        return not self._wanted.budget.reached_by(float(rows.mean()) + sign * luck)
