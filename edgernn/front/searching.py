"""`search`: the smallest or fastest model that is accurate enough, on the user's own data."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from edgernn import atomic
from edgernn.devices import open_device
from edgernn.errors import WrongOption
from edgernn.export.calibration import Calibration
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import export_model, float_graph, training_log_of
from edgernn.export.request import Request
from edgernn.export.study.study import held
from edgernn.formats import format_named
from edgernn.front.arguments import checked_arguments, require_at_least
from edgernn.front.progress import progress_line
from edgernn.front.schemes import parsed_schemes
from edgernn.profile.candidates import find_candidates
from edgernn.profile.measure import Benchmark, Plan
from edgernn.profile.measured import measured_files
from edgernn.profile.report import Report
from edgernn.report.aligned import WIDTH
from edgernn.report.searched import (
    searched_html,
    searched_json,
    searched_markdown,
    searched_sentences,
    searched_text,
)
from edgernn.scheme import Scheme
from edgernn.scoring.metric import Metric
from edgernn.selection.candidates import Budget
from edgernn.selection.clock import Clock
from edgernn.selection.comparing import digest_of
from edgernn.selection.data import splits_of, write_splits
from edgernn.selection.expected import expected_from
from edgernn.selection.hosts import parsed_hosts
from edgernn.selection.plan import coordinating, require_unsearched
from edgernn.selection.predictor import predictor_of
from edgernn.selection.row_scores import row_metric
from edgernn.selection.searched import Searched
from edgernn.selection.searching import Search
from edgernn.selection.training import training_file
from edgernn.selection.wanted import Chosen, Wanted
from edgernn.selection.work import Forms, forms_of
from edgernn.selection.workers import Crew, working
from edgernn.tasks.given import Given
from edgernn.tasks.goal import require_learnable
from edgernn.tasks.notation import architecture_named
from edgernn.tasks.samples import Samples

#: Training the winner again, exporting and measuring it: put aside of a time limit.
_RESERVED_SHARE: Final = 0.2
_MOST_RESERVED_S: Final = 120.0
#: How the winner is measured.
_PLAN: Final = Plan()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Found:
    """The result of `search`.  `print` shows the model to use and what was tried.

    values: as edgernn.selection.searched has them.  folder: of the winner's files and the reports.
    """

    values: Searched
    folder: Path

    @property
    def holds(self) -> bool:
        """Whether the winner, measured, holds every limit."""
        return not self.values.missed

    @property
    def path(self) -> Path:
        """The winner's file."""
        return self.values.file

    def __str__(self) -> str:
        columns = shutil.get_terminal_size((WIDTH, 24)).columns
        return searched_text(self.values, max(60, min(columns, WIDTH)))

    def __repr__(self) -> str:
        return f"<edgernn.Found {self.values.data}: {searched_sentences(self.values)[0]}>"

    def _repr_html_(self) -> str:
        return searched_html(self.values)


