"""One flat row of figures for each cell: the source of tables, CSV and budgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from edgernn.profile.judgement import disturbances
from edgernn.profile.report import Cell, Report
from edgernn.scheme import Scheme
from edgernn.scoring.predictions import Predictions, agreement, deviation
from edgernn.scoring.truth import Score, scores
from edgernn.stats import median

#: The outcome of a row that is complete.
MEASURED: Final = "measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Figures of one artefact on one device; None is unknown or not requested.

    Field names carry units and are the columns of the CSV.  Shares are 0 to 1.
    """

    device: str
    model: str
    backend: str
    scheme: str
    file: str
    streaming: bool
    file_bytes: int
    parameters: int | None
    load_ms: float | None = None
    first_call_ms: float | None = None
    p50_ms: float | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    mad_ms: float | None = None
    calls_per_second: float | None = None
    period_ms: float | None = None
    paced_p50_ms: float | None = None
    paced_p95_ms: float | None = None
    paced_p99_ms: float | None = None
    deadlines_missed: int | None = None
    duty_cycle: float | None = None
    peak_rss_bytes: int | None = None
    rss_of_model_bytes: int | None = None  # the part that loading and calling the model added
    instructions: int | None = None  # executed by a call on an emulated device; no time
    metric: str | None = None
    score: float | None = None
    score_low: float | None = None
    score_high: float | None = None
    scores: tuple[Score, ...] = ()  # by all metrics that fit the answers; `metric` first
    agreement: float | None = None  # with the float32 reference, see `reference_of`
    deviation: float | None = None  # from its numbers, in their standard deviations
    trivial_baseline: float | None = None
    linear_baseline: float | None = None
    trivial_baseline_name: str = "most frequent class"
    linear_baseline_name: str = "linear model"
    training_s: float | None = None
    training_to_best_s: float | None = None
    epochs_to_best: int | None = None
    verification: str
    runtime: str | None = None  # "onnxruntime 1.31.1"
    temperature_before_c: float | None = None  # of the hottest zone, before the first process
    temperature_after_c: float | None = None  # after the last one
    frequency_before_mhz: float | None = None  # of the fastest core
    frequency_after_mhz: float | None = None
    governor: str | None = None
    throttle_word_before: int | None = None  # Raspberry Pi: vcgencmd get_throttled
    throttle_word_after: int | None = None
    emulated: bool = False  # then times and memory do not hold for the device
    unstable: str | None = None  # why its times are unreliable: names of cautions
    processes: int
    outcome: str  # "measured", "failed: …", "skipped: …"


def rows_of(report: Report) -> tuple[Row, ...]:
    return tuple(_row(cell, report) for cell in report.cells)


def reference_of(cell: Cell, report: Report) -> Predictions | None:
    """The original model's answers, or else those of its float32 artefact on the same device."""
    source = cell.item.source_sha256
    if source is None:
        return None
    for reference in report.references:
        if reference.source_sha256 == source:
            return reference.predictions
    for other in report.cells:
        if (
            other.key != cell.key
            and other.device == cell.device
            and other.item.source_sha256 == source
            and other.item.scheme == Scheme.FLOAT32.value
            and other.predictions is not None
        ):
            return other.predictions
    return None


def _row(cell: Cell, report: Report) -> Row:
    item, benchmark, training = cell.item, cell.benchmark, cell.item.training
    hot = benchmark.hot if benchmark else None
    paced = benchmark.paced if benchmark else None
    truth, predictions = report.truth, cell.predictions
    judged = scores(predictions, truth) if predictions and truth else ()
    reached = judged[0] if judged else None
    reference = reference_of(cell, report)
    agreed = agreement(predictions, reference) if predictions and reference else None
    deviates = deviation(predictions, reference) if predictions and reference else None
    return Row(
        device=cell.device,
        model=item.model,
        backend=item.backend,
        scheme=item.scheme,
        file=item.file,
        streaming=item.streaming,
        file_bytes=item.bytes,
        parameters=item.parameters,
        load_ms=benchmark.load_ms if benchmark else None,
        first_call_ms=benchmark.first_call_ms if benchmark else None,
        p50_ms=hot.p50_ms if hot else None,
        p90_ms=hot.p90_ms if hot else None,
        p95_ms=hot.p95_ms if hot else None,
        p99_ms=hot.p99_ms if hot else None,
        mad_ms=hot.mad_ms if hot else None,
        calls_per_second=hot.per_second if hot else None,
        period_ms=benchmark.period_ms if benchmark else None,
        paced_p50_ms=paced.p50_ms if paced else None,
        paced_p95_ms=paced.p95_ms if paced else None,
        paced_p99_ms=paced.p99_ms if paced else None,
        deadlines_missed=benchmark.deadlines_missed if benchmark else None,
        duty_cycle=benchmark.duty_cycle if benchmark else None,
        peak_rss_bytes=cell.memory.peak_bytes if cell.memory else None,
        rss_of_model_bytes=cell.memory.model_bytes if cell.memory else None,
        instructions=round(median(cell.instructions)) if cell.instructions else None,
        metric=reached.metric if reached else None,
        score=reached.value if reached else None,
        score_low=reached.interval.low if reached else None,
        score_high=reached.interval.high if reached else None,
        scores=judged,
        agreement=agreed,
        deviation=deviates,
        trivial_baseline=truth.trivial if truth else None,
        linear_baseline=truth.linear if truth else None,
        trivial_baseline_name=truth.trivial_name if truth else "",
        linear_baseline_name=truth.linear_name if truth else "",
        training_s=training.seconds if training else None,
        training_to_best_s=training.seconds_to_best if training else None,
        epochs_to_best=training.epochs_to_best if training else None,
        verification=item.verification,
        runtime=_runtime(cell),
        **_conditions(cell),
        emulated=report.is_emulated(cell.device),
        unstable=", ".join(one.caution.name.lower() for one in disturbances(cell, report)) or None,
        processes=len(cell.runs),
        outcome=str(cell.outcome) if cell.outcome else MEASURED,
    )


def _conditions(cell: Cell) -> dict[str, Any]:
    """The machine before the first process and after the last one."""
    if not cell.runs:
        return {}
    before, after = cell.runs[0].before, cell.runs[-1].after
    return {
        "temperature_before_c": before.temperature_c,
        "temperature_after_c": after.temperature_c,
        "frequency_before_mhz": max(before.frequencies_mhz, default=None),
        "frequency_after_mhz": max(after.frequencies_mhz, default=None),
        "governor": ", ".join(before.governors) or None,
        "throttle_word_before": before.throttling.word if before.throttling else None,
        "throttle_word_after": after.throttling.word if after.throttling else None,
    }


def _runtime(cell: Cell) -> str | None:
    versions = cell.runs[0].versions if cell.runs else cell.versions
    return next(
        (
            f"{name} {version}"
            for name, version in versions.items()
            if name not in ("numpy", "python")
        ),
        None,
    )
