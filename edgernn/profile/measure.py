"""Measures artefacts: from a plan to processes to a benchmark.

Plan -> Run (one process, immutable) -> Benchmark (runs that agree in all that matters).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from edgernn.devices.device import Device
from edgernn.devices.facts import (
    CONDITION_COMMANDS,
    CONDITION_FILES,
    Conditions,
    conditions,
)
from edgernn.devices.runners import time_calls
from edgernn.devices.runners.outcome import Failed, Machine, Paced, Skipped, Timing
from edgernn.devices.runners.runner import Case, Model, TimeCalls
from edgernn.errors import IncomparableRuns
from edgernn.stats import Ratio, mad, median, percentile, ratio_of_medians

K = TypeVar("K")

#: /proc/stat counts in ticks of 10 ms: over fewer than ten of them, a tick is a tenth of a CPU.
SHORTEST_RATE_S: Final = 0.1

DEFAULT_PROCESSES: Final = 5  # stats.FEWEST_PROCESSES: needed for a verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to measure."""

    threads: int = 1
    cpus: tuple[int, ...] | None = None
    warm_up_s: float = 0.1
    min_time_s: float = 0.5  # of counted calls, per process and regime
    processes: int = DEFAULT_PROCESSES
    period_ms: float | None = None  # also one call every period, like an application
    cool_down_s: float = 0.0  # longest wait before a process for the device to be cool again
    check_noise: bool = False  # also one artefact as if it were two, on each device
    emulated_timing: bool = False  # time emulated devices too, though the times are not valid


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one process measured, in milliseconds; only `hot_ms` and `paced` are counted."""

    machine: Machine
    versions: Mapping[str, str]
    threads: int
    cpus: tuple[int, ...] | None  # the CPUs it was confined to
    import_ms: float
    load_ms: float
    first_call_ms: float
    calibration_ms: tuple[float, ...]
    warm_up_ms: tuple[float, ...]
    hot_ms: tuple[float, ...]
    stride: int  # one out of so many calls was timed
    paced: Paced | None
    foreign_cpus: float | None  # CPUs that other programs kept busy during the measurement
    stolen_cpus: float | None  # CPUs that the hypervisor gave to other machines
    before: Conditions
    after: Conditions
    per_call: bool = True  # False: hot_ms is one figure for all calls (runners.Timing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The distribution of many calls, in milliseconds.

    If only a total time was reported, there is only the median; the rest is None.
    """

    p50_ms: float
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    mad_ms: float | None
    calls: int

    @property
    def per_second(self) -> float:
        return 1e3 / self.p50_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """Runs of one artefact that may be combined.

    Raises IncomparableRuns if they differ in machine, versions, threads, CPUs or period.
    """

    runs: tuple[Run, ...]

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError("a benchmark needs at least one run")
        require_agreement(self.runs)

    @property
    def load_ms(self) -> float:
        return median([run.load_ms for run in self.runs])

    @property
    def import_ms(self) -> float:
        return median([run.import_ms for run in self.runs])

    @property
    def first_call_ms(self) -> float:
        return median([run.first_call_ms for run in self.runs])

    @property
    def hot(self) -> Summary:
        found = summary([run.hot_ms for run in self.runs])
        if all(run.per_call for run in self.runs):
            return found
        calls = sum(run.stride for run in self.runs)
        return replace(found, p90_ms=None, p95_ms=None, p99_ms=None, mad_ms=None, calls=calls)

    @property
    def paced(self) -> Summary | None:
        values = [run.paced.values_ms for run in self.runs if run.paced]
        return summary(values) if values else None

    @property
    def period_ms(self) -> float | None:
        paced = self.runs[0].paced
        return paced.period_ms if paced else None

    @property
    def deadlines_missed(self) -> int | None:
        missed = [run.paced.deadlines_missed for run in self.runs if run.paced]
        return sum(missed) if missed else None

    @property
    def duty_cycle(self) -> float | None:
        cycles = [run.paced.duty_cycle for run in self.runs if run.paced]
        return median(cycles) if cycles else None


