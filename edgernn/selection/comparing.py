"""The job of `compare`: data in, trainings over seeds, files, latencies, verdicts."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

import numpy as np

from edgernn import atomic
from edgernn.errors import WrongOption
from edgernn.export.calibration import Calibration
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import Failure, export_model, float_graph, training_log_of
from edgernn.export.request import Request
from edgernn.export.study.study import held
from edgernn.profile import measure
from edgernn.profile.candidates import find_candidates
from edgernn.profile.measured import measured_files
from edgernn.scheme import Scheme
from edgernn.scoring.metric import Metric
from edgernn.selection.clock import Clock
from edgernn.selection.comparison import Baseline, Comparison, against_baselines, group_of
from edgernn.selection.contender import Contender, Equal, Role
from edgernn.selection.controls import controls_of
from edgernn.selection.crossed import counted_origins
from edgernn.selection.data import write_splits
from edgernn.selection.differences import Trainings
from edgernn.selection.expected import expected_from
from edgernn.selection.gains import gaining_mixes
from edgernn.selection.hosts import Host
from edgernn.selection.int4_verdict import FORMAT, INT4, INT8, int4_verdicts
from edgernn.selection.plan import Plan, coordinating, data_of_plan, write_plan
from edgernn.selection.questions import amounts, mixes, terciles
from edgernn.selection.row_scores import linear_scores, row_metric
from edgernn.selection.sizing import TOLERANCE, with_bytes
from edgernn.selection.training import ORIGINAL, Training, median_training, model_file
from edgernn.selection.trainings import all_trained, bytes_by_form
from edgernn.selection.verdict import Worth
from edgernn.selection.work import Forms
from edgernn.selection.workers import Workers, working
from edgernn.tasks.samples import Splits
from edgernn.tasks.task import Recipe

#: About this long takes a file on this machine: to make it, and in all processes of a profile.
_SECONDS_PER_FILE = 4.5
#: Of counted calls in each of these processes: a comparison has many files.
_TIMED_S = 0.25

#: Of calls with pauses, after which weights may have left the caches: what int4 is for.
_PERIOD_MS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be compared, on which data, how thoroughly."""

    name: str  # of the data
    splits: Splits
    recipe: Recipe  # `units` are those of the first contender
    architectures: tuple[str, ...]  # the first is what the others are compared with
    controls: tuple[str, ...] = ()  # in the first group only
    equal: tuple[Equal, ...] = (Equal.UNITS,)
    shares: tuple[float, ...] = ()  # of the training rows, to see how much more of them help
    seeds: int = 5
    forms: Forms
    devices: tuple[str, ...] = ("cpu",)
    workers: int = 1  # on this machine
    hosts: tuple[Host, ...] = ()  # that train, too
    time_limit_s: float | None = None
    worth: Worth

    @property
    def unasked(self) -> tuple[str, ...]:
        """Controls that are there only as such."""
        return tuple(one for one in self.controls if one not in self.architectures)


