"""The job of `search`: the smallest or fastest model that reaches a score within a budget.

Widths are bisected for each architecture, then recipes are tuned for models that are smaller still.
Whatever looks good enough there is trained anew, on rows and with seeds that had no part in that
(edgernn.selection.confirming): only these trainings make a winner.  The test rows are opened once,
for the winner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from edgernn.errors import BudgetExceeded, TrainingFailed
from edgernn.selection.candidates import (
    Candidate,
    Ladder,
    Tried,
    affordable,
    cheapest_first,
    shape_of,
)
from edgernn.selection.clock import Clock
from edgernn.selection.contender import Contender
from edgernn.selection.judging import FIRST, REPETITIONS, Judge
from edgernn.selection.trainings import bytes_by_form
from edgernn.selection.tuning import Suggestion, Tuner
from edgernn.selection.wanted import Chosen, Sizing, Timing, Wanted
from edgernn.selection.workers import Crew
from edgernn.units import file_size, milliseconds, seconds

_MOST_WINNERS: Final = 4  # that are trained again before the search gives up
#: Candidates with fresh trainings: each has its chance to be confirmed by luck.
_MOST_CONFIRMED: Final = 6
_MOST_TUNED: Final = 6  # contenders that are smaller than the best found
_PATIENCE: Final = 6  # recipes without a better model, before no more are tried

Progress = Callable[[str], None]


class Search:
    """The state of a search: costs that are known, candidates that were tried."""

    def __init__(
        self,
        wanted: Wanted,
        folder: Path,
        crew: Crew,
        clock: Clock,
        progress: Progress,
        *,
        timing: Timing | None = None,
        sizing: Sizing | None = None,
    ) -> None:
        """timing: measures winners before one is chosen; needed where the budget limits p95.
        sizing: needed where it limits bytes, and a checked file may have more than its candidate.
        """
        self._wanted = wanted
        self._folder = folder
        self._crew = crew
        self._clock = clock
        self._progress = progress
        self._judge = Judge(wanted, folder, crew, clock, progress)
        self._bytes: dict[Contender, int] = {}
        self._refused: list[str] = []
        self._missed: set[Candidate] = set()  # as winners
        self._timing = timing
        self._sizing = sizing
        self._allowed_ms: dict[str, float] = {}  # where slower than predicted

    def chosen(self) -> Chosen:
        """Raises BudgetExceeded where nothing fits, TrainingFailed where the time is too short."""
        self._look()
        winners = [self._final()]
        while len(winners) < _MOST_WINNERS and not self._holds(winners[-1]):
            if (following := self._following(winners[-1])) is None:
                break
            winners.append(following)
        chosen = min(winners, key=self._shortfall)
        passed_over = [self._why(one) for one in winners if one is not chosen]
        return replace(
            chosen,
            in_time=(self._times_over(chosen) or 0.0) <= 1,
            in_bytes=self._is_small(chosen),
            trainings=len(self._judge.trained),
            left_out=self._judge.left_out,
            tried=tuple(self._judge.tried.values()),
            confirmed=dict(self._judge.confirmed),
            refused=(*chosen.refused, *passed_over),
        )

    def _look(self) -> None:
        """Finds a winner among the usual recipes first; then others make a smaller one."""
        self._bisect()
        self._settle()
        self._tune()

    def _settle(self) -> None:
        """Confirms the cheapest of what looks good, until one holds or nothing is left."""
        while (best := self._best()) is not None and best.candidate not in self._judge.confirmed:
            if self._is_exhausted:
                return
            said = self._judge.confirm(best.candidate)
            if said is None:
                return
            if not said.holds:
                self._bisect()  # a wider one may do

    def _why(self, missed: Chosen) -> str:
        name, over = missed.candidate.contender.name, self._times_over(missed)
        if not self._is_small(missed):
            size, most = file_size(missed.file_bytes), file_size(self._wanted.budget.max_bytes)
            return f"the checked file of {name} has {size}, and the limit is {most}"
        if over is None or not missed.reached:
            return f"{name} misses the score when trained again"
        limit = self._wanted.budget.p95_ms or 0.0
        p95 = milliseconds(over * limit)
        return f"{name} has a p95 of {p95}, measured, and the limit is {milliseconds(limit)}"

    def _times_over(self, found: Chosen) -> float | None:
        """The measured p95 as a multiple of its limit; None where either is not there."""
        limit, timed = self._wanted.budget.p95_ms, found.timed
        if limit is None or timed is None or timed.hot.p95_ms is None:
            return None
        return timed.hot.p95_ms / limit

    def _holds(self, found: Chosen) -> bool:
        in_time = (self._times_over(found) or 0.0) <= 1
        return found.reached and in_time and self._is_small(found)

    def _is_small(self, found: Chosen) -> bool:
        limit, size = self._wanted.budget.max_bytes, found.file_bytes
        return limit is None or size is None or size <= limit

    def _shortfall(self, found: Chosen) -> tuple[bool, bool, float]:
        """Small for what holds most: the score first, then the bytes, then the time."""
        return (not found.reached, not self._is_small(found), self._times_over(found) or 0.0)

    def _following(self, missed: Chosen) -> Chosen | None:
        """The next winner, without one that misses the score again or the time; None: no other."""
        if self._winner() is None:
            return None
        self._missed.add(missed.candidate)
        self._progress(self._why(missed))
        over, predicted = self._times_over(missed), missed.candidate.predicted_ms
        if over is not None and predicted is not None:
            # Other widths are as much slower than predicted.
            self._allowed_ms[missed.candidate.contender.architecture] = predicted / over
        try:
            self._look()
        except BudgetExceeded:
            return None  # whatever is trained is too slow
        return None if self._winner() is None else self._final()

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
            done = self._judge.judged_early([one for _, one in wanted])
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
        climbs = self._wanted.budget.max_bytes is None  # the widest of all would take long
        ladders = [
            Ladder(rungs=rungs, climbs=climbs)
            for rungs in found.values()
            if not isinstance(rungs, str)
        ]
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
                replace(self._wanted.budget, p95_ms=self._limit_ms(architecture)),
                bytes_of=self._bytes_of,
                predicted_ms=self._predicted_ms,
            )
        except BudgetExceeded as error:
            return error.what

    def _tune(self) -> None:
        """Asks for recipes, of what is cheaper than the best; or of all, where none reached."""
        trials = self._folder / "trials"
        contenders = self._to_tune() if self._wanted.most_trials or trials.exists() else []
        if not contenders or not self._may_go_on(contenders[0]):
            return
        wanted = self._wanted
        tuner = Tuner(
            contenders,
            wanted.recipe,
            trials,
            higher=wanted.metric.higher_is_better,
        )
        found = [one for one, score in tuner.earlier if wanted.budget.reached_by(score)]
        self._judge.scored([self._candidate(one) for one in found], REPETITIONS)
        self._settle()
        asked = since = 0
        while asked < wanted.most_trials and since < _PATIENCE:
            best = self._winner()
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
            if not self._may_go_on(batch[0][1].contender):
                return
            self._progress(f"recipe {asked} of {wanted.most_trials} at most")
            self._try_recipes(tuner, batch)
            self._settle()
            since = since + len(batch) if self._winner() == best else 0

    def _try_recipes(self, tuner: Tuner, batch: Sequence[tuple[Suggestion, Candidate]]) -> None:
        first = self._judge.scored([candidate for _, candidate in batch], FIRST)
        promising = [
            one
            for one, tried in first.items()
            if self._is_left(one) and self._wanted.budget.reached_by(tried.score)
        ]
        again = self._judge.scored(promising, REPETITIONS)
        for suggestion, candidate in batch:
            tried = again.get(candidate) or first.get(candidate)
            tuner.told(suggestion, None if tried is None else tried.score)

    def _final(self) -> Chosen:
        """The winner, trained on all training rows or, without time for that, in the search."""
        if not self._judge.tried:
            raise TrainingFailed(
                f"a time limit of {seconds(self._clock.limit_s)} is too short to train a candidate",
                remedy="Give a longer --time-limit and --resume: what was trained is kept; or a "
                "smaller --max-bytes: the widest model that fits it is trained first",
            )
        sound = self._winner() or self._likely()
        # Where all that could be confirmed were refuted, others that look as good count as little.
        others = None if self._is_exhausted else self._best()
        winner = sound or others or self._nearest()
        self._progress(f"training {winner.candidate.contender.name} on all training rows")
        job, training = self._judge.final(winner.candidate)
        chosen = Chosen(
            candidate=winner.candidate,
            job=job,
            training=training,
            scores=winner.scores,
            confirmation=self._judge.confirmed.get(winner.candidate),
            reached=sound is not None
            and self._wanted.budget.reached_by(training.score(self._judge.form)),
            tried=tuple(self._judge.tried.values()),
            refused=tuple(self._refused),
            trainings=len(self._judge.trained),
            left_out=self._judge.left_out,
        )
        if self._sizing is not None and chosen.reached:
            chosen = replace(chosen, file_bytes=self._sizing(chosen))
        if self._timing is None or not chosen.reached:
            return chosen
        self._progress(f"timing {winner.candidate.contender.name} on the device")
        return replace(chosen, timed=self._timing(chosen))

    def _reached(self, tried: Tried) -> bool:
        """Whether it looks good, and no fresh trainings contradict."""
        confirmed = self._judge.confirmed.get(tried.candidate)
        is_refuted = confirmed is not None and not confirmed.holds
        return self._is_left(tried.candidate) and not is_refuted and self._judge.is_promising(tried)

    def _is_left(self, candidate: Candidate) -> bool:
        """Neither was a winner that missed a limit, nor is expected to be too slow."""
        limit, predicted = self._limit_ms(candidate.contender.architecture), candidate.predicted_ms
        is_slow = limit is not None and predicted is not None and predicted > limit
        return candidate not in self._missed and not is_slow

    def _limit_ms(self, architecture: str) -> float | None:
        return self._allowed_ms.get(architecture, self._wanted.budget.p95_ms)

    def _best(self) -> Tried | None:
        """The cheapest that looks good, or that is confirmed."""
        reached = [one for one in self._judge.tried.values() if self._reached(one)]
        ordered = cheapest_first(reached, by_time=self._wanted.by_time)
        return ordered[0] if ordered else None

    def _winner(self) -> Tried | None:
        """The cheapest that fresh trainings confirm."""
        holding = {one for one, said in self._judge.confirmed.items() if said.holds}
        some = [
            one
            for one in self._judge.tried.values()
            if one.candidate in holding and self._is_left(one.candidate)
        ]
        ordered = cheapest_first(some, by_time=self._wanted.by_time)
        return ordered[0] if ordered else None

    def _likely(self) -> Tried | None:
        """The best of what fresh trainings find good enough, if not by the margin."""
        some = [one for one in self._judge.tried.values() if self._is_left(one.candidate)]
        known = self._judge.confirmed
        found = {
            one.candidate: one
            for one in some
            if one.candidate in known and known[one.candidate].is_likely(self._wanted.budget)
        }
        sign = 1 if self._wanted.metric.higher_is_better else -1
        best = max(found, key=lambda one: sign * known[one].score, default=None)
        return None if best is None else found[best]

    def _nearest(self) -> Tried:
        """By fresh trainings, where there are any: they flatter none."""
        sign = 1 if self._wanted.metric.higher_is_better else -1
        known = {one: said.score for one, said in self._judge.confirmed.items() if said.folds}
        some = [one for one in self._judge.tried.values() if one.candidate in known or not known]
        return max(some, key=lambda one: sign * known.get(one.candidate, one.score))

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
        if not self._is_left(candidate):
            return None
        return candidate if best is None or self._cheaper(candidate, best.candidate) else None

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

    def _may_go_on(self, contender: Contender) -> bool:
        """Whether one more recipe could still be tried and confirmed."""
        has_time = self._judge.has_time_to_confirm(contender, before=REPETITIONS)
        return has_time and not self._is_exhausted

    @property
    def _is_exhausted(self) -> bool:
        return len(self._judge.confirmed) >= _MOST_CONFIRMED
