"""The job of `search`: the smallest or fastest model that reaches a score within a budget.

Widths are bisected for each architecture, then recipes are tuned for models that are smaller still.
All of that is judged on validation rows.  The test rows are opened once, for the winner.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from edgernn import atomic
from edgernn.errors import BudgetExceeded, TrainingFailed, WrongOption
from edgernn.scoring.metric import Metric
from edgernn.selection.candidates import (
    Budget,
    Candidate,
    Ladder,
    Tried,
    affordable,
    cheapest_first,
    shape_of,
)
from edgernn.selection.clock import Clock
from edgernn.selection.contender import Contender, Job, Role
from edgernn.selection.predictor import Predictor
from edgernn.selection.training import Training
from edgernn.selection.trainings import bytes_by_form, with_results
from edgernn.selection.tuning import Suggestion, Tuner
from edgernn.selection.work import Forms
from edgernn.selection.workers import Crew
from edgernn.tasks.samples import Splits
from edgernn.tasks.task import Recipe

#: Trainings of a candidate, with other validation rows each: few rows alone rank nothing.
REPETITIONS: Final = 3
#: Trainings of the winner on the data's own parts; the best on validation rows is handed over.
FINALS: Final = 3
_MOST_WINNERS: Final = 4  # that are trained again before the search gives up
_MOST_TUNED: Final = 6  # contenders that are smaller than the best found
_FIRST: Final = 1  # repetitions that decide whether a suggestion is worth the others

Progress = Callable[[str], None]


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
    reached: bool  # the score, there
    tried: tuple[Tried, ...]
    refused: tuple[str, ...]  # sentences: architectures that do not fit
    trainings: int
    left_out: int


class Search:
    """The state of a search: costs that are known, candidates that were tried."""

    def __init__(
        self, wanted: Wanted, folder: Path, crew: Crew, clock: Clock, progress: Progress
    ) -> None:
        self._wanted = wanted
        self._folder = folder
        self._crew = crew
        self._clock = clock
        self._progress = progress
        self._bytes: dict[Contender, int] = {}
        self._tried: dict[tuple[Contender, Recipe], Tried] = {}
        self._refused: list[str] = []
        self._trained: set[str] = set()
        self._left_out = 0
        self._unconfirmed: set[Candidate] = set()

    def chosen(self) -> Chosen:
        """Raises BudgetExceeded where nothing fits, TrainingFailed where the time is too short."""
        self._bisect()
        self._tune()
        found = self._final()
        for _ in range(_MOST_WINNERS - 1):
            if found.reached or self._best() is None:
                break
            # Lucky before: trained again, it misses the score on validation rows, too.
            self._unconfirmed.add(found.candidate)
            self._tune()
            found = self._final()
        return found

    def _bisect(self) -> None:
        ladders = self._ladders()
        while True:
            best = self._best()
            if best is not None:
                for ladder in ladders:
                    ladder.bound(self._cheaper, best.candidate)
            wanted = [(ladder, one) for ladder in ladders if (one := ladder.wanted())]
            if not wanted:
                return
            done = self._judged([one for _, one in wanted], REPETITIONS)
            if not done:
                return  # no time is left
            for ladder, candidate in wanted:
                if (tried := done.get(candidate)) is not None:
                    ladder.told(tried, reached=self._reached(tried))
                else:
                    ladder.rungs = []

    def _ladders(self) -> list[Ladder]:
        found = {name: self._affordable(name) for name in self._wanted.architectures}
        self._refused = [rungs for rungs in found.values() if isinstance(rungs, str)]
        ladders = [Ladder(rungs=rungs) for rungs in found.values() if not isinstance(rungs, str)]
        if not ladders:
            raise BudgetExceeded(
                "no model fits: " + "; ".join(self._refused),
                remedy="Allow more bytes or more time",
            )
        return ladders

    def _affordable(self, architecture: str) -> list[Candidate] | str:
        """Widths that fit; a sentence where none does."""
        try:
            return affordable(
                architecture,
                self._wanted.recipe,
                self._wanted.budget,
                bytes_of=self._bytes_of,
                predicted_ms=self._predicted_ms,
            )
        except BudgetExceeded as error:
            return str(error)

    def _tune(self) -> None:
        """Asks for recipes, of what is cheaper than the best; or of all, where none reached."""
        trials = self._folder / "trials"
        contenders = self._to_tune() if self._wanted.most_trials or trials.exists() else []
        if not contenders or not self._has_time(contenders[0]):
            return
        wanted = self._wanted
        tuner = Tuner(
            contenders,
            wanted.recipe,
            trials,
            higher=wanted.metric.higher_is_better,
        )
        found = [one for one, score in tuner.earlier if wanted.budget.reached_by(score)]
        self._scored([self._candidate(one) for one in found], REPETITIONS)
        asked = 0
        while asked < wanted.most_trials:
            batch: list[tuple[Suggestion, Candidate]] = []
            for _ in range(self._crew.size):
                asked += 1
                suggestion = tuner.suggestion()
                if (candidate := self._worthwhile(suggestion)) is None:
                    tuner.told(suggestion, None)
                else:
                    batch.append((suggestion, candidate))
            if not batch:
                continue
            if not self._has_time(batch[0][1].contender):
                return
            self._progress(f"recipe {asked} of {wanted.most_trials} at most")
            self._try_recipes(tuner, batch)

    def _try_recipes(self, tuner: Tuner, batch: Sequence[tuple[Suggestion, Candidate]]) -> None:
        first = self._scored([candidate for _, candidate in batch], _FIRST)
        promising = [one for one, tried in first.items() if self._reached(tried)]
        again = self._scored(promising, REPETITIONS)
        for suggestion, candidate in batch:
            tried = again.get(candidate) or first.get(candidate)
            tuner.told(suggestion, None if tried is None else tried.score)

    def _final(self) -> Chosen:
        """Trains the winner on all training rows; the best on validation rows is taken."""
        if not self._tried:
            spent = time.monotonic() - self._clock.began
            raise TrainingFailed(
                f"after {spent:.0f} s no candidate is trained",
                remedy="Give a longer --time-limit and --resume: what was trained is kept",
            )
        best = self._best()
        winner = best or self._nearest()
        jobs = [self._job(winner.candidate, number, Role.FINAL) for number in range(FINALS)]
        self._progress(f"training {winner.candidate.contender.name} on all training rows")
        found, _ = with_results(
            jobs,
            self._folder,
            self._crew,
            self._without_reserve(),
            self._wanted.forms,
            self._progress,
        )
        if not found:
            raise TrainingFailed(
                "no time is left to train the winner",
                remedy="Give a longer --time-limit and --resume: what was trained is kept",
            )
        self._trained |= set(found)
        sign = 1 if self._wanted.metric.higher_is_better else -1
        job = max(
            (one for one in jobs if one.key in found),
            key=lambda one: sign * found[one.key].score(self._form),
        )
        return Chosen(
            candidate=winner.candidate,
            job=job,
            training=found[job.key],
            scores=winner.scores,
            reached=best is not None
            and self._wanted.budget.reached_by(found[job.key].score(self._form)),
            tried=tuple(self._tried.values()),
            refused=tuple(self._refused),
            trainings=len(self._trained),
            left_out=self._left_out,
        )

    @property
    def _form(self) -> str:
        forms = self._wanted.forms
        return f"{forms.formats[0]} {forms.schemes[0].value}"

    def _reached(self, tried: Tried) -> bool:
        is_confirmed = tried.candidate not in self._unconfirmed
        return is_confirmed and self._wanted.budget.reached_by(tried.score)

    def _best(self) -> Tried | None:
        """The cheapest that reaches the score."""
        reached = [one for one in self._tried.values() if self._reached(one)]
        ordered = cheapest_first(reached, by_time=self._wanted.by_time)
        return ordered[0] if ordered else None

    def _nearest(self) -> Tried:
        sign = 1 if self._wanted.metric.higher_is_better else -1
        return max(self._tried.values(), key=lambda one: sign * one.score)

    def _cheaper(self, one: Candidate, other: Candidate) -> bool:
        if self._wanted.by_time and one.predicted_ms and other.predicted_ms:
            return one.predicted_ms < other.predicted_ms
        return one.bytes < other.bytes

    def _to_tune(self) -> list[Contender]:
        """What is cheaper than the best, the dearest of these first: they lack least."""
        best = self._best()
        found = [self._affordable(name) for name in self._wanted.architectures]
        rungs = [one for rungs in found if not isinstance(rungs, str) for one in rungs]
        if best is not None:
            rungs = [one for one in rungs if self._cheaper(one, best.candidate)]
        rungs.sort(key=lambda one: -one.bytes)
        return [one.contender for one in rungs[:_MOST_TUNED]]

    def _candidate(self, suggestion: Suggestion) -> Candidate:
        return Candidate(
            contender=suggestion.contender,
            recipe=suggestion.recipe,
            bytes=self._bytes_of(suggestion.contender),
            predicted_ms=self._predicted_ms(suggestion.contender),
        )

    def _worthwhile(self, suggestion: Suggestion) -> Candidate | None:
        """None for what does not fit, or what is no cheaper than the best by now."""
        budget, best = self._wanted.budget, self._best()
        candidate = self._candidate(suggestion)
        if budget.max_bytes is not None and candidate.bytes > budget.max_bytes:
            return None
        return candidate if best is None or self._cheaper(candidate, best.candidate) else None

    def _judged(self, candidates: Sequence[Candidate], repetitions: int) -> dict[Candidate, Tried]:
        jobs = {
            one: [self._job(one, number, Role.SEARCHED) for number in range(repetitions)]
            for one in candidates
        }
        ordered = [job for jobs_of in zip(*jobs.values(), strict=True) for job in jobs_of]
        found, left = with_results(
            ordered, self._folder, self._crew, self._clock, self._wanted.forms, self._progress
        )
        self._left_out += left
        self._trained |= set(found)
        done: dict[Candidate, Tried] = {}
        for one in candidates:
            results = [found[job.key] for job in jobs[one] if job.key in found]
            if len(results) == repetitions:
                tried = Tried(candidate=one, scores=tuple(run.score(self._form) for run in results))
                done[one] = tried
                if repetitions >= REPETITIONS:
                    self._tried[one.contender, one.recipe] = tried
        return done

    def _scored(self, candidates: Sequence[Candidate], repetitions: int) -> dict[Candidate, Tried]:
        """Without those whose recipe diverges: the sampler learns to avoid it."""
        try:
            return self._judged(candidates, repetitions) if candidates else {}
        except TrainingFailed:
            if len(candidates) == 1:
                return {}
        return {
            key: tried
            for one in candidates
            for key, tried in self._scored([one], repetitions).items()
        }

    def _job(self, candidate: Candidate, repetition: int, role: Role) -> Job:
        return Job(
            contender=candidate.contender,
            recipe=replace(candidate.recipe, units=candidate.contender.units),
            repetition=repetition,
            data_sha256=self._wanted.data_sha256,
            role=role,
        )

    def _bytes_of(self, contender: Contender) -> int:
        if contender not in self._bytes:
            self._progress(f"measuring the bytes of {contender.name}")
            found = bytes_by_form(contender, self._wanted.recipe, self._crew, self._wanted.forms)
            self._bytes[contender] = max(found.values())
        return self._bytes[contender]

    def _predicted_ms(self, contender: Contender) -> float | None:
        predictor, train = self._wanted.predictor, self._wanted.splits.train
        if predictor is None or train.x.ndim != 3:
            return None
        shape = shape_of(
            contender, steps=train.x.shape[1], features=train.x.shape[2], classes=train.classes
        )
        return None if shape is None else predictor.ms(shape)

    def _has_time(self, contender: Contender) -> bool:
        return self._clock.fits(contender)

    def _without_reserve(self) -> Clock:
        """For the winner, whose time was put aside."""
        return replace(self._clock, reserve_s=0.0)


def require_unsearched(folder: Path, entry: dict[str, object], *, resume: bool) -> None:
    """Keeps what a search was asked for; a folder with another one, or without resume, is refused.

    Raises WrongOption, OutputError.
    """
    path = folder / "search.json"
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        atomic.write_bytes(path, json.dumps(entry, indent=1).encode() + b"\n")
        return
    except ValueError:
        earlier = None
    if not resume:
        raise WrongOption(
            f"{folder} holds a search",
            remedy="Continue it with --resume, or give another folder with -o",
        )
    if not isinstance(earlier, dict) or earlier.get("data_sha256") != entry["data_sha256"]:
        raise WrongOption(
            f"the search in {folder} was made with other data",
            remedy="Give the same data, or another folder with -o",
        )