def compared(
    question: Question, folder: Path, *, resume: bool, progress: Callable[[str], None]
) -> Comparison:
    """Trains what is missing in `folder`, and concludes.

    Raises WrongOption (a folder with results and no `resume`, or of other data), TrainingFailed,
    OutputError, and what training, export and profile raise.
    """
    began = time.monotonic()
    splits = question.splits
    digest = digest_of(splits)
    with coordinating(folder):
        _require_same(folder, digest, resume=resume)
        write_splits(folder, splits)
        clock = Clock(limit_s=question.time_limit_s, expected_s=expected_from(splits.train))
        crew = working(folder, question.workers, hosts=question.hosts, notify=progress)
        with crew as workers:
            plan = _planned(question, digest, workers, progress)
            write_plan(folder, plan)
            asked = [one for one in plan.contenders if one not in plan.controls_among]
            clock.reserve_s = _measuring_s(question, asked)

            def needed(trainings: Trainings) -> list[Contender]:
                gaining = _gaining(question, plan, trainings)
                found = [one for one in plan.controls_among if _is_beside(one, gaining)]
                clock.reserve_s += _measuring_s(question, found)
                return found

            trained = all_trained(
                plan, folder, workers, clock, question.forms, progress, needed=needed
            )
        refused = _export_medians(question, folder, trained.trainings, progress)
        measured = measured_files(
            find_candidates([folder / "files"]),
            splits.test,
            question.devices,
            weighs=False,
            answers=False,
            plan=measure.Plan(
                min_time_s=_TIMED_S,
                period_ms=_PERIOD_MS if INT4 in question.forms.names else None,
            ),
            progress=progress,
        )
    metric = row_metric(splits.test)
    groups = {
        equal: tuple(one for one in group if one in trained.trainings)
        for equal, group in plan.groups.items()
    }
    first = plan.contenders[0]
    scores = [run.score(ORIGINAL) for run in trained.trainings[first]]
    worth = question.worth.of(float(np.mean(scores)))
    origins = _counted_apart(splits)
    of_units = next(iter(groups.values()))
    judged: _Judged = {"metric": metric, "worth": worth, "origins": origins}
    return Comparison(
        data=question.name,
        test_rows=len(splits.test),
        training_rows=len(splits.train),
        metric=metric.name,
        worth=worth,
        formats=question.forms.formats,
        groups=tuple(
            group_of(equal, group, trained.trainings, **judged, controls=question.unasked)
            for equal, group in groups.items()
        ),
        trainings=trained.trainings,
        baselines=against_baselines(_baselines(splits), trained.trainings, **judged),
        controls=question.unasked,
        without_gain=_without_gain(question, plan, trained.trainings),
        mixes=mixes(of_units, trained.trainings, **judged),
        lengths=terciles(splits.test, origins, of_units, trained.trainings),
        amounts=amounts(trained.partial, trained.trainings, len(splits.train)),
        int4_verdicts=int4_verdicts(
            [one for one in of_units if not plan.is_control(one)],
            {first: plan.narrower[0]} if plan.narrower else {},
            trained.trainings,
            **judged,
        ),
        origins=counted_origins(origins),
        measured=measured.report,
        refused=refused,
        unmeasured={name: str(failure) for name, failure in measured.failures.items()},
        left_out=trained.left_out,
        seconds=time.monotonic() - began,
    )


def _counted_apart(splits: Splits) -> Sequence[str]:
    """Where the test is on other speakers than the training, their luck counts, not that of rows;
    else ().
    """
    known = set(splits.train.origins) | set(splits.validation.origins)
    return () if known & set(splits.test.origins) else splits.test.origins


def _gaining(question: Question, plan: Plan, trainings: Trainings) -> tuple[Contender, ...]:
    """The mixes that need their controls: these are in the first group."""
    group = next(iter(plan.groups.values()))
    asked = [one for one in group if one in trainings and one not in plan.controls_among]
    splits = question.splits
    return gaining_mixes(asked, trainings, _counted_apart(splits), metric=row_metric(splits.test))


def _without_gain(question: Question, plan: Plan, trainings: Trainings) -> tuple[Contender, ...]:
    """Mixes whose controls were not needed."""
    gaining = _gaining(question, plan, trainings)
    group = next(iter(plan.groups.values()))
    return tuple(
        one
        for one in group
        if one not in gaining and any(_is_beside(control, [one]) for control in plan.controls_among)
    )


def _is_beside(control: Contender, mixes_: Sequence[Contender]) -> bool:
    """Whether it is the control of one of them."""
    return any(
        control.architecture in controls_of(one.architecture) and control.units == one.units
        for one in mixes_
    )


def _measuring_s(question: Question, contenders: Sequence[Contender]) -> float:
    files = len(contenders) * len(question.forms.formats) * len(question.forms.schemes)
    return files * _SECONDS_PER_FILE * len(question.devices)


class _Judged(TypedDict):
    metric: Metric
    worth: float
    origins: Sequence[str]


def digest_of(splits: Splits) -> str:
    """SHA-256 of all rows with their answers."""
    digest = hashlib.sha256()
    for part in (splits.train, splits.validation, splits.test):
        for array in (part.x, part.y, part.lengths):
            if array is not None:
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _require_same(folder: Path, digest: str, *, resume: bool) -> None:
    earlier = data_of_plan(folder)
    if earlier is None:
        return
    if not resume:
        raise WrongOption(
            f"{folder} holds a comparison",
            remedy="Continue it with --resume, or give another folder with -o",
        )
    if earlier != digest:
        raise WrongOption(
            f"the comparison in {folder} was made with other data",
            remedy="Give the same data, or another folder with -o",
        )


