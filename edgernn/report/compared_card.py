"""The card: five questions that people ask before they choose, answered by measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgernn.report.compared_values import (
    contender_name,
    device_title,
    difference_text,
    marked_cells,
    measured_devices,
    p50_text,
    points_or_unit,
    without_controls,
)
from edgernn.selection.advice import cells_of, deployed
from edgernn.selection.comparison import Comparison, Standing
from edgernn.selection.contender import Contender
from edgernn.selection.folklore import Told, told
from edgernn.tasks.notation import architecture_named
from edgernn.units import DASH, count, file_size, seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was measured about one question.  Either part may be empty."""

    question: str
    table: Sequence[Sequence[str]] = ()  # the head first
    said: str = ""


def answers(comparison: Comparison) -> tuple[Answer, ...]:
    """To the five questions, in the order in which people ask them."""
    return (
        _resources(comparison),
        _lengths(comparison),
        _complexity(comparison),
        _amounts(comparison),
        _budget(comparison),
    )


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


def _resources(comparison: Comparison) -> Answer:
    standings = deployed(comparison.groups[0])
    devices = measured_devices(comparison)
    cells, unstable = cells_of(comparison), marked_cells(comparison)

    def figure(one: Standing, device: str) -> str:
        cell = cells.get((device, one.contender.name, one.form))
        if cell and not cell.benchmark and cell.instructions:
            return f"{count(max(cell.instructions))} instructions"
        return p50_text(cell, unstable)

    return Answer(
        question="Resources: what does it cost to run?",
        table=[
            [
                "contender",
                f"size, {standings[0].form}",
                *(f"a call on {device_title(one, comparison)}" for one in devices),
            ],
            *(
                [
                    contender_name(one.contender, comparison),
                    file_size(one.bytes),
                    *(figure(one, device) for device in devices),
                ]
                for one in standings
            ),
        ],
    )


def _lengths(comparison: Comparison) -> Answer:
    question = "Sequence length: does one do better on long sequences?"
    if not comparison.lengths:
        said = "All test rows have nearly the same length, so this was not compared."
        return Answer(question=question, said=said)
    first, second = (one for one, _ in comparison.lengths[0].scores[:2])
    rows = [
        [
            f"{one.least} to {one.most}",
            f"{one.rows:,}",
            *(comparison.judge.text(score) for _, score in one.scores[:2]),
            difference_text(one.difference, comparison),
        ]
        for one in comparison.lengths
    ]
    head = ["steps", "test rows", first.name, second.name, _difference(comparison)]
    return Answer(question=question, table=[head, *rows])


def _complexity(comparison: Comparison) -> Answer:
    judge = comparison.judge
    rows = [
        [
            one.contender.name,
            f"{one.baseline} model without recurrence ({judge.text(one.score)})",
            difference_text(one.verdict.effect, comparison),
            one.verdict.outcome.value,
        ]
        for one in comparison.baselines
    ]
    rows += [
        [
            one.contender.name,
            f"its control {one.control.name}",
            difference_text(one.verdict.effect, comparison),
            one.verdict.outcome.value,
        ]
        for one in comparison.mixes
    ]
    question = "Complexity: is a simpler model enough?"
    if not rows:
        said = "No model without recurrence was fitted to these answers."
        return Answer(question=question, said=f"{said}  {without_controls(comparison)}".rstrip())
    head = ["contender", "beside", _difference(comparison), "verdict"]
    return Answer(question=question, table=[head, *rows], said=without_controls(comparison))


def _amounts(comparison: Comparison) -> Answer:
    question = "Amount of data: would more rows help?"
    if not comparison.amounts:
        said = (
            f"There were {comparison.training_rows:,} training rows and "
            f"{comparison.test_rows:,} test rows; other amounts were not tried."
        )
        return Answer(question=question, said=said)
    scores = {
        (one.contender, one.rows): comparison.judge.text(float(np.mean(one.scores)))
        for one in comparison.amounts
    }
    contenders = list(dict.fromkeys(contender for contender, _ in scores))
    amounts = sorted({rows for _, rows in scores})
    rows = [
        [f"{amount:,}", *(scores.get((one, amount), DASH) for one in contenders)]
        for amount in amounts
    ]
    return Answer(
        question=question, table=[["training rows", *(one.name for one in contenders)], *rows]
    )


def _budget(comparison: Comparison) -> Answer:
    contenders = [one.contender for one in deployed(comparison.groups[0])]
    ensembles = any(len(_members(one)) > 1 for one in contenders)
    return Answer(
        question="Budget of experiments: what does a training cost?",
        table=[
            ["contender", "one training", "epochs to the best", "memory"],
            *(_cost(one, comparison) for one in contenders),
        ],
        said="The time of an ensemble is that of its members together." if ensembles else "",
    )


def _cost(contender: Contender, comparison: Comparison) -> list[str]:
    runs = comparison.trainings[contender]
    return [
        contender_name(contender, comparison),
        seconds(float(np.mean([run.seconds for run in runs]))),
        f"{np.mean([run.epochs_to_best for run in runs]):.1f}",
        file_size(max(run.peak_bytes for run in runs) or None),  # 0: not known
    ]


def _members(contender: Contender) -> tuple[str, ...]:
    return architecture_named(contender.architecture).member_names


def _difference(comparison: Comparison) -> str:
    unit = points_or_unit(comparison)
    return f"difference, {unit}" if unit else "difference"
