"""Limits for artefacts from a budget.toml, and checks of these limits: a gate for CI.

    [every]                     # for all devices
    file_bytes = 100_000
    agreement = 0.99            # with the float32 reference: at least

    [kitchen]                   # a --device; write ["pi@host"] if it is no plain word
    p95_ms = 5
    deadlines_missed = 0

Figures of an emulator or of a disturbed machine neither pass nor fail: they are skipped, with the
reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from numbers import Real
from pathlib import Path
from typing import Final

from edgernn.devices.runners.outcome import Failed, Skipped
from edgernn.errors import DataError
from edgernn.profile.alarms import Tally
from edgernn.profile.judgement import disturbances
from edgernn.profile.report import Cell, Report
from edgernn.profile.rows import Row, reference_of, rows_of
from edgernn.regular_file import read_toml
from edgernn.scoring.metric import METRICS, Metric, metrics_for
from edgernn.scoring.truth import scores

EVERY: Final = "every"


class Limit(Enum):
    """The figures that can be limited; each value is the name in the file."""

    FILE_BYTES = "file_bytes"
    LOAD_MS = "load_ms"
    FIRST_CALL_MS = "first_call_ms"
    P95_MS = "p95_ms"
    P99_MS = "p99_ms"
    PACED_P95_MS = "paced_p95_ms"
    PACED_P99_MS = "paced_p99_ms"
    DEADLINES_MISSED = "deadlines_missed"
    PEAK_RSS_BYTES = "peak_rss_bytes"
    FALSE_ALARMS_PER_HOUR = "false_alarms_per_hour"  # in the test part of --stream's recordings
    MISS_RATE = "miss_rate"  # there, as a share of what is said
    INSTRUCTIONS = "instructions"  # of a call, where an emulator counts them
    ACCURACY_DROP = "accuracy_drop"  # worse than the float32 reference: a difference of shares
    F1_MACRO_DROP = "f1_macro_drop"
    F1_DROP = "f1_drop"
    AUC_DROP = "auc_drop"
    R2_DROP = "r2_drop"
    EDIT_DISTANCE_RISE = "edit_distance_rise"
    MAE_RISE = "mae_rise"  # the same as a share of the reference's: 0.01 is one percent
    RMSE_RISE = "rmse_rise"
    PERPLEXITY_RISE = "perplexity_rise"
    DEVIATION = "deviation"  # from the float32 reference's numbers, in standard deviations
    AGREEMENT = "agreement"  # with the float32 reference, as a share: the one that is a minimum

    @property
    def is_time(self) -> bool:
        return self.value.endswith("_ms") or self is Limit.DEADLINES_MISSED

    @property
    def sensible(self) -> tuple[float, float]:
        """The least and the largest bound that can be kept by one file and exceeded by another."""
        if self is Limit.AGREEMENT:
            return 1e-9, 1.0
        if self in _SHARES:
            return 0.0, 0.999
        if self.value.endswith(("_drop", "_rise")) or self in (
            Limit.DEADLINES_MISSED,
            Limit.DEVIATION,
            Limit.FALSE_ALARMS_PER_HOUR,
        ):
            return 0.0, 1e9
        if self.is_time:
            return 1e-9, 24 * 3600e3
        return 1.0, 1e15  # bytes, instructions

    @property
    def is_of_the_machine(self) -> bool:
        """The figures of an emulator that do not hold for the emulated machine."""
        return self.is_time or self is Limit.PEAK_RSS_BYTES


class Verdict(Enum):
    """How a check ended."""

    KEPT = "kept"
    EXCEEDED = "exceeded"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One limit for one artefact on one device."""

    device: str
    file: str
    limit: Limit
    bound: float
    value: float | None
    verdict: Verdict
    reason: str = ""  # why it was skipped, or why there is no value

    @property
    def sentence(self) -> str:
        sign = "at least" if self.limit is Limit.AGREEMENT else "at most"
        said = self.reason if self.value is None or self.reason else f"is {self.value:g}"
        where = f"{self.file} on {self.device}: {self.limit.value}"
        return f"{self.verdict.value}: {where} {said}, allowed is {sign} {self.bound:g}"