def _planned(
    question: Question, digest: str, workers: Workers, progress: Callable[[str], None]
) -> Plan:
    """The contenders of each group; equal bytes are found by making files."""
    units = question.recipe.units
    plan = Plan(
        data=question.name,
        data_sha256=digest,
        recipe=question.recipe,
        groups={
            Equal.UNITS: tuple(
                Contender(architecture=name, units=units)
                for name in (*question.architectures, *question.controls)
            )
        },
        shares=question.shares,
        seeds=question.seeds,
        formats=question.forms.formats,
        schemes=tuple(scheme.value for scheme in question.forms.schemes),
        controls=question.unasked,
    )
    if Equal.BYTES in question.equal:
        smallest = Forms(formats=question.forms.formats[:1], schemes=question.forms.schemes[-1:])

        def bytes_of(contender: Contender) -> int:
            progress(f"measuring the bytes of {contender.name}")
            found = bytes_by_form(contender, plan.recipe, workers, smallest, role=Role.COMPARED)
            return max(found.values())

        first = plan.groups[Equal.UNITS][0]
        wanted = bytes_of(first)
        group = [first]
        group += [
            with_bytes(name, wanted, bytes_of).contender for name in question.architectures[1:]
        ]
        plan = replace(plan, groups={**plan.groups, Equal.BYTES: tuple(group)})
    groups = {equal: plan.groups[equal] for equal in question.equal}
    if Equal.UNITS not in groups:
        controls = [
            Contender(architecture=name, units=one.units)  # as wide as the mix that it is beside
            for one in groups[Equal.BYTES]
            for name in controls_of(one.architecture)
            if name in question.controls
        ]
        groups = {Equal.BYTES: tuple(dict.fromkeys((*groups[Equal.BYTES], *controls)))}
    narrower = _narrower(question, plan, workers, progress)
    return replace(plan, groups=groups, narrower=narrower)


def _narrower(
    question: Question, plan: Plan, workers: Workers, progress: Callable[[str], None]
) -> tuple[Contender, ...]:
    """The first architecture, as narrow as its int8 file must be for the bytes of int4.

    () where not both schemes are wanted, or where no narrower width is nearer to these bytes.
    """
    if not {INT8, INT4} <= set(question.forms.names):
        return ()
    first = plan.groups[Equal.UNITS][0]

    def bytes_of(contender: Contender, scheme: Scheme = Scheme.INT8) -> int:
        progress(f"measuring the bytes of {contender.name} in {scheme.value}")
        forms = Forms(formats=(FORMAT,), schemes=(scheme,))
        found = bytes_by_form(contender, plan.recipe, workers, forms, role=Role.COMPARED)
        return max(found.values())

    wanted, least = bytes_of(first, Scheme.INT4), replace(first, units=1)
    if first.units == 1 or bytes_of(least) > (1 + TOLERANCE) * wanted:
        return ()
    found = with_bytes(first.architecture, wanted, bytes_of).contender
    return (found,) if found.units < first.units else ()


def _export_medians(
    question: Question,
    folder: Path,
    trainings: dict[Contender, tuple[Training, ...]],
    progress: Callable[[str], None],
) -> tuple[str, ...]:
    """Files of the median training of each contender, and what failed its check: a sentence each.

    Scores of all trainings are there already.  Raises VerificationError where no file passes.
    """
    out, made, failures = folder / "files", 0, list[Failure]()
    for contender, runs in trainings.items():
        progress(f"exporting {contender.name}")
        made += _export_median(question, contender, runs, folder, out, failures.append)
    if failures and not made:
        raise failures[0].error
    return tuple(failure.error.what for failure in failures)


def _export_median(
    question: Question,
    contender: Contender,
    runs: Sequence[Training],
    folder: Path,
    out: Path,
    on_failure: Callable[[Failure], None],
) -> int:
    """How many files it has made."""
    made = 0
    middle = median_training(runs)
    named = folder / "models" / f"{contender.name}.keras"
    source = model_file(folder, middle.key)
    atomic.write_bytes(named, source.read_bytes())
    model = read_model(named)
    graph = float_graph(model.graph)
    calibrated = Calibration(spec=question.splits.calibration).of(graph, lambda _phase: None)
    for scheme in question.forms.schemes:
        request = Request(
            backends=question.forms.having(scheme),
            scheme=scheme,
            ranges=None if scheme is Scheme.FLOAT32 else calibrated.ranges,
            examples=calibrated.examples,
            labels=question.splits.test.labels,
            training=training_log_of(source, model.source.sha256),
        )
        made += len(export_model(model, out, held(graph, request), on_failure=on_failure))
    return made


def _baselines(splits: Splits) -> tuple[Baseline, ...]:
    scores = linear_scores(splits)
    return () if scores is None else (Baseline(name="linear", scores=scores),)
