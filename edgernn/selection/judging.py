"""How good a candidate of a search is: trained a few times, scored on validation rows.

What looks good there is confirmed by fresh trainings (edgernn.selection.confirming).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn.selection.candidates import Candidate, Tried
from edgernn.selection.clock import Clock
from edgernn.selection.confirming import (
    CHECKED_EVERY,
    Confirmation,
    confirmation,
    failed,
    needed_score,
)
from edgernn.selection.contender import Contender, Job, Role
from edgernn.selection.data import fold_count
from edgernn.selection.messages import TrainingDiverged
from edgernn.selection.training import Training, read_training
from edgernn.selection.trainings import with_results
from edgernn.selection.wanted import Wanted
from edgernn.selection.workers import Crew
from edgernn.tasks.task import Recipe

#: Trainings of a candidate, with other validation rows each: few rows alone rank nothing.
REPETITIONS: Final = 3
#: Trainings that decide whether a candidate is worth the others.
FIRST: Final = 1
#: Trainings of the winner on the data's own parts; the best on validation rows is handed over.
FINALS: Final = 3
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
        self._trainings = fold_count(wanted.splits)  # of a confirmation
        self._all_rows = len(wanted.splits.train) + len(wanted.splits.validation)
        self._needed: dict[Candidate, float] = {}
        self.tried: dict[tuple[Contender, Recipe], Tried] = {}
        self.confirmed: dict[Candidate, Confirmation] = {}
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
                rows = np.concatenate([self._rows(run) for run in results])
                self._needed[one] = needed_score(rows, self._wanted.budget, self._all_rows)
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

    def is_promising(self, tried: Tried) -> bool:
        """Whether its score, if it is no luck, will be confirmed."""
        needed = self._needed[tried.candidate]
        return replace(self._wanted.budget, score=needed).reached_by(tried.score)

    def has_time_to_confirm(self, contender: Contender, *, before: int = 0) -> bool:
        """before: other trainings of it that come first."""
        rounds = math.ceil(before / self._crew.size)
        rounds += math.ceil(self._trainings / max(CHECKED_EVERY, self._crew.size))
        return self._clock.fits(contender, rounds=rounds)

    def confirm(self, candidate: Candidate) -> Confirmation | None:
        """Whether fresh trainings hold the score, kept in `confirmed`; None where time is short.

        How many of them decide does not depend on the number of workers.  Raises TrainingFailed
        where one fails with the usual recipe; a tuned one may diverge.
        """
        jobs = [self.job(candidate, fold, Role.CONFIRMED) for fold in range(self._trainings)]
        at_once = max(CHECKED_EVERY, self._crew.size // CHECKED_EVERY * CHECKED_EVERY)
        done: list[npt.NDArray[np.float64]] = []
        for start in range(0, len(jobs), at_once):
            batch = jobs[start : start + at_once]
            kept = [read_training(self._folder, job.key) for job in batch]
            rounds = math.ceil((len(jobs) - start) / at_once)
            if None in kept and not self._clock.fits(candidate.contender, rounds=rounds):
                return None
            self._progress(f"confirming {candidate.contender.name} with fresh trainings")
            try:
                found, left = with_results(
                    batch,
                    self._folder,
                    self._crew,
                    self._clock,
                    self._wanted.forms,
                    self._progress,
                )
            except TrainingDiverged as error:
                if candidate.recipe == self._wanted.recipe:
                    raise  # as in the search: whoever asks for this recipe must know
                return self._keep(candidate, failed(self._wanted.budget, error.what))
            self.left_out += left
            self.trained |= set(found)
            if len(found) < len(batch):
                return None
            for job in batch:
                done.append(self._rows(found[job.key]))
                said = self._said(done)
                if len(done) == len(jobs) or (said.given_up and not len(done) % CHECKED_EVERY):
                    return self._keep(candidate, said)
        raise AssertionError("a confirmation without a training")

    def final(self, candidate: Candidate) -> tuple[Job, Training]:
        """The best on validation rows of trainings on the data's own parts, in the time put aside.

        Where none ends in time, of those of the search.
        """
        jobs = [self.job(candidate, number, Role.FINAL) for number in range(FINALS)]
        clock = replace(self._clock, reserve_s=0.0)
        found, _ = with_results(
            jobs, self._folder, self._crew, clock, self._wanted.forms, self._progress
        )
        if not found:
            jobs = [self.job(candidate, number, Role.SEARCHED) for number in range(REPETITIONS)]
            kept = {job.key: read_training(self._folder, job.key) for job in jobs}
            found = {key: training for key, training in kept.items() if training is not None}
        self.trained |= set(found)
        sign = 1 if self._wanted.metric.higher_is_better else -1
        best = max(
            (job for job in jobs if job.key in found),
            key=lambda job: sign * found[job.key].score(self.form),
        )
        return best, found[best.key]

    def _keep(self, candidate: Candidate, said: Confirmation) -> Confirmation:
        self.confirmed[candidate] = said
        return said

    def _said(self, done: Sequence[npt.NDArray[np.float64]]) -> Confirmation:
        return confirmation(
            done, self._wanted.budget, trainings=self._trainings, all_rows=self._all_rows
        )

    def _rows(self, training: Training) -> npt.NDArray[np.float64]:
        return np.array(training.scores[self.form], np.float64)

    def _is_hopeless(self, candidate: Candidate) -> bool:
        """Whether its first training misses the score by more than the luck of its rows."""
        first = read_training(self._folder, self.job(candidate, 0, Role.SEARCHED).key)
        if first is None:
            return False
        rows = np.array(first.scores[self.form])
        luck = _CERTAIN * float(rows.std()) / math.sqrt(len(rows))
        sign = 1 if self._wanted.metric.higher_is_better else -1
        return not self._wanted.budget.reached_by(float(rows.mean()) + sign * luck)
