"""Decides which cautions a cell of a report gets.  All thresholds are in this module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edgernn.devices.facts import Throttling
from edgernn.devices.fake import INVENTED_SYSTEM
from edgernn.profile.cautions import Caution, Warned, warned
from edgernn.profile.measure import Benchmark, Plan, Run
from edgernn.profile.report import Cell, Report
from edgernn.scoring.fitting import Refit
from edgernn.scoring.metric import Metric
from edgernn.scoring.predictions import Predictions
from edgernn.scoring.truth import Truth, score
from edgernn.stats import FEWEST_PROCESSES, median
from edgernn.units import milliseconds, percent, times

SLOW_FIRST_CALL: Final = 5.0  # times a steady call
SLOW_WHEN_PACED: Final = 1.5  # times a call in a loop
DISAGREEMENT: Final = 0.10  # (largest - smallest) median of processes, of their median
LONG_TAIL: Final = 3.0  # 99th percentile over median
FEWEST_CALLS: Final = 500  # below, the 99th percentile is decided by five calls
FOREIGN_CPUS: Final = 0.25
STOLEN_CPUS: Final = 0.05
FREQUENCY_CHANGE: Final = 0.10  # of the fastest core's frequency
NOISE: Final = 0.03  # two series of one artefact, as a share; a smaller difference is acceptable


#: A time measured under one of these conditions is no property of the artefact.
UNSTABLE: Final = frozenset(
    {
        Caution.PROCESSES_DISAGREE,
        Caution.FOREIGN_LOAD,
        Caution.STOLEN_TIME,
        Caution.FREQUENCY_CHANGED,
        Caution.GOVERNOR_CHANGED,
        Caution.THROTTLED,
        Caution.THROTTLED_MEANWHILE,
        Caution.UNDER_VOLTAGE,
        Caution.UNDER_VOLTAGE_MEANWHILE,
        Caution.NOISY,
    }
)


def disturbances(cell: Cell, report: Report) -> tuple[Warned, ...]:
    """The reasons why the times of a cell are unreliable; empty if they are reliable."""
    return tuple(one for one in cautions(cell, report) if one.caution in UNSTABLE)


def cautions(cell: Cell, report: Report) -> tuple[Warned, ...]:
    """In the order of importance for the reader."""
    found: list[Warned] = []
    target = next((one for one in report.targets if one.name == cell.device), None)
    if target is not None and target.machine.system == INVENTED_SYSTEM:
        found.append(warned(Caution.INVENTED))
    emulated = target is not None and target.identity.emulated is not None
    if target is not None and target.identity.emulated:
        how = target.identity.emulated
        found.append(warned(Caution.EMULATED, device=cell.device, how=how))
    found += _of_noise(cell, report)
    if cell.runs:
        if not all(run.per_call for run in cell.runs):
            found.append(warned(Caution.ONE_FIGURE))
        if not emulated:  # its times are not judged, only shown
            found += _of_benchmark(Benchmark(runs=cell.runs), report.plan)
        found += _of_conditions(cell.runs)
        found += _of_number(cell.runs, report.plan)
    if cell.assumed_steps is not None:
        found.append(warned(Caution.ASSUMED_STEPS, steps=str(cell.assumed_steps)))
    if report.truth is not None and report.truth.judge and cell.predictions is not None:
        found += _of_accuracy(cell.predictions, report.truth, report.truth.judge)
    if cell.unjudged is not None:
        found.append(warned(Caution.UNJUDGED, reason=cell.unjudged.reason))
    if cell.refit is not None:
        found += of_refit(cell.refit)
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedCaution:
    """A caution that several files of a report get, represented by its worst case."""

    worst: Warned
    file: str
    device: str  # "" if there is only one
    others: tuple[str, ...]
    all_files: bool  # whether every file of the device has it

    @property
    def sentence(self) -> str:
        if not self.others:
            also = ""
        elif self.all_files and len(self.others) > 1:
            also = " (All others too.)"
        else:
            also = f" (Also: {', '.join(self.others)}.)"
        where = f" on {self.device}" if self.device else ""
        return f"{self.file}{where}: {self.worst.sentence}{also}"


def shared_cautions(report: Report) -> tuple[SharedCaution, ...]:
    """Each kind of caution once for each device, instead of ten equal lines."""
    by_kind: dict[tuple[Caution, str], list[tuple[Warned, str]]] = {}
    files: dict[str, set[str]] = {}
    for cell in report.cells:
        files.setdefault(cell.device, set()).add(cell.item.file)
        for found in cautions(cell, report):
            by_kind.setdefault((found.caution, cell.device), []).append((found, cell.item.file))
    shared = []
    for (_, device), entries in by_kind.items():
        worst, file = max(entries, key=lambda one: one[0].severity)
        others = tuple(dict.fromkeys(name for _, name in entries if name != file))
        shared.append(
            SharedCaution(
                worst=worst,
                file=file,
                device=device if len(files) > 1 else "",
                others=others,
                all_files=len(others) + 1 == len(files[device]),
            )
        )
    return tuple(shared)


def _of_benchmark(benchmark: Benchmark, plan: Plan) -> Iterator[Warned]:
    hot, paced = benchmark.hot, benchmark.paced
    missed = benchmark.deadlines_missed
    if paced and missed:
        yield warned(
            Caution.DEADLINES_MISSED,
            missed / paced.calls,
            missed=str(missed),
            calls=str(paced.calls),
            period=milliseconds(plan.period_ms),
        )
    if paced and paced.p50_ms > SLOW_WHEN_PACED * hot.p50_ms:
        yield warned(
            Caution.SLOWER_WHEN_PACED,
            paced.p50_ms / hot.p50_ms,
            period=milliseconds(plan.period_ms),
            ratio=f"{paced.p50_ms / hot.p50_ms:.1f}",
        )
    if benchmark.first_call_ms > SLOW_FIRST_CALL * hot.p50_ms:
        ratio = benchmark.first_call_ms / hot.p50_ms
        yield warned(Caution.FIRST_CALL_SLOW, ratio, ratio=f"{ratio:.0f}")
    medians = [median(run.hot_ms) for run in benchmark.runs]
    spread = (max(medians) - min(medians)) / hot.p50_ms
    if spread > DISAGREEMENT:
        yield warned(Caution.PROCESSES_DISAGREE, spread, spread=percent(spread, 0))
    if hot.p99_ms is not None and hot.p99_ms > LONG_TAIL * hot.p50_ms:
        ratio = hot.p99_ms / hot.p50_ms
        yield warned(Caution.LONG_TAIL, ratio, ratio=f"{ratio:.1f}")
    if all(run.per_call for run in benchmark.runs) and hot.calls < FEWEST_CALLS:
        yield warned(Caution.FEW_VALUES, -hot.calls, values=str(hot.calls))


def _of_conditions(runs: tuple[Run, ...]) -> Iterator[Warned]:
    states = [state for run in runs for state in (run.before, run.after)]
    slow = [g for state in states for g in state.governors if g not in ("performance", "")]
    if slow:
        yield warned(Caution.GOVERNOR, governor=slow[0])
    governors = list(dict.fromkeys(state.governors for state in states if state.governors))
    if len(governors) > 1:
        before, after = (", ".join(names) for names in governors[:2])
        yield warned(Caution.GOVERNOR_CHANGED, before=before, after=after)
    yield from _of_throttling(runs)
    batteries = [state.battery for state in states if state.battery is not None]
    if low := next((battery for battery in batteries if battery.low), None):
        yield warned(Caution.BATTERY_LOW, level=percent(low.level, 0))
    peaks = [max(state.frequencies_mhz) for state in states if state.frequencies_mhz]
    if peaks and max(peaks) - min(peaks) > FREQUENCY_CHANGE * max(peaks):
        yield warned(
            Caution.FREQUENCY_CHANGED, before=f"{max(peaks):.0f}", after=f"{min(peaks):.0f}"
        )
    foreign = [run.foreign_cpus for run in runs if run.foreign_cpus is not None]
    if foreign and median(foreign) > FOREIGN_CPUS:
        yield warned(Caution.FOREIGN_LOAD, median(foreign), cpus=f"{median(foreign):.1f}")
    stolen = [run.stolen_cpus for run in runs if run.stolen_cpus is not None]
    if stolen and median(stolen) > STOLEN_CPUS:
        yield warned(Caution.STOLEN_TIME, median(stolen), percent=percent(median(stolen), 0))


def _of_throttling(runs: tuple[Run, ...]) -> Iterator[Warned]:
    """The firmware's throttling before or after a run, and events in between."""
    states = [state.throttling for run in runs for state in (run.before, run.after)]
    words = [word for word in states if word is not None]
    if low := next((word for word in words if word.under_voltage), None):
        yield warned(Caution.UNDER_VOLTAGE, word=f"{low.word:#x}")
    if slow := next((word for word in words if word.slowed), None):
        yield warned(Caution.THROTTLED, word=f"{slow.word:#x}")
    meanwhile: dict[Caution, Warned] = {}
    for before, after in zip(states[::2], states[1::2], strict=True):
        if before is None or after is None:
            continue
        figures = {"before": f"{before.word:#x}", "after": f"{after.word:#x}"}
        new = Throttling(word=after.word & ~before.word)
        if new.under_voltage_happened and low is None:
            caution = Caution.UNDER_VOLTAGE_MEANWHILE
            meanwhile.setdefault(caution, warned(caution, **figures))
        if new.slowing_happened and slow is None:
            caution = Caution.THROTTLED_MEANWHILE
            meanwhile.setdefault(caution, warned(caution, **figures))
    yield from meanwhile.values()
    if slow is None and not meanwhile and any(word.happened for word in words):
        word = next(word.word for word in words if word.happened)
        yield warned(Caution.THROTTLED_BEFORE, word=f"{word:#x}")