@checked_arguments
def search(
    data: Given,
    *,
    accuracy: float | None = None,
    error: float | None = None,
    max_bytes: int | None = None,
    p95_ms: float | None = None,
    device: str = "cpu",
    models: str | Sequence[str] = ("gru", "lstm"),
    scheme: str = "int8",
    to: str = "native",
    fastest: bool = False,
    trials: int = 40,
    epochs: int | None = None,
    target: str | None = None,
    hold_out: str | None = None,
    workers: int = 1,
    hosts: str | Sequence[str] = (),
    storage: str | None = None,
    time_limit_s: float | None = None,
    out: str | os.PathLike[str],
    resume: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Found:
    """Trains what could fit and hands over the smallest model that reaches the score.

    accuracy: the least share of right answers (0.975).  error: the largest MAE, for numbers.
    max_bytes: of the file.  p95_ms: of a call on `device`, 95 % of calls.
    models: architectures by notation.  scheme, to: of the file.
    fastest: look for the least time instead of the least bytes.
    trials: recipes (learning rate, dropout, batch, a convolution in front) to try at most.
    workers: trainings at a time on this machine.
    hosts: machines that train, too, over ssh: "user@host=4" for four trainings at a time there.
    storage: "postgresql://host/db": trainings are done by `edgernn worker --storage` instead.
    time_limit_s: for everything.
    out: gets the file, model.json, report.md, .json, .html; continued with `resume`.

    Raises WrongOption, DataError, BudgetExceeded where nothing can fit, TrainingFailed where the
    time is too short, DeviceError, OutputError.

    >>> best = edgernn.search((x, y), accuracy=0.975, max_bytes=20_000, out="best/")
    >>> best.path, best.holds
    """
    folder, began = Path(out), time.monotonic()
    machines = parsed_hosts(hosts)
    if machines and storage is not None:
        raise WrongOption(
            "hosts and storage are two ways to reach other machines",
            remedy="Give one of them; with storage, start `edgernn worker` on the hosts",
        )
    open_device(device)  # a name that does not exist is known before anything is trained
    require_at_least(0 if machines else 1, workers=workers)
    require_at_least(1, epochs=epochs)
    require_at_least(0, trials=trials, time_limit_s=time_limit_s)
    architectures = tuple(models.split(",") if isinstance(models, str) else models)
    if not architectures:
        raise WrongOption("models is empty", remedy="Name an architecture or more: gru,lstm")
    with progress_line("reading the data", progress) as phase:
        name, splits, recipe = splits_of(data, target=target, hold_out=hold_out, notify=phase)
        metric = row_metric(splits.test)
        budget = _budget(metric, accuracy, error, max_bytes, p95_ms)
        forms = _forms(to, scheme)
        for architecture in architectures:
            require_learnable(splits.train, architecture_named(architecture))
        predictor = None
        if p95_ms is not None or fastest:
            predictor = predictor_of(
                device, backend=forms.formats[0], scheme=forms.schemes[0], progress=phase
            )
        wanted = Wanted(
            name=name,
            splits=splits,
            data_sha256=digest_of(splits),
            recipe=recipe if epochs is None else replace(recipe, epochs=epochs),
            architectures=architectures,
            budget=budget,
            forms=forms,
            metric=metric,
            by_time=fastest,
            most_trials=trials,
            predictor=predictor,
        )
        reserved = min(_RESERVED_SHARE * (time_limit_s or 0.0), _MOST_RESERVED_S)
        clock = Clock(
            limit_s=time_limit_s,
            reserve_s=reserved,
            began=began,
            expected_s=expected_from(splits.train),
        )
        with coordinating(folder):
            require_unsearched(
                folder, {"data": name, "data_sha256": wanted.data_sha256}, resume=resume
            )
            crew: AbstractContextManager[Crew] = working(
                folder, workers, hosts=machines, notify=phase
            )
            if storage is not None:
                from edgernn.selection.cluster import at_database

                until = None if time_limit_s is None else began + time_limit_s
                crew = at_database(storage, folder, phase, until=until)
            chosen = _chosen(wanted, folder, device, clock, crew, phase)
            file = _exported(wanted, chosen, folder, folder)
            phase(f"measuring {file.name} on {device}")
            rows = splits.test if chosen.opens_test else splits.validation
            measured = _measured(file, rows, device)
        values = Searched(
            data=name,
            metric=metric.name,
            budget=budget,
            device=device,
            chosen=chosen,
            file=file,
            measured=measured,
            seconds=time.monotonic() - began,
            fastest=fastest,
        )
    reports = {
        "report.md": searched_markdown,
        "report.json": searched_json,
        "report.html": searched_html,
    }
    for report, written in reports.items():
        atomic.write_bytes(folder / report, written(values).encode())
    return Found(values=values, folder=folder)


def _chosen(
    wanted: Wanted,
    folder: Path,
    device: str,
    clock: Clock,
    crew: AbstractContextManager[Crew],
    phase: Callable[[str], None],
) -> Chosen:
    """Trainings see the test rows nowhere: in their data, validation rows are in that place."""
    unseen = replace(wanted.splits, test=wanted.splits.validation)
    write_splits(folder, unseen)

    def timing(chosen: Chosen) -> Benchmark | None:
        with tempfile.TemporaryDirectory(prefix="edgernn-search-") as made:
            file = _exported(wanted, chosen, folder, Path(made))
            return _measured(file, wanted.splits.validation, device).cells[0].benchmark

    def sizing(chosen: Chosen) -> int:
        with tempfile.TemporaryDirectory(prefix="edgernn-search-") as made:
            file = _exported(wanted, chosen, folder, Path(made))
            return find_candidates([file])[0].item.bytes

    budget, scheme = wanted.budget, wanted.forms.schemes[0]
    with crew as started:
        return Search(
            *(wanted, folder, started, clock, phase),
            timing=timing if budget.p95_ms is not None else None,
            sizing=sizing if scheme is Scheme.INT4 and budget.max_bytes is not None else None,
        ).chosen()


def _exported(wanted: Wanted, chosen: Chosen, folder: Path, out: Path) -> Path:
    """The winner's file in `out`, checked on calibration rows."""
    source = training_file(folder, chosen.job.key).with_suffix(".keras")
    named = out / f"{chosen.candidate.contender.name}.keras"
    atomic.write_bytes(named, source.read_bytes())
    model = read_model(named)
    scheme = wanted.forms.schemes[0]
    graph = float_graph(model.graph)
    calibrated = Calibration(spec=wanted.splits.calibration).of(graph, lambda _phase: None)
    request = Request(
        backends=wanted.forms.formats,
        scheme=scheme,
        ranges=None if scheme is Scheme.FLOAT32 else calibrated.ranges,
        examples=calibrated.examples,
        labels=wanted.splits.test.labels,
        training=training_log_of(source, model.source.sha256),
    )
    (made,) = export_model(model, out, held(graph, request))
    return out / made.name


def _measured(file: Path, samples: Samples, device: str) -> Report:
    return measured_files(find_candidates([file]), samples, (device,), plan=_PLAN).complete


def _budget(
    metric: Metric,
    accuracy: float | None,
    error: float | None,
    max_bytes: int | None,
    p95_ms: float | None,
) -> Budget:
    wanted, other = ("accuracy", error) if metric.is_share else ("error", accuracy)
    score = accuracy if metric.is_share else error
    if score is None or other is not None:
        raise WrongOption(
            f"a search in these data needs {wanted} ({metric.name}), and nothing else",
            remedy="Give --accuracy 97.5 for classes, --error 0.8 for numbers",
        )
    if metric.is_share and not 0 < score <= 1:
        raise WrongOption(
            f"an accuracy of {score:g} ({100 * score:g} %) is not between 0 and 1 (100 %)",
            remedy="Give a share such as 0.975; after --accuracy, percent such as 97.5",
        )
    for name, limit in (("max_bytes", max_bytes), ("p95_ms", p95_ms)):
        if limit is not None and not limit > 0:
            raise WrongOption(f"{name} is {limit:g}", remedy="Give more than 0")
    return Budget(
        score=score,
        higher_is_better=metric.higher_is_better,
        max_bytes=max_bytes,
        p95_ms=p95_ms,
    )


def _forms(to: str, scheme: str) -> Forms:
    schemes, per_layer = parsed_schemes(scheme)
    if per_layer or len(schemes) != 1:
        raise WrongOption(
            f"a search makes one file, and '{scheme}' is not one scheme of whole models",
            remedy="Give one: --scheme int8",
        )
    try:
        found = format_named(to.strip())
    except ValueError as error:
        raise WrongOption(str(error).rstrip(".")) from error
    return forms_of((found.name,), (Scheme(schemes[0]),))
