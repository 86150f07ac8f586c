"""The card: five questions that people ask before they choose, answered by measurements."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edgernn.report.compared_values import (
    difference_text,
    measured_devices,
    p50_text,
    points_or_unit,
)
from edgernn.selection.advice import cells_of, deployed, unstable_cells
from edgernn.selection.comparison import Comparison
from edgernn.selection.contender import Contender
from edgernn.selection.folklore import Told, told
from edgernn.units import count, file_size, seconds


def questions(comparison: Comparison) -> Iterator[str]:
    """Markdown items."""
    yield f"- **Resources**: {_resources(comparison)}."
    yield f"- **Sequence length**: {_lengths(comparison)}."
    yield f"- **Complexity**: {_complexity(comparison)}."
    yield f"- **Amount of data**: {_amounts(comparison)}."
    contenders = [one.contender for one in deployed(comparison.groups[0])]
    budget = "; ".join(_cost(contender, comparison) for contender in contenders)
    yield f"- **Budget of experiments**: {budget}."


def folklore_rows(comparison: Comparison) -> list[list[str]]:
    """The head, then a row for each saying; [] where there is none about these contenders."""
    found = told(comparison)
    if not found:
        return []
    return [["people say", "here", "of"], *([one.claim, _here(one), one.note] for one in found)]


def _here(one: Told) -> str:
    if one.interval is None:
        return f"{one.here:.0f} {one.unit}"
    digits = 0 if one.unit == "%" else 1
    low, high = (f"{bound:.{digits}f}" for bound in one.interval)
    return f"{one.here:.{digits}f} {one.unit} [{low}, {high}]".replace("-", "−")


def _resources(comparison: Comparison) -> str:
    standings = deployed(comparison.groups[0])
    devices = measured_devices(comparison)
    cells, unstable = cells_of(comparison), unstable_cells(comparison)
    parts = []
    for one in standings:
        figures = [file_size(one.bytes)]
        for device in devices:
            cell = cells.get((device, one.contender.name, one.form))
            if cell and cell.benchmark:
                figures.append(f"{p50_text(cell, unstable)} on {device}")
            elif cell and cell.instructions:
                figures.append(f"{count(max(cell.instructions))} instructions on {device}")
        parts.append(f"{one.contender.name} {', '.join(figures)}")
    return f"{standings[0].form}: " + "; ".join(parts)


def _lengths(comparison: Comparison) -> str:
    if not comparison.lengths:
        return "all test rows have nearly the same length, so it was not compared"
    parts = []
    for one in comparison.lengths:
        first, second = one.scores[:2]
        text = comparison.judge.text
        parts.append(
            f"{one.least} to {one.most} steps ({one.rows:,} rows): {first[0].name} "
            f"{text(first[1])}, {second[0].name} {text(second[1])}, difference "
            f"{difference_text(one.difference, comparison)}"
        )
    return "; ".join(parts)


def _complexity(comparison: Comparison) -> str:
    judge = comparison.judge
    parts = [
        f"the {one.baseline} model without recurrence reaches {judge.text(one.score)}; "
        f"{one.contender.name} beside it {difference_text(one.verdict.effect, comparison)} "
        f"{points_or_unit(comparison)}, {one.verdict.outcome.value}"
        for one in comparison.baselines
    ]
    parts += [
        f"{one.contender.name} beside its control {one.control.name}: "
        f"{difference_text(one.verdict.effect, comparison)}, {one.verdict.outcome.value}"
        for one in comparison.mixes
    ]
    return "; ".join(parts) or "no model without recurrence was fitted to these answers"


def _amounts(comparison: Comparison) -> str:
    text = comparison.judge.text
    by_contender: dict[Contender, list[str]] = {}
    for one in comparison.amounts:
        said = f"{text(float(np.mean(one.scores)))} with {one.rows:,} rows"
        by_contender.setdefault(one.contender, []).append(said)
    if not by_contender:
        return (
            f"{comparison.training_rows:,} training rows and {comparison.test_rows:,} test rows; "
            "other amounts were not tried"
        )
    return "; ".join(f"{one.name} {', '.join(said)}" for one, said in by_contender.items())


def _cost(contender: Contender, comparison: Comparison) -> str:
    runs = comparison.trainings[contender]
    time = seconds(float(np.mean([run.seconds for run in runs])))
    epochs = float(np.mean([run.epochs_to_best for run in runs]))
    peak = max(run.peak_bytes for run in runs)
    memory = f", {file_size(peak)} of memory" if peak else ""  # 0: not known
    return f"{contender.name} {time} a training, {epochs:.1f} epochs to the best{memory}"