def summary(processes: Sequence[Sequence[float]]) -> Summary:
    """Percentiles over all calls of all processes.

    Only the median is robust against a disturbed process: it is the median of the processes'
    medians.
    """
    calls = [value for values in processes for value in values]
    return Summary(
        p50_ms=median([median(values) for values in processes]),
        p90_ms=percentile(calls, 90),
        p95_ms=percentile(calls, 95),
        p99_ms=percentile(calls, 99),
        mad_ms=mad(calls),
        calls=len(calls),
    )


def require_agreement(runs: Sequence[Run]) -> None:
    """Raises IncomparableRuns naming the first fact in which two runs of one artefact differ."""
    first = runs[0]
    for run in runs[1:]:
        require_same_conditions(first, run)
        _require_equal("runtime versions", first.versions, run.versions)


def require_same_conditions(a: Run, b: Run) -> None:
    """The facts that comparable runs share, also of different artefacts and runtimes."""
    _require_equal("machine", a.machine, b.machine)
    _require_equal("threads", a.threads, b.threads)
    _require_equal("CPUs", a.cpus, b.cpus)
    period_a = a.paced.period_ms if a.paced else None
    period_b = b.paced.period_ms if b.paced else None
    _require_equal("period", period_a, period_b)


def _require_equal(what: str, a: object, b: object) -> None:
    if a != b:
        raise IncomparableRuns(
            f"these runs cannot be combined: {what} was {a}, then {b}",
            remedy="Measure all of them again under the same conditions",
        )


def latency_ratio(a: Benchmark, b: Benchmark) -> Ratio:
    """How many times longer a call of `a` takes than one of `b` (hot loop).

    Raises IncomparableRuns if they were not measured on one machine, with the same threads.
    """
    require_same_conditions(a.runs[0], b.runs[0])
    return ratio_of_medians([run.hot_ms for run in a.runs], [run.hot_ms for run in b.runs])


def interleaved(keys: Sequence[K], done: Sequence[int], processes: int) -> Iterator[tuple[K, int]]:
    """The order of measurements: each artefact once a round, so that drift affects all equally.

    `done` has the number of finished processes of each; it joins in the next round.  Each round
    starts with another artefact, because the first one runs on a cooler machine.
    """
    for number in range(processes):
        due = [key for key, had in zip(keys, done, strict=True) if had <= number]
        start = number % len(due) if due else 0
        for key in (*due[start:], *due[:start]):
            yield key, number


def measured(device: Device, model: Model, case: Case, plan: Plan) -> Run | Failed | Skipped:
    """Times `model` in one process, with the machine's conditions before and after."""
    task = TimeCalls(
        case=case,
        warm_up_s=plan.warm_up_s,
        min_time_s=plan.min_time_s,
        period_ms=plan.period_ms,
        read=CONDITION_FILES,
        ask=CONDITION_COMMANDS,
    )
    timing = time_calls(device, model, task)
    if not isinstance(timing, Timing):
        return timing
    before, after = conditions(timing.before), conditions(timing.after)
    process = timing.process
    return Run(
        machine=process.machine,
        versions=process.versions,
        threads=model.threads,
        cpus=process.cpus,
        import_ms=process.import_ms,
        load_ms=process.load_ms,
        first_call_ms=timing.first_call_ms,
        calibration_ms=timing.calibration_ms,
        warm_up_ms=timing.warm_up_ms,
        hot_ms=timing.hot_ms,
        stride=timing.stride,
        paced=timing.paced,
        foreign_cpus=_rate(before.busy_s, after.busy_s, timing.wall_s, own_s=timing.cpu_s),
        stolen_cpus=_rate(before.stolen_s, after.stolen_s, timing.wall_s),
        before=before,
        after=after,
        per_call=timing.per_call,
    )


def _rate(
    before_s: float | None, after_s: float | None, wall_s: float, *, own_s: float = 0.0
) -> float | None:
    """CPU seconds per second, without those of this process."""
    if before_s is None or after_s is None or wall_s < SHORTEST_RATE_S:
        return None
    return max(0.0, (after_s - before_s - own_s) / wall_s)
