"""Trains what has no result yet, and begins nothing that cannot end in time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgernn.errors import TrainingFailed
from edgernn.selection.clock import Clock
from edgernn.selection.contender import Contender, Job, Role
from edgernn.selection.crossed import FEWEST_SEEDS
from edgernn.selection.messages import Measure, Train
from edgernn.selection.plan import Plan
from edgernn.selection.training import Training, model_file, read_training
from edgernn.selection.work import Forms
from edgernn.selection.workers import Crew
from edgernn.tasks.task import Recipe
from edgernn.units import minutes, percent, seconds

#: Called with a sentence about how far the trainings are.
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """All trainings that there are, by contender, and how many were left out for time."""

    trainings: dict[Contender, tuple[Training, ...]]
    partial: dict[tuple[Contender, float], tuple[Training, ...]]  # on a share of the rows
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """More jobs, which follow from the results of earlier ones: controls, where a mix gains."""

    after: frozenset[str]  # keys: until each of these has a result or is left out for time
    jobs: Callable[[Mapping[str, Training]], Sequence[Job]]  # they come before what waits then


#: Of the trainings of what was asked for: the controls that the answer needs.
Needed = Callable[[Mapping[Contender, tuple[Training, ...]]], Collection[Contender]]


def all_trained(
    plan: Plan,
    folder: Path,
    workers: Crew,
    clock: Clock,
    forms: Forms,
    progress: Progress,
    *,
    needed: Needed | None = None,
) -> Trained:
    """Trains the jobs of `plan` that have no result in `folder` yet.

    needed: chooses the controls when all that was asked for is trained, or as much of it as the
        time allows; None: all of them.
    At the end of the time, a control is left out that has fewer trainings than what it is beside
    and fewer than FEWEST_SEEDS.  Raises TrainingFailed when another contender has none.
    """
    asked = [one for one in plan.contenders if not plan.is_control(one)]

    def results(found: Mapping[str, Training], contender: Contender) -> tuple[Training, ...]:
        numbers = range(plan.seeds_of(contender))
        return _ended(found, [plan.job(contender, number) for number in numbers])

    def controls(found: Mapping[str, Training]) -> tuple[Job, ...]:
        whole = {one: results(found, one) for one in asked}
        if not all(whole.values()):
            return ()
        return plan.control_jobs(plan.controls_among if needed is None else needed(whole))

    found, left_out = with_results(
        plan.jobs,
        folder,
        workers,
        clock,
        forms,
        progress,
        after_s=clock.reserve_s,
        later=Later(after=frozenset(job.key for job in plan.whole_jobs), jobs=controls)
        if plan.controls_among
        else None,
    )
    trainings = {contender: results(found, contender) for contender in plan.contenders}
    _require_one(plan, {one: trainings[one] for one in asked}, clock)
    fewest = min(FEWEST_SEEDS, *(len(trainings[one]) for one in asked))
    trainings = {one: of for one, of in trainings.items() if len(of) >= fewest}
    by_share = {
        (job.contender, job.share): [
            one
            for one in plan.partial_jobs
            if (one.contender, one.share) == (job.contender, job.share)
        ]
        for job in plan.partial_jobs
    }
    partial = {key: ended for key, some in by_share.items() if (ended := _ended(found, some))}
    return Trained(trainings=trainings, partial=partial, left_out=left_out)


def with_results(
    jobs: Sequence[Job],
    folder: Path,
    workers: Crew,
    clock: Clock,
    forms: Forms,
    progress: Progress,
    *,
    after_s: float = 0.0,
    later: Later | None = None,
) -> tuple[dict[str, Training], int]:
    """Results by key of those jobs that have one at the end, and how many were left out for time.

    after_s: so long takes what follows; `progress` says how long all takes.
    later: jobs that these results decide about.
    Jobs with a result in `folder` are not trained again, unless a form has no score there.  The
    members of an ensemble that has no result come before it, whether they are among `jobs` or not.
    """
    board = _Board(folder, clock, forms)
    board.add(jobs)
    while True:
        if later is not None and board.is_decided(later.after, _begun(workers)):
            board.add(later.jobs(board.found))
            later = None
        while workers.has_room and (ready := board.next()) is not None:
            if clock.has_time_for(ready):
                workers.give(Train(job=ready, forms=board.forms_of(ready)))
            else:
                board.leave_out_what_needs(ready)
        if not workers.running:
            if later is not None and board.is_decided(later.after, []):
                continue
            break
        progress(_said(board, _begun(workers), clock, after_s, is_all=later is None))
        done = workers.done(until=clock.deadline)
        if done is None:
            break
        if isinstance(done.order, Train):
            board.keep_result(done.order.job, done.seconds)
    results = {key: training for key, training in board.found.items() if key in board.wanted}
    return results, len(board.wanted) - len(results)


class _Board:
    """Which jobs are wanted, have a result, or wait."""

    def __init__(self, folder: Path, clock: Clock, forms: Forms) -> None:
        self._folder = folder
        self._clock = clock
        self._forms = forms
        self.wanted: dict[str, Job] = {}
        self.found: dict[str, Training] = {}
        self.every: list[Job] = []  # with the members of ensembles
        self.waiting: list[Job] = []
        self._taken: set[str] = set()  # keys: in training, or left out for time

    def add(self, jobs: Sequence[Job]) -> None:
        """More that is wanted: it comes before what is waiting."""
        self.wanted |= {job.key: job for job in jobs}
        for job in jobs:
            training = read_training(self._folder, job.key)
            self.found.pop(job.key, None)  # as a member of an ensemble it may have no forms
            if training is not None and training.scores.keys() >= self._scored(job):
                self.found[job.key] = training
                if job.share == 1.0 and not job.members:
                    self._clock.took(job.contender, training.seconds)
        ordered = _with_members(jobs, self.found)
        for member in (one for job in ordered if job.key not in self.found for one in job.members):
            training = read_training(self._folder, member.key)
            if not model_file(self._folder, member.key).exists():
                self.found.pop(member.key, None)  # it was removed, and the ensemble needs it
            elif member.key not in self.wanted and training is not None:
                self.found[member.key] = training
        known = {one.key for one in self.every}
        self.every += [one for one in ordered if one.key not in known]
        begun = self._taken | {one.key for one in self.waiting} | self.found.keys()
        self.waiting[:0] = [one for one in ordered if one.key not in begun]

    def next(self) -> Job | None:
        """Takes the first that can begin; None where all wait for members in training."""
        ready = (job for job in self.waiting if all(one.key in self.found for one in job.members))
        if (job := next(ready, None)) is not None:
            self.waiting.remove(job)
            self._taken.add(job.key)
        return job

    def leave_out_what_needs(self, job: Job) -> None:
        """There is no time for the job, so there is none for the ensembles that it is in."""
        self.waiting = [one for one in self.waiting if job not in one.members]

    def keep_result(self, job: Job, seconds: float) -> None:
        """Of a job that took so long, if its result is there."""
        training = read_training(self._folder, job.key)
        if training is None:
            return
        self.found[job.key] = training
        self._taken.discard(job.key)
        if job.share == 1.0:
            around_s = None if job.members else seconds - training.seconds
            self._clock.took(job.contender, seconds, around_s=around_s)

    def is_decided(self, keys: frozenset[str], begun: Sequence[Job]) -> bool:
        """Whether each of them has its result or is left out, while `begun` are in training."""
        return keys.isdisjoint(one.key for one in (*self.waiting, *begun))

    def forms_of(self, job: Job) -> Forms:
        """What is made of it.  Of a share of the rows, the model's own scores are enough."""
        return self._forms if job.key in self.wanted and job.share == 1.0 else _NO_FORMS

    def _scored(self, job: Job) -> set[str]:
        """Other schemes or formats may be wanted than when it was trained."""
        return set(self.forms_of(job).names)


