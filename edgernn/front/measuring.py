"""The job of `profile`: files in, a report that grows process by process out."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from edgernn.devices.device import Choices
from edgernn.devices.host import require_cpus
from edgernn.devices.runners.outcome import Skipped
from edgernn.errors import DataError, DeviceError, EdgernnError, MissingRuntime, WrongOption
from edgernn.front.arguments import checked_arguments, require_at_least
from edgernn.front.progress import Show, device_bars
from edgernn.front.reports import Report
from edgernn.profile import report as values
from edgernn.profile.alarms import Alarms
from edgernn.profile.candidates import Candidate, common_front_end, common_reading, find_candidates
from edgernn.profile.measure import Plan
from edgernn.profile.pool import pooled
from edgernn.profile.profiling import begun, resumed
from edgernn.profile.storage import read_report
from edgernn.profile.workload import DEFAULT_STEPS, Workload
from edgernn.tasks.download import Notify, silent
from edgernn.tasks.given import Given, as_samples


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """What is to be measured, where and how."""

    paths: Sequence[Path]
    devices: tuple[str, ...] = ("cpu",)
    plan: Plan
    data: Given | None = None
    target: str | None = None  # columns of a .csv, or the kind of y
    metric: str | None = None  # to put first
    steps: int = DEFAULT_STEPS
    weighs: bool = True  # memory too
    choices: Choices
    stream: Path | None = None  # long recordings, to count false alarms and misses in
    false_alarms_per_hour: float = 1.0  # for which a threshold is chosen
    background: Sequence[str] | None = None  # labels that are no alarm; None: by their usual names
    resume: Path | None = None  # a report to complete, if it is there
    notify: Notify = silent  # called with what a download does


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ending:
    """How a job ended.  What was measured is in the report, whatever went wrong."""

    report: values.Report
    failures: Mapping[str, DeviceError]  # devices that were not there, or not to the end
    error: EdgernnError | None = None  # of data or runs: it concerns all devices
    interrupted: bool = False  # Ctrl-C

    @property
    def has_results(self) -> bool:
        """After an error, a cell that was only described has no result."""
        cells = self.report.cells
        if self.error is not None:
            cells = tuple(one for one in cells if one.runs or one.predictions or one.outcome)
        return bool(cells)

    def require_something(self, *, shown: bool = False) -> None:
        """Raises MissingRuntime or DeviceError when not one artefact could be measured.

        shown: whether the user has seen the report, and with it the reason.
        """
        cells = self.report.cells
        if any(cell.runs or cell.outcome is None for cell in cells):
            return
        outcomes = [cell.outcome for cell in cells if cell.outcome]
        first = "nothing could be measured"
        if not shown:
            first += f"; {cells[0].item.file}: {str(outcomes[0]).rstrip('.')}"
        if all(isinstance(outcome, Skipped) for outcome in outcomes):
            raise MissingRuntime(first, remedy="Install the runtime, or choose another --device")
        raise DeviceError(first, remedy="`edgernn inspect` shows what is in the file")


def carried_out(
    job: Job, *, save: Callable[[values.Report], None], progress: Show | None = None
) -> Ending:
    """Measures; `save` gets the report after each process, so that nothing is lost.

    Raises ModelFileError, DataError, IncomparableRuns or DeviceError before anything is measured;
    what goes wrong later is in the Ending.
    """
    if job.plan.cpus is not None and any(one.partition(":")[0] == "cpu" for one in job.devices):
        require_cpus(job.plan.cpus)  # of this machine we know at once
    candidates = find_candidates(job.paths)
    samples = None
    if isinstance(job.data, str | os.PathLike):
        reading = common_reading(candidates).recorded_for(str(job.data))
        folder = Path(str(job.data).rpartition(":")[0] or job.data)
        front_end = common_front_end(candidates, folder)
        samples = as_samples(
            job.data, target=job.target, reading=reading, front_end=front_end, notify=job.notify
        )
    elif job.data is not None:
        front_end = common_front_end(candidates, Path())
        samples = as_samples(job.data, target=job.target, front_end=front_end, notify=job.notify)
    workload = Workload(samples=samples, steps=job.steps, metric=job.metric, weighs=job.weighs)
    report = _start(job, workload)
    if job.stream is not None:
        report = replace(report, alarms=_alarms(job, job.stream, candidates))
    failures: dict[str, DeviceError] = {}
    interrupted, error = False, None
    try:
        advances = pooled(report, job.devices, candidates, workload, job.choices)
        with closing(advances), device_bars(len(job.devices), progress) as show:
            for advance in advances:
                report = advance.report
                show(advance)
                save(report)
                if advance.failure is not None:
                    failures[advance.device] = advance.failure
    except KeyboardInterrupt:
        interrupted = True
    except EdgernnError as raised:
        error = raised
    return Ending(report=report, failures=failures, error=error, interrupted=interrupted)


def _alarms(job: Job, folder: Path, candidates: Sequence[Candidate]) -> tuple[Alarms, ...]:
    """Of the artefacts that listen.  Raises DataError where none does."""
    from edgernn.profile.hearing import alarms_of
    from edgernn.runtime import Model
    from edgernn.tasks.label_tracks import read_label_tracks

    streams = read_label_tracks(folder)
    native = [(one, Model(one.path)) for one in candidates if one.path.suffix == ".ernn"]
    listening = [(one, model) for one, model in native if model.front_end is not None]
    if not listening:
        raise DataError(
            "no artefact takes sound: only .ernn files with a recipe listen to a stream",
            remedy="Export the model with --to native --front-end, or leave out --stream",
        )
    job.notify(f"listening to the recordings of {folder}")
    return tuple(
        alarms_of(
            model,
            streams,
            sha256=one.item.sha256,
            wanted_per_hour=job.false_alarms_per_hour,
            background=job.background,
        )
        for one, model in listening
    )


def _start(job: Job, workload: Workload) -> values.Report:
    if job.resume is not None and job.resume.exists():
        return resumed(read_report(job.resume), job.plan, workload)
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return begun(now, job.plan, workload)


@checked_arguments
def measure(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    device: str | Sequence[str] = "cpu",
    data: Given | None = None,
    target: str | None = None,
    metric: str | None = None,
    threads: int = 1,
    cpus: Sequence[int] | None = None,
    processes: int = 5,
    min_time_ms: float = 500.0,
    warm_up_ms: float = 100.0,
    period_ms: float | None = None,
    steps: int = DEFAULT_STEPS,
    cool_down_s: float = 0.0,
    check_noise: bool = False,
    emulated_timing: bool = False,
    device_python: bool = False,
    android_runtimes: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    benchmark_model: str | os.PathLike[str] | None = None,
    stream: str | os.PathLike[str] | None = None,
    false_alarms_per_hour: float = 1.0,
    background: Sequence[str] | None = None,
    progress: Show | None = None,
) -> Report:
    """Measures artefacts where they are to run: size, latency, memory and accuracy.

    paths: model files, or folders that an export wrote.
    device: "cpu", "pi", "user@host", "android" or a name of devices.toml; several as a list.
    data: rows to score: (x, y), (x, y, lengths), a path or a spec such as "digits:test" or
        "mydata.csv:test".  x is float [N, T, F] or whole numbers [N, T]; y are classes, labels,
        a class for each step, or numbers.  Without y, outputs are compared with the original's.
    target: columns to predict of a .csv ("load"), or what y means where it can be read in several
        ways: "numbers", "labels", "steps", "token", …
    metric: the one to put first: "accuracy", "f1", "f1_macro", "auc", "mae", "rmse", "r2",
        "perplexity", "edit_distance".
    threads: of the runtime.  cpus: run on these only.
    processes: fresh ones for each file; verdicts about speed need 5.
    min_time_ms, warm_up_ms: of each process.  period_ms: also one call in each period.
    steps: of made-up sequences, where there are no data and the length is free.
    cool_down_s: the longest wait for a device to be as cool as at first.
    check_noise: also measure one file as if it were two.
    emulated_timing: time emulated devices too; those figures mean nothing for the real one.
    device_python: use the Python packages of a board.
    android_runtimes, benchmark_model: as in docs/android.md.
    stream: a folder of long recordings with label tracks (docs/sound.md): false alarms per hour and
        misses of .ernn files, at the threshold that keeps false_alarms_per_hour in its validation.
    background: labels that mean that nothing was said.
    progress: called with each `edgernn.profile.pool.Advance`; without it bars on a terminal.

    Raises WrongOption, ModelFileError, DataError, MissingRuntime, and DeviceError where no device
    answered; a device that failed beside others is in `report.failures`.

    >>> report = edgernn.measure("out/", data=(x_test, y_test), period_ms=10)
    >>> print(report)
    """
    several, runtimes = _paths(paths), _paths(android_runtimes)
    devices = device.split(",") if isinstance(device, str) else list(device)
    for name, given in (("paths", several), ("device", devices)):
        if not given:
            raise WrongOption(f"{name} is empty", remedy="Give one or more")
    require_at_least(1, threads=threads, processes=processes, steps=steps)
    require_at_least(0, min_time_ms=min_time_ms, warm_up_ms=warm_up_ms, cool_down_s=cool_down_s)
    require_at_least(0, false_alarms_per_hour=false_alarms_per_hour)
    if period_ms is not None and not 0 < period_ms < math.inf:
        raise WrongOption(f"period_ms is {period_ms:g}", remedy="Give a time above 0, or None")
    plan = Plan(
        threads=threads,
        cpus=None if cpus is None else tuple(cpus),
        warm_up_s=warm_up_ms / 1e3,
        min_time_s=min_time_ms / 1e3,
        processes=processes,
        period_ms=period_ms,
        cool_down_s=cool_down_s,
        check_noise=check_noise,
        emulated_timing=emulated_timing,
    )
    choices = Choices(
        own_packages=device_python,
        android_runtimes=tuple(runtimes),
        benchmark_model=None if benchmark_model is None else Path(benchmark_model),
    )
    job = Job(
        paths=several,
        devices=tuple(dict.fromkeys(name.strip() for name in devices)),
        plan=plan,
        data=data,
        target=target,
        metric=metric,
        steps=steps,
        choices=choices,
        stream=None if stream is None else Path(stream),
        false_alarms_per_hour=false_alarms_per_hour,
        background=background,
    )
    return report_of(job, progress=progress)


def report_of(job: Job, *, progress: Show | None = None) -> Report:
    """What was measured.  Raises what `measure` raises."""
    ending = carried_out(job, save=lambda _report: None, progress=progress)
    if ending.error is not None:
        raise ending.error
    if ending.interrupted:
        raise KeyboardInterrupt
    if ending.failures and len(ending.failures) == len(job.devices):
        raise next(iter(ending.failures.values()))
    ending.require_something()
    return Report(values=ending.report, failures=dict(ending.failures))


def _paths(given: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[Path]:
    return [Path(one) for one in ([given] if isinstance(given, str | os.PathLike) else given)]