def _of_noise(cell: Cell, report: Report) -> Iterator[Warned]:
    for noise in report.noise:
        ratio = noise.ratio
        if abs(ratio.estimate - 1) < NOISE or not ratio.significant:
            continue
        if noise.device == cell.device and cell.runs:
            figures = {"file": noise.file, "ratio": times(ratio)}
            yield warned(Caution.NOISY, **figures)


def _of_number(runs: tuple[Run, ...], plan: Plan) -> Iterator[Warned]:
    cpus, threads = runs[0].cpus, runs[0].threads
    available = len(cpus) if cpus is not None else runs[0].machine.cores
    if threads > available:
        yield warned(Caution.MORE_THREADS_THAN_CPUS, threads=str(threads), cpus=str(available))
    if len(runs) < plan.processes:
        yield warned(Caution.INTERRUPTED, processes=str(len(runs)), wanted=str(plan.processes))
    elif len(runs) < FEWEST_PROCESSES:
        yield warned(Caution.FEW_PROCESSES, processes=str(len(runs)))


def _of_accuracy(predictions: Predictions, truth: Truth, metric: Metric) -> Iterator[Warned]:
    reached = score(predictions, truth)
    if reached.interval.half_width > metric.widest:
        yield warned(
            Caution.FEW_TEST_ROWS,
            rows=f"{truth.rows:,}",
            noun=metric.noun,
            interval=f"{metric.interval_text(reached.interval)} {metric.unit}".strip(),
        )


def of_refit(refit: Refit) -> Iterator[Warned]:
    """Cautions for rows that were cut or padded."""
    figures = {
        "rows": f"{refit.rows:,}",
        "steps": str(refit.steps),
        "have": str(refit.data_steps),
    }
    if refit.cut_rows:
        cut = f"{refit.cut_rows:,}"
        yield warned(Caution.SEQUENCES_CUT, refit.cut_rows / refit.rows, cut=cut, **figures)
    if refit.padded_rows:
        padded = f"{refit.padded_rows:,}"
        share = refit.padded_rows / refit.rows
        yield warned(Caution.SEQUENCES_PADDED, share, padded=padded, **figures)