#: Of what is a member of an ensemble and nothing else, too: the model is enough.
_NO_FORMS: Final = Forms(formats=(), schemes=())


def _with_members(jobs: Iterable[Job], found: Mapping[str, Training]) -> tuple[Job, ...]:
    """Each job once, and before each ensemble that has no result its members."""
    ordered: dict[str, Job] = {}
    for job in jobs:
        for one in (*(() if job.key in found else job.members), job):
            ordered.setdefault(one.key, one)
    return tuple(ordered.values())


def _ended(found: Mapping[str, Training], jobs: Sequence[Job]) -> tuple[Training, ...]:
    results = (found.get(job.key) for job in jobs)  # without those left out for time
    return tuple(result for result in results if result is not None)


def bytes_by_form(
    contender: Contender,
    recipe: Recipe,
    workers: Crew,
    forms: Forms,
    *,
    role: Role = Role.SEARCHED,
) -> dict[str, int]:
    """The bytes of a contender's files, measured by a worker."""
    order = Measure(contender=contender, recipe=recipe, forms=forms, role=role)
    while not workers.has_room:  # after a failure others may still run; their results are files
        workers.next()
    workers.give(order)
    while (done := workers.next()).order != order:
        pass
    return done.answer.bytes


def _begun(workers: Crew) -> list[Job]:
    return [order.job for order in workers.running if isinstance(order, Train)]


def _said(
    board: _Board, begun: Sequence[Job], clock: Clock, after_s: float, *, is_all: bool
) -> str:
    every, found, waiting = board.every, board.found, board.waiting
    names = " and ".join(f"{job.contender.name} ({_which(job)})" for job in begun)
    done = sum(one.key in found for one in every)
    expected = {one.key for one in (*waiting, *begun)}  # begun may be of an earlier call, too
    without = sum(one.key not in found and one.key not in expected for one in every)
    left_out = f", {without} left out for time" if without else ""
    said = f"{done} of {len(every)} trainings are done{left_out}; training {names}"
    if (left := clock.left_s([*waiting, *begun], max(1, len(begun)))) is None:
        return said
    left += after_s
    limit = clock.remaining_s
    about = "about" if clock.is_measured else "roughly, by the sizes of the models,"
    said += f", {about} {minutes(left)} to go{'' if is_all else ' without controls'}"
    if limit is None or left <= limit:
        return said
    return f"{said}, and the time limit leaves {minutes(limit)}"


def _which(job: Job) -> str:
    share = f", {percent(job.share, 0)} of the rows" if job.share != 1.0 else ""
    return f"seed {job.repetition + 1}{share}"


def _require_one(
    plan: Plan, trainings: Mapping[Contender, tuple[Training, ...]], clock: Clock
) -> None:
    untrained = [contender for contender, done in trainings.items() if not done]
    if not untrained:
        return
    estimates = [clock.estimate_s(contender) for contender in trainings]
    known = [one for one in estimates if one is not None]
    about = f"; to measure the files takes about {seconds(clock.reserve_s)} of it"
    if len(known) == len(trainings):
        about += f", and one training of each about {seconds(sum(known))} on one worker"
    elif clock.expected_s is not None:
        roughly = sum(clock.expected_s(plan.job(one, 0)) for one in trainings)
        about += f", and one training of each roughly {minutes(roughly)} on one worker"
    raise TrainingFailed(
        f"a time limit of {seconds(clock.limit_s)} is too short: {untrained[0].name} has no "
        f"training{about}",
        remedy="Give a longer --time-limit and --resume (what was trained is kept), or fewer "
        "--models",
    )
