"""What an int8 export says: accuracy beside the float model, and what each layer costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from math import isfinite, isinf
from typing import Any, Final

from edgernn.export.fine_layers import ActivationCost, Fineness
from edgernn.export.study.labelled import Accuracy
from edgernn.export.study.sensitivity import Sensitivity
from edgernn.export.study.study import Study
from edgernn.profile.judgement import of_refit
from edgernn.report.aligned import aligned, wrapped
from edgernn.scoring.metric import METRICS
from edgernn.stats import Interval
from edgernn.units import percent, percent_interval

_NUMBERS: Final = {Fineness.SIXTEEN: "16 bits", Fineness.FLOAT: "float32"}


def accuracy_text(rows: Sequence[Accuracy], tried: Sequence[Accuracy] = ()) -> str:
    """A line for the float model and one for each artefact, for each output; `tried` is what may
    help instead.
    """
    lines: list[str] = []
    for output in dict.fromkeys(row.output for row in rows):
        lines += aligned(_accuracy_cells([row for row in rows if row.output == output], output))
    return "\n".join([*lines, *wrapped([*_verdict(rows, tried), *_refits(rows)])])


def _accuracy_cells(rows: Sequence[Accuracy], output: str) -> list[tuple[str, ...]]:
    judged = [METRICS[row.score.metric] for row in rows if row.score is not None]
    title = judged[0].name if judged else "accuracy"
    cells: list[tuple[str, ...]] = [
        (f"output '{output}'" if output else "", title, "95 % interval", "drop", "same answer")
    ]
    for row in rows:
        if row.score is None:
            cells.append((row.name, row.reason, "", "", ""))
            continue
        metric = METRICS[row.score.metric]
        value, interval = metric.text(row.score.value), metric.interval_text(row.score.interval)
        same = "" if row.agreement is None else percent(row.agreement)
        cells.append((row.name, value, interval, _drop(row), same))
    return cells


def _refits(rows: Sequence[Accuracy]) -> Iterator[str]:
    for refit in dict.fromkeys(row.refit for row in rows if row.refit is not None):
        yield from (one.sentence for one in of_refit(refit))


def _verdict(rows: Sequence[Accuracy], tried: Sequence[Accuracy]) -> Iterator[str]:
    """Whether what was lost is statistically significant, and what was tried then."""
    lost = [f"{row.name} ({row.output})" if row.output else row.name for row in rows if row.lost]
    if lost:
        yield f"Statistically significant: {', '.join(lost)}."
        for one in tried:
            yield (
                f"On the same rows, {one.name} drops by {_drop(one)}"
                f"{', which is significant, too' if one.lost else ', which is not significant'}"
                " (by the reference; nothing was written)."
            )
    elif any(row.drop is not None for row in rows):
        yield "No drop is statistically significant on these rows."


def sensitivity_text(costs: Sensitivity) -> str:
    """What each layer does to the outputs when it alone is quantized, and what to try."""
    cells = [("layer", "arithmetic", "input range", "own SNR", "outputs' SNR", "clamped")]
    cells += [
        (
            f"{cost.layer} ({cost.kind})",
            cost.arithmetic,
            f"{cost.input_low:.3g} to {cost.input_high:.3g}",
            _decibel(cost.layer_snr_db),
            _decibel(cost.output_snr_db),
            ", ".join(
                f"{place} {percent(share, 2)}" for place, share in cost.clamped.items() if share
            )
            or "nothing",
        )
        for cost in costs.layers
    ]
    return "\n".join([*aligned(cells), *wrapped(_conclusions(costs))])


def activations_text(costs: Mapping[str, Sequence[ActivationCost]]) -> str:
    """What the 8-bit activations of each format add to the noise of weights, and what was chosen.

    >>> print(activations_text(made.study.activations))
    """
    cells = [("layer", "weights", *(f"activations, {name}" for name in costs))]
    for rows in zip(*costs.values(), strict=True):
        given = (
            _decibel(row.activations_snr_db)
            + ("" if row.chosen is Fineness.EIGHT else f" → {_NUMBERS[row.chosen]}")
            + (" (too coarse)" if row.coarse_by else "")
            for row in rows
        )
        cells.append(
            (f"{rows[0].layer} ({rows[0].kind})", _decibel(rows[0].weights_snr_db), *given)
        )
    coarse = any(row.chosen is not Fineness.EIGHT for rows in costs.values() for row in rows)
    said = (
        "SNR at the outputs: of a layer's rounded weights alone, and of what rounding its "
        "activations adds in each format."
    )
    if coarse:
        said += " Behind an arrow: the finer activations that the layer has there instead."
    return "\n".join([*aligned(cells), *wrapped([said])])


def _conclusions(costs: Sensitivity) -> Iterator[str]:
    worst = costs.costliest
    if worst is not None:
        same = (
            ""
            if costs.agreement is None
            else f", same answer in {percent(costs.agreement)} of them"
        )
        yield (
            "SNR is the spread of an output over quantization noise, of the layer's own output and "
            "of the model's with this layer alone quantized: at 20 dB noise is a tenth of the "
            "spread, at 40 dB a hundredth."
        )
        yield (
            "This is the integer arithmetic of native files; the check of each file says what "
            "its own runtime makes of it. "
            f"All layers together: {_decibel(costs.output_snr_db)} at the outputs over "
            f"{costs.samples} samples{same}; '{worst.layer}' costs most."
        )
    yield from costs.advice
    yield from costs.notes


def _decibel(value: float) -> str:
    return "exact" if isinf(value) else f"{value:.0f} dB"


def _drop(row: Accuracy) -> str:
    """How much worse than the float model: 0.3 points [-0.1, 0.7], or 1.2 % [0.8, 1.5]."""
    if row.drop is None or row.score is None:
        return ""
    metric = METRICS[row.score.metric]
    before = row.score.value + row.drop.estimate  # the float model's
    if metric.is_share or before == 0:
        scale, size = 1.0, metric.amount(row.loss)
        text = metric.interval_text
    else:
        scale, size = 1 / abs(before), percent(row.loss / abs(before))
        text = percent_interval
    if row.drop.interval is None:
        return size
    low, high = sorted(scale * metric.loss(end, 0.0) for end in row.drop.interval)
    return f"{size} {text(Interval(low, high))}"


def study_texts(study: Study) -> Iterator[str]:
    """The tables that there are."""
    if study.accuracies:
        yield accuracy_text(study.accuracies, study.tried)
    if study.costs is not None and study.costs.layers:
        yield sensitivity_text(study.costs)
    if study.activations:
        yield activations_text(study.activations)
    if study.headroom:
        yield "\n".join(wrapped([study.headroom]))
    if study.kept_int8:
        yield "\n".join(wrapped([f"In int8, the others in int4: {', '.join(study.kept_int8)}."]))
    if study.kept_float:
        yield "\n".join(wrapped([f"In float32: {', '.join(study.kept_float)}."]))


def study_as_json(study: Study) -> dict[str, Any]:
    """The same for machines; a ratio that is infinite (no noise) is null."""
    return {
        "accuracy": [_finite(asdict(row)) for row in study.accuracies],
        "activations": {
            name: [_finite(_of_cost(cost)) for cost in costs]
            for name, costs in study.activations.items()
        },
        "quantization": None if study.costs is None else _finite(asdict(study.costs)),
    }


def _of_cost(cost: ActivationCost) -> dict[str, Any]:
    return {
        "layer": cost.layer,
        "kind": cost.kind,
        "weights_snr_db": cost.weights_snr_db,
        "activations_snr_db": cost.activations_snr_db,
        "chosen": cost.chosen.value,
    }


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not isfinite(value) else value
