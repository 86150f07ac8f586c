"""Scheme auto: makes all schemes, measures them, and keeps the best file of each format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from edgernn.artefact import Artefact, Refusal, read_manifest, record
from edgernn.devices.device import Choices
from edgernn.devices.runners.kept import kept_processes
from edgernn.errors import EdgernnError, VerificationError
from edgernn.export.naming import require_other_file
from edgernn.export.source_model import SourceModel
from edgernn.export.study.labelled import FLOAT_MODEL
from edgernn.export.study.study import Study
from edgernn.export.workspace import workspace
from edgernn.front.made import Made
from edgernn.front.measuring import Job, report_of
from edgernn.front.options import AUTO, require_drop
from edgernn.profile.measure import Plan
from edgernn.profile.pool import Advance
from edgernn.profile.rows import MEASURED, Row
from edgernn.profile.scheme_choice import SchemeCandidate, with_choice
from edgernn.profile.workload import DEFAULT_STEPS
from edgernn.report.candidates import candidate_text
from edgernn.scheme import Scheme
from edgernn.scoring.metric import METRICS
from edgernn.tasks.given import Given
from edgernn.tasks.samples import Samples
from edgernn.tasks.training_log import log_path
from edgernn.units import percent

#: A loss that nobody minds, in points of a share or percent of an error.
DEFAULT_MAX_DROP: Final = 1.0

# Enough to order files that differ by some percent; verdicts about speed need more.
_ROUNDS: Final = 2
_MIN_TIME_S: Final = 0.05
_WARM_UP_S: Final = 0.02

#: The device whose runtimes the export has run already.
THIS_MACHINE: Final = "cpu"

#: Makes all candidates in a folder: (folder, schemes) -> what was made.
Export = Callable[[Path, Sequence[Scheme]], Made]


def best_of(
    model: SourceModel,
    out: Path,
    export: Export,
    *,
    calibrated: bool,
    max_drop: float | None,
    device: str | Sequence[str],
    data: Given | None,
    phase: Callable[[str], None],
) -> Made:
    """The smallest file of each format whose loss is at most `max_drop`, moved into `out`.

    All candidates are made in a hidden folder inside `out`, which is gone afterwards; files and
    model.json appear together or not at all, whenever Ctrl-C comes.  On this machine each runtime
    has one process for the checks, the data and the times of all its candidates.

    calibrated: whether int8 is possible.  device: where candidates are measured.  data: rows that
    the loss is taken from; without them it is what the check found: the mean difference from the
    float model, in percent of the spread of its outputs.
    Raises VerificationError where no file of any format is good enough, and what `export` and
    `measure` raise.
    """
    schemes = [one for one in Scheme if calibrated or not one.needs_calibration]
    limit = DEFAULT_MAX_DROP if max_drop is None else max_drop
    require_drop(limit)
    with workspace(out) as hidden, kept_processes():
        read_manifest(out)
        folder = hidden / AUTO
        made = _all_made(export, folder, schemes)
        devices = device.split(",") if isinstance(device, str) else list(device)
        found = _found(made, folder, limit, devices, data, phase)
        candidates = with_choice(sorted(found, key=_place), max_drop=limit)
        kept = [
            replace(one, details={**one.details, **_details(one, candidates)})
            for one in made.artefacts
            if any(other.chosen and other.file == one.name for other in candidates)
        ]
        if not kept:
            raise _nothing_good(candidates, limit)
        refused = _handed_over(model, kept, made, candidates, folder, out)
    names = {one.name for one in kept}
    others = {one.file for one in candidates} - names
    return Made(
        folder=out,
        artefacts=tuple(kept),
        refusals=refused,
        warnings=tuple(one for one in made.warnings if one.split(" ", 1)[0] not in others),
        study=_study_of(made.study, kept),
        against_keras=made.against_keras,
        candidates=candidates,
    )


def _all_made(export: Export, folder: Path, schemes: Sequence[Scheme]) -> Made:
    """A candidate that fails its check is one less; only where all fail, so does the export."""
    try:
        return export(folder, schemes)
    except VerificationError as error:
        if isinstance(error.made, Made) and error.made.artefacts:
            return error.made
        raise


def _found(
    made: Made,
    folder: Path,
    limit: float,
    devices: Sequence[str],
    data: Given | None,
    phase: Callable[[str], None],
) -> list[SchemeCandidate]:
    """All candidates with what they lose and how long a call takes.

    The export has run each file on the data on this machine already, so no other device needs to
    be asked, and a file that loses too much is not timed.
    """
    here = list(devices) == [THIS_MACHINE]
    found = [_candidate(one, [], made.study) for one in made.artefacts]
    named = {one.name: one for one in made.artefacts}
    sound = [one.file for one in with_choice(found, max_drop=limit) if not one.problem]
    due = sound if here else list(named)
    if due:
        job = Job(
            paths=[folder / name for name in due],
            devices=tuple(dict.fromkeys(name.strip() for name in devices)),
            plan=Plan(processes=_ROUNDS, min_time_s=_MIN_TIME_S, warm_up_s=_WARM_UP_S),
            data=None if here else data,
            steps=_steps(data),
            weighs=False,
            choices=Choices(),
        )

        def show(advance: Advance) -> None:
            if advance.progress is not None and advance.progress.next:
                phase(f"measuring {advance.progress.next} on {advance.device}")

        rows: dict[str, list[Row]] = {}
        for row in report_of(job, progress=show).rows:
            rows.setdefault(row.file, []).append(row)
        found = [_candidate(named[one.file], rows.get(one.file, []), made.study) for one in found]
    return found + [_failed(one) for one in made.refusals if one.failed]


def _steps(data: Given | None) -> int:
    """The length of the rows, where times are taken of made-up ones."""
    is_sequence = isinstance(data, Samples) and data.x.ndim > 1
    return int(data.x.shape[1]) if isinstance(data, Samples) and is_sequence else DEFAULT_STEPS


def _candidate(artefact: Artefact, rows: Sequence[Row], study: Study) -> SchemeCandidate:
    costs = [_cost(artefact, row, study) for row in rows] or [_cost(artefact, None, study)]
    cost, text = max(costs, key=lambda one: -1.0 if one[0] is None else one[0])
    outcomes = [f"{row.device}: {row.outcome}" for row in rows if row.outcome != MEASURED]
    return SchemeCandidate(
        file=artefact.name,
        format=artefact.backend,
        scheme=artefact.scheme.value,
        bytes=artefact.bytes,
        cost=None if outcomes else cost,
        cost_text="" if outcomes else text,
        p50_ms={row.device: row.p50_ms for row in rows if row.p50_ms is not None},
        problem="; ".join(outcomes),
    )


def _cost(artefact: Artefact, row: Row | None, study: Study) -> tuple[float | None, str]:
    """Points or percent lost beside the float model: by labels on the device of the row, or here;
    without labels by the check, the same quantity for every scheme.
    """
    exact = [one.score for one in study.accuracies if one.name == FLOAT_MODEL and one.score]
    scores = () if row is None else row.scores
    scores = scores or tuple(
        one.score for one in study.accuracies if one.name == artefact.name and one.score
    )
    reached = {(one.output, one.metric): one.value for one in scores}
    costs = [
        (METRICS[one.metric].cost(one.value, reached[one.output, one.metric]), one)
        for one in exact
        if (one.output, one.metric) in reached
    ]
    if costs:  # of the output that loses most
        cost, one = max(costs, key=lambda pair: pair[0])
        where = f" of '{one.output}'" if one.output else ""
        return round(100 * cost, 6), f"{METRICS[one.metric].cost_text(cost)}{where}"
    checked = artefact.verification
    if checked.mean_difference is None:
        return None, "not checked"
    said = [f"{percent(checked.mean_difference, 2)} of the spread"]
    if checked.changed is not None:
        said.append(f"{percent(checked.changed)} of answers")
    return 100 * checked.mean_difference, ", ".join(said)


def _failed(refusal: Refusal) -> SchemeCandidate:
    scheme = next((one for one in reversed(Scheme) if f".{one.value}." in refusal.file), None)
    return SchemeCandidate(
        file=refusal.file,
        format=refusal.backend,
        scheme=(scheme or Scheme.FLOAT32).value,
        bytes=0,
        problem="failed its check",
    )


def _place(one: SchemeCandidate) -> tuple[str, int]:
    return one.format, [scheme.value for scheme in Scheme].index(one.scheme)


def _details(artefact: Artefact, candidates: Sequence[SchemeCandidate]) -> dict[str, str]:
    """What model.json says of the choice: all candidates of the file's format."""
    return {
        f"candidate {one.scheme}": candidate_text(one)
        for one in candidates
        if one.format == artefact.backend
    }


