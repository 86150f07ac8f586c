"""The columns of a report's tables, for every format that a person reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from edgernn.profile.rows import MEASURED, Row
from edgernn.scoring.metric import METRICS, Metric
from edgernn.scoring.truth import Score
from edgernn.stats import Interval
from edgernn.units import (
    DASH,
    count,
    file_size,
    millions,
    percent,
    seconds,
    significant,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A title (with its unit) and how a row's figure is written."""

    title: str
    text: Callable[[Row], str]
    number: bool = True
    names_row: bool = False  # repeated where a table is cut into several
    decides: bool = False  # in the default table; all others only in the wide one
    wraps: bool = False  # at words, where the table would be too wide


def _interval(row: Row) -> str:
    if row.metric is None or row.score_low is None or row.score_high is None:
        return DASH
    return METRICS[row.metric].interval_text(Interval(row.score_low, row.score_high))


def _score(row: Row) -> str:
    return DASH if row.metric is None else METRICS[row.metric].text(row.score)


def _found(metric: Metric, row: Row, output: str | None) -> Score | None:
    """What a metric says that is not the first one; None: of the first output."""
    wanted = row.scores[0].output if row.scores and output is None else output
    found = (one for one in row.scores[1:] if one.metric == metric.name and one.output == wanted)
    return next(found, None)


def _other(metric: Metric, row: Row, output: str | None = None) -> str:
    found = _found(metric, row, output)
    return DASH if found is None else metric.text(found.value)


def _other_interval(metric: Metric, row: Row, output: str | None = None) -> str:
    found = _found(metric, row, output)
    return DASH if found is None else metric.interval_text(found.interval)


def _of_outputs(rows: Sequence[Row]) -> list[Column]:
    """Two columns for each metric of a further output; its first metric decides."""
    pairs = dict.fromkeys(
        (one.output, one.metric)
        for row in rows
        for one in row.scores
        if one.output != row.scores[0].output
    )
    seen: set[str] = set()
    columns = []
    for output, name in pairs:
        metric = METRICS[name]
        columns += [
            Column(
                title=f"{name} of {output}",
                text=partial(_other, metric, output=output),
                decides=output not in seen,
            ),
            Column(
                title=f"{name} of {output} 95 %",
                text=partial(_other_interval, metric, output=output),
            ),
        ]
        seen.add(output)
    return columns


def _model(row: Row) -> str:
    return f"{row.model} (a step)" if row.streaming else row.model


def _scheme(row: Row) -> str:
    return DASH if row.scheme == "unknown" else row.scheme


def _verification(row: Row) -> str:
    return DASH if row.verification == "unknown" else row.verification


def _duty(row: Row) -> str:
    return _of_machine(row, percent(row.duty_cycle))


def _of_machine(row: Row, text: str) -> str:
    """Stamped where an emulator says it, so that no figure is taken for the device's."""
    return f"{text} emulated" if row.emulated and text != DASH else text


def _change(before: float | None, after: float | None, text: Callable[[float], str]) -> str:
    """48 → 52, or one figure where nothing changed."""
    said = [text(value) for value in (before, after) if value is not None]
    return " → ".join(dict.fromkeys(said)) or DASH


def _whole(value: float) -> str:
    return f"{value:.0f}"


def _temperature(row: Row) -> str:
    return _change(row.temperature_before_c, row.temperature_after_c, _whole)


def _frequency(row: Row) -> str:
    return _change(row.frequency_before_mhz, row.frequency_after_mhz, _whole)


def _throttling(row: Row) -> str:
    before, after = row.throttle_word_before, row.throttle_word_after
    return _change(before, after, lambda word: f"{int(word):#x}")


def _note(row: Row) -> str:
    """What a reader must know before the figures: failed, skipped, or why times are unstable."""
    if row.outcome != MEASURED:
        return row.outcome.partition(":")[0]
    return f"unstable: {row.unstable.replace('_', ' ')}" if row.unstable else DASH


def _name(title: str, text: Callable[[Row], str], *, wraps: bool = False) -> Column:
    return Column(title=title, text=text, number=False, names_row=True, decides=True, wraps=wraps)


