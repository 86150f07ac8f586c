"""Trains what has no result yet, and begins nothing that cannot end in time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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


def all_trained(
    plan: Plan, folder: Path, workers: Crew, clock: Clock, forms: Forms, progress: Progress
) -> Trained:
    """Trains the jobs of `plan` that have no result in `folder` yet.

    At the end of the time, a control is left out that has fewer trainings than what it is beside
    and fewer than FEWEST_SEEDS.  Raises TrainingFailed when another contender has none.
    """
    found, left_out = with_results(
        plan.jobs, folder, workers, clock, forms, progress, after_s=clock.reserve_s
    )
    trainings = {
        contender: _ended(
            found, [plan.job(contender, number) for number in range(plan.seeds_of(contender))]
        )
        for contender in plan.contenders
    }
    asked = {one: of for one, of in trainings.items() if not plan.is_control(one)}
    _require_one(asked, clock)
    fewest = min(FEWEST_SEEDS, *map(len, asked.values()))
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
) -> tuple[dict[str, Training], int]:
    """Results by key of those jobs that have one at the end, and how many were left out for time.

    after_s: so long takes what follows; `progress` says how long all takes.
    Jobs with a result in `folder` are not trained again, unless a form has no score there.  The
    members of an ensemble that has no result come before it, whether they are among `jobs` or not.
    """
    wanted = {job.key: job for job in jobs}
    found = {
        key: training
        for key, job in wanted.items()
        if (training := _in_all_forms(read_training(folder, key), forms)) is not None
    }
    for key, training in found.items():
        if (job := wanted[key]).share == 1.0 and not job.members:
            clock.took(job.contender, training.seconds)
    every = _with_members(wanted.values(), found)
    waiting = [job for job in every if job.key not in found]
    for member in (one for job in waiting for one in job.members):
        training = read_training(folder, member.key)
        if not model_file(folder, member.key).exists():
            found.pop(member.key, None)  # its model was removed, and the ensemble needs it
        elif member.key not in wanted and training is not None:
            found[member.key] = training
    waiting = [job for job in every if job.key not in found]
    while waiting or workers.running:
        while workers.has_room and (ready := _next(waiting, found)) is not None:
            waiting.remove(ready)
            if clock.has_time_for(ready):
                workers.give(Train(job=ready, forms=forms if ready.key in wanted else _NO_FORMS))
            else:
                waiting = [one for one in waiting if ready not in one.members]
        if not workers.running:
            break
        progress(_said(every, found, waiting, clock, workers, after_s))
        done = workers.done(until=clock.deadline)
        if done is None:
            break
        if isinstance(done.order, Train):
            job = done.order.job
            if (training := read_training(folder, job.key)) is not None:
                found[job.key] = training
                if job.share == 1.0:
                    around_s = None if job.members else done.seconds - training.seconds
                    clock.took(job.contender, done.seconds, around_s=around_s)
    results = {key: training for key, training in found.items() if key in wanted}
    return results, len(wanted) - len(results)


#: Of what is a member of an ensemble and nothing else: the model is enough.
_NO_FORMS: Final = Forms(formats=(), schemes=())


def _with_members(jobs: Iterable[Job], found: Mapping[str, Training]) -> tuple[Job, ...]:
    """Each job once, and before each ensemble that has no result its members."""
    ordered: dict[str, Job] = {}
    for job in jobs:
        for one in (*(() if job.key in found else job.members), job):
            ordered.setdefault(one.key, one)
    return tuple(ordered.values())


def _next(waiting: Sequence[Job], found: Mapping[str, Training]) -> Job | None:
    """The first whose members are there; None where all wait for members in training."""
    ready = (job for job in waiting if all(one.key in found for one in job.members))
    return next(ready, None)


def _in_all_forms(training: Training | None, forms: Forms) -> Training | None:
    """The result; None for one of other schemes or formats than are wanted now."""
    is_whole = training is not None and training.scores.keys() >= set(forms.names)
    return training if is_whole else None


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


def _said(
    every: Sequence[Job],
    found: Mapping[str, Training],
    waiting: Sequence[Job],
    clock: Clock,
    workers: Crew,
    after_s: float,
) -> str:
    begun = [order.job for order in workers.running if isinstance(order, Train)]
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
    said += f", about {minutes(left)} to go"
    if limit is None or left <= limit:
        return said
    return f"{said}, and the time limit leaves {minutes(limit)}"


def _which(job: Job) -> str:
    share = f", {percent(job.share, 0)} of the rows" if job.share != 1.0 else ""
    return f"seed {job.repetition + 1}{', for an ensemble' * bool(job.twin)}{share}"


def _require_one(trainings: Mapping[Contender, tuple[Training, ...]], clock: Clock) -> None:
    untrained = [contender for contender, done in trainings.items() if not done]
    if not untrained:
        return
    estimates = [clock.estimate_s(contender) for contender in trainings]
    known = [one for one in estimates if one is not None]
    about = f"; to measure the files takes about {seconds(clock.reserve_s)} of it"
    if len(known) == len(trainings):
        about += f", and one training of each about {seconds(sum(known))} on one worker"
    raise TrainingFailed(
        f"a time limit of {seconds(clock.limit_s)} is too short: {untrained[0].name} has no "
        f"training{about}",
        remedy="Give a longer --time-limit and --resume (what was trained is kept), or fewer "
        "--models",
    )