#: The verdict on a budget of which each limit was skipped.
NOTHING_CHECKED: Final = "nothing of the budget could be checked"

#: What is between 0 and 1, and drops of it.
_SHARES: Final = frozenset(
    {Limit.ACCURACY_DROP, Limit.F1_MACRO_DROP, Limit.F1_DROP, Limit.AUC_DROP, Limit.MISS_RATE}
)
_SHARE: Final = "Write a share: 0.99, not 99"

Budget = dict[str, dict[Limit, float]]  # device, or EVERY -> bounds


def read_budget(path: Path) -> Budget:
    """Raises DataError if the file cannot be read or contains an unknown limit."""
    try:
        tables = read_toml(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read the budget {path}: {reason}") from error
    if not tables:
        raise DataError(f"the budget {path} limits nothing", remedy=f"Begin with [{EVERY}]")
    return budget_of(tables, str(path))


def budget_of(tables: Mapping[str, object], path: str = "the budget") -> Budget:
    """The limits by device (or "every"), each a dict of limits by name; `path` is for messages.

    Raises DataError for a limit that does not exist or is not a number.

    >>> budget_of({"every": {"p95_ms": 5}})
    """
    return {device: dict(_bounds(path, device, table)) for device, table in tables.items()}


def _bounds(path: str, device: str, table: object) -> Iterator[tuple[Limit, float]]:
    if not isinstance(table, Mapping):
        raise DataError(f"{path}: '{device}' is outside of a table", remedy=f"Add [{EVERY}]")
    known = [limit.value for limit in Limit]
    for name, bound in table.items():
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"Did you mean '{close[0]}'?" if close else f"Known are: {', '.join(known)}"
            raise DataError(f"{path}: '{name}' of [{device}] cannot be limited", remedy=hint)
        number = _number(bound)
        if number is None:
            raise DataError(f"{path}: {name} of [{device}] must be a number, not {bound!r}")
        low, high = Limit(name).sensible
        if not low <= number <= high:
            raise DataError(
                f"{path}: {name} of [{device}] is {number:g}; a limit that can be kept and "
                f"exceeded is between {low:g} and {high:g}",
                remedy=_SHARE if high <= 1 and number > high else "",
            )
        yield Limit(name), number


def _number(bound: object) -> float | None:
    if isinstance(bound, bool) or not isinstance(bound, Real):  # numpy's numbers, too
        return None
    try:
        return float(bound) if math.isfinite(bound) else None
    except OverflowError:
        return None


def for_devices(budget: Budget, names: Mapping[str, str]) -> Budget:
    """The budget with a report's device names; `names` maps the spellings of --device to them.

    Raises DataError if it limits a device that is not measured.
    """
    known = {EVERY: EVERY, **names, **{name: name for name in names.values()}}
    if missing := sorted(set(budget) - set(known)):
        raise DataError(
            f"the budget limits {', '.join(missing)}, which is not among the devices: "
            f"{', '.join(dict.fromkeys(names.values()))}",
            remedy="Add it to --device, or take it out of the budget",
        )
    settled: Budget = {}
    for device, bounds in budget.items():
        settled[known[device]] = {**settled.get(known[device], {}), **bounds}
    return settled


def checked(report: Report, budget: Budget) -> tuple[Check, ...]:
    """Checks every limit for every artefact on its devices."""
    return tuple(
        _check(cell, row, limit, bound, report)
        for cell, row in zip(report.cells, rows_of(report), strict=True)
        for limit, bound in {**budget.get(EVERY, {}), **budget.get(cell.device, {})}.items()
    )


def nothing_checked(checks: Sequence[Check]) -> bool:
    """Whether no limit was either kept or exceeded: such a budget says nothing about the files."""
    return all(check.verdict is Verdict.SKIPPED for check in checks)


def exceeded(checks: Sequence[Check]) -> tuple[Check, ...]:
    return tuple(check for check in checks if check.verdict is Verdict.EXCEEDED)


def _check(cell: Cell, row: Row, limit: Limit, bound: float, report: Report) -> Check:
    value = _VALUES[limit](cell, row, report)
    verdict, reason = _verdict(cell, limit, bound, value, report)
    return Check(
        device=cell.device,
        file=cell.item.file,
        limit=limit,
        bound=bound,
        value=value,
        verdict=verdict,
        reason=reason,
    )


def _verdict(
    cell: Cell, limit: Limit, bound: float, value: float | None, report: Report
) -> tuple[Verdict, str]:
    if isinstance(cell.outcome, Failed):
        return Verdict.EXCEEDED, str(cell.outcome)  # counts as exceeded
    if isinstance(cell.outcome, Skipped):
        return Verdict.SKIPPED, cell.outcome.reason
    if limit.is_of_the_machine and report.is_emulated(cell.device):
        return Verdict.SKIPPED, "is not valid on an emulated device"
    if value is None:
        return Verdict.SKIPPED, _missing(limit, report)
    disturbed = disturbances(cell, report)
    if limit.is_time and disturbed:
        return Verdict.SKIPPED, f"is unreliable ({disturbed[0].sentence.rstrip('.')})"
    kept = value >= bound if limit is Limit.AGREEMENT else value <= bound
    return (Verdict.KEPT if kept else Verdict.EXCEEDED), ""


def _missing(limit: Limit, report: Report) -> str:
    """Why there is no value: a limit of another metric than those of the data, or no data."""
    if limit in _HEARD and not report.alarms:
        return "was not measured: it needs --stream"
    of_metric = {metric.limit: metric for metric in METRICS.values()}.get(limit.value)
    truth = report.truth
    if of_metric is None or truth is None:
        return "was not measured"
    judges = dict.fromkeys([*truth.judges, *(m for one in truth.others for m in metrics_for(one))])
    if of_metric in judges:
        return "was not measured"
    known = ", ".join(metric.limit for metric in judges) or "no such limit, without labels"
    return f"does not fit {truth.name}, which allows {known}"


def _cost(metric: Metric) -> Callable[[Cell, Row, Report], float | None]:
    """How much worse than the reference by this metric; negative where it is better.

    Of several outputs that the metric judges, the one that loses most.
    """

    def of(cell: Cell, _row: Row, report: Report) -> float | None:
        reference = reference_of(cell, report)
        if reference is None or cell.predictions is None or report.truth is None:
            return None
        before, after = (
            {
                one.output: one.value
                for one in scores(predictions, report.truth)
                if one.metric == metric.name
            }
            for predictions in (reference, cell.predictions)
        )
        costs = [metric.cost(before[one], after[one]) for one in before if one in after]
        return max(costs, default=None)

    return of


def _heard(figure: Callable[[Tally], float | None]) -> Callable[[Cell, Row, Report], float | None]:
    """Of the test part of the recordings that this artefact listened to."""

    def of(cell: Cell, _row: Row, report: Report) -> float | None:
        heard = {(one.file, one.sha256): one.test for one in report.alarms}
        tally = heard.get((cell.item.file, cell.item.sha256))
        return None if tally is None else figure(tally)

    return of


def _of_row(name: str) -> Callable[[Cell, Row, Report], float | None]:
    return lambda _cell, row, _report: getattr(row, name)


_HEARD: Final = {
    Limit.FALSE_ALARMS_PER_HOUR: _heard(lambda tally: tally.per_hour),
    Limit.MISS_RATE: _heard(lambda tally: tally.miss_rate),
}

_VALUES: Final[dict[Limit, Callable[[Cell, Row, Report], float | None]]] = {
    **{limit: _of_row(limit.value) for limit in Limit},
    **_HEARD,
    **{Limit(metric.limit): _cost(metric) for metric in METRICS.values()},
}