COLUMNS: Final = (
    _name("device", lambda r: r.device),
    _name("model", _model, wraps=True),
    _name("format", lambda r: r.backend),
    _name("scheme", _scheme),
    Column(title="size", text=lambda r: file_size(r.file_bytes), decides=True),
    Column(title="parameters", text=lambda r: count(r.parameters)),
    Column(title="load ms", text=lambda r: _of_machine(r, significant(r.load_ms))),
    Column(title="first ms", text=lambda r: _of_machine(r, significant(r.first_call_ms))),
    Column(title="p50 ms", text=lambda r: _of_machine(r, significant(r.p50_ms)), decides=True),
    Column(title="p95 ms", text=lambda r: _of_machine(r, significant(r.p95_ms))),
    Column(title="p99 ms", text=lambda r: _of_machine(r, significant(r.p99_ms))),
    Column(title="paced p50 ms", text=lambda r: _of_machine(r, significant(r.paced_p50_ms))),
    Column(title="paced p95 ms", text=lambda r: _of_machine(r, significant(r.paced_p95_ms))),
    Column(title="paced p99 ms", text=lambda r: _of_machine(r, significant(r.paced_p99_ms))),
    Column(title="missed", text=lambda r: _of_machine(r, count(r.deadlines_missed))),
    Column(title="duty", text=_duty),
    Column(title="peak RSS", text=lambda r: _of_machine(r, file_size(r.peak_rss_bytes))),
    Column(title="model RSS", text=lambda r: _of_machine(r, file_size(r.rss_of_model_bytes))),
    Column(title="instructions", text=lambda r: millions(r.instructions), decides=True),
    Column(title="°C", text=_temperature),
    Column(title="MHz", text=_frequency),
    Column(title="throttled", text=_throttling),
    Column(title="score", text=_score, decides=True),
    Column(title="95 % interval", text=_interval, decides=True),
    *(
        column
        for metric in METRICS.values()
        for column in (
            Column(
                title=metric.name, text=partial(_other, metric), decides=metric.key != "f1_macro"
            ),
            Column(title=f"{metric.name} 95 %", text=partial(_other_interval, metric)),
        )
    ),
    Column(title="agreement", text=lambda r: percent(r.agreement)),
    Column(title="deviation", text=lambda r: significant(r.deviation)),
    Column(title="training", text=lambda r: seconds(r.training_s)),
    Column(title="best epoch", text=lambda r: count(r.epochs_to_best)),
    Column(title="verification", text=_verification, number=False),
    Column(title="note", text=_note, number=False, decides=True, wraps=True),
)


#: What decides where no score can be.
_WITHOUT_LABELS: Final = frozenset({"agreement", "deviation"})


def shown_columns(rows: Sequence[Row], *, wide: bool = True) -> tuple[Column, ...]:
    """The columns that hold values; without the device where there is only one.

    Unless `wide`, only those that decide between artefacts.
    """
    without_labels = all(row.metric is None for row in rows)
    wanted = [
        column
        for column in _all_columns(rows)
        if wide or column.decides or (without_labels and column.title in _WITHOUT_LABELS)
    ]
    kept = [column for column in wanted if any(column.text(row) != DASH for row in rows)]
    if len({row.device for row in rows}) == 1:
        kept = [column for column in kept if column.title != "device"]
    return tuple(kept)


def _all_columns(rows: Sequence[Row]) -> tuple[Column, ...]:
    """COLUMNS, and those of further outputs before the agreement."""
    place = next(number for number, one in enumerate(COLUMNS) if one.title == "agreement")
    return (*COLUMNS[:place], *_of_outputs(rows), *COLUMNS[place:])


def named(column: Column, rows: Sequence[Row]) -> str:
    """The title, with the metric's name in the place of "score"."""
    metrics = {row.scores[0].name if row.scores else row.metric for row in rows if row.metric}
    return metrics.pop() if column.title == "score" and len(metrics) == 1 else column.title


def unmeasured_lines(rows: Sequence[Row]) -> tuple[str, ...]:
    """Why a row is not complete: failed, skipped."""
    several = len({row.device for row in rows}) > 1
    return tuple(
        f"{f'{row.device}, ' if several else ''}{row.file}: {row.outcome}"
        for row in rows
        if row.outcome != MEASURED
    )


def baseline_lines(rows: Sequence[Row]) -> tuple[tuple[str, str], ...]:
    """What needs no network: (name, score)."""
    first = next((row for row in rows if row.metric is not None), None)
    if first is None or first.metric is None or first.trivial_baseline is None:
        return ()
    text = METRICS[first.metric].text
    return (
        (first.trivial_baseline_name, text(first.trivial_baseline)),
        (first.linear_baseline_name, text(first.linear_baseline)),
    )