def _nothing_good(candidates: Sequence[SchemeCandidate], limit: float) -> EdgernnError:
    reasons = "; ".join(f"{one.file} {one.problem}" for one in candidates if one.problem)
    return VerificationError(
        f"no scheme keeps the loss within {limit:g}: {reasons}",
        remedy="Allow more with --max-drop (max_drop), or choose a scheme with --scheme",
    )


def _handed_over(
    model: SourceModel,
    kept: Sequence[Artefact],
    made: Made,
    candidates: Sequence[SchemeCandidate],
    folder: Path,
    out: Path,
) -> tuple[Refusal, ...]:
    """Chosen files and the manifest; formats of which no file is good enough are refused."""
    names = [file.name for artefact in kept for file in artefact.files]
    for name in names:
        require_other_file(model, out / name)
    log = log_path(Path(f"{kept[0].model}.keras")).name
    if (folder / log).exists():
        names.append(log)
    formats = {one.backend for one in kept}
    refused = [one for one in made.refusals if one.backend not in formats]
    refused += _without_choice(candidates, formats, {one.backend for one in refused})
    return record(out, kept, refused, files={out / name: folder / name for name in names})


def _without_choice(
    candidates: Sequence[SchemeCandidate], chosen: set[str], refused: set[str]
) -> Iterator[Refusal]:
    for one in candidates:
        if one.format not in chosen | refused:
            refused = refused | {one.format}
            yield Refusal(
                file=one.file, backend=one.format, reason=f"no scheme will do: {one.problem}"
            )


def _study_of(study: Study, kept: Sequence[Artefact]) -> Study:
    """What is said of the files that were kept: noise only where one of them is int8."""
    names = {FLOAT_MODEL, *(one.name for one in kept)}
    accuracies = tuple(one for one in study.accuracies if one.name in names)
    formats = {one.backend for one in kept if one.scheme is Scheme.INT8}
    if not formats:
        return Study(accuracies=accuracies, costs=None)
    costs = {name: rows for name, rows in study.activations.items() if name in formats}
    return replace(study, accuracies=accuracies, activations=costs)
