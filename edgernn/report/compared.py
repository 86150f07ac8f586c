"""A comparison for readers: the recommendation first, then the figures it follows from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, Final

import numpy as np

from edgernn.profile.report import Cell
from edgernn.selection.advice import Choice, advice, cells_of, deployed
from edgernn.selection.comparison import Comparison, Group, Standing
from edgernn.selection.contender import Contender, Equal
from edgernn.selection.sizing import TOLERANCE
from edgernn.selection.verdict import Verdict
from edgernn.units import DASH, file_size, milliseconds, seconds

#: Figures that are often told for a GRU beside an LSTM, from single trainings.
_FOLKLORE: Final = (
    ("26 % smaller", "bytes"),
    ("35 % faster", "ms"),
    ("25 % fewer epochs", "epochs"),
)


def comparison_markdown(comparison: Comparison) -> str:
    """Recommendation, tables of both groups, five questions, method.

    >>> print(comparison_markdown(verdict))
    """
    blocks = [
        f"# {' or '.join(_architectures(comparison))} on {comparison.data}?",
        recommendation(comparison),
        *(_group_block(group, comparison) for group in comparison.groups),
        "## Five questions\n\n" + "\n".join(questions(comparison)),
        "## How it was measured\n\n" + method(comparison),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def recommendation(comparison: Comparison) -> str:
    """One or two sentences."""
    found = advice(comparison)
    match found.choice:
        case Choice.NEITHER:
            return f"**Use neither**: {found.reason}."
        case Choice.UNDECIDED:
            return f"**Cannot tell from these measurements**: {found.reason}."
        case Choice.ONE:
            name = found.contender.name if found.contender else ""
            return f"**Use {name}**: {found.reason}."
        case Choice.CHEAPEST:
            name = found.contender.name if found.contender else ""
            return f"**Equal for your purpose; use {name}**: {found.reason}."


def comparison_json(comparison: Comparison) -> str:
    """All values, scores of each training included."""
    found = advice(comparison)
    entry = {
        "format": "edgernn-comparison",
        "version": 1,
        "advice": {"choice": found.choice.value, "reason": found.reason}
        | {"contender": found.contender.name if found.contender else None},
        **{
            field.name: _plain(getattr(comparison, field.name))
            for field in dataclasses.fields(comparison)
            if field.name not in {"measured", "trainings"}
        },
        "trainings": {
            contender.name: [
                _plain(dataclasses.replace(run, scores={}))
                | {"mean_scores": {form: run.score(form) for form in run.scores}}
                for run in runs
            ]
            for contender, runs in comparison.trainings.items()
        },
    }
    return json.dumps(entry, indent=1, allow_nan=False)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return value


def _architectures(comparison: Comparison) -> list[str]:
    return list(dict.fromkeys(one.contender.architecture for one in comparison.groups[0].standings))


def group_title(group: Group) -> str:
    """What its contenders have in common."""
    return {Equal.UNITS: "Equal units", Equal.BYTES: "Equal bytes"}[group.equal]


def group_table(group: Group, comparison: Comparison) -> list[list[str]]:
    """The head, then a row for each contender in each form."""
    devices = measured_devices(comparison)
    head = [
        "contender",
        "form",
        comparison.judge.name,
        "seeds differ by",
        "size",
        *(f"p50 on {device}" for device in devices),
        f"difference from {group.standings[0].contender.name}",
        "verdict",
    ]
    cells = cells_of(comparison)
    return [head, *(_row(one, comparison, cells) for one in group.standings)]


def group_note(group: Group) -> str:
    """Which contenders of a group of equal bytes are not equal."""
    if group.equal is not Equal.BYTES:
        return ""
    standings = deployed(group)
    wanted = standings[0].bytes or 0
    others = [one for one in standings if abs((one.bytes or 0) / wanted - 1) > TOLERANCE]
    return "".join(
        f"{one.contender.name} has {100 * ((one.bytes or 0) / wanted - 1):+.0f} % of the bytes: "
        "no other width comes nearer.  "
        for one in others
    ).strip()


def _group_block(group: Group, comparison: Comparison) -> str:
    head, *rows = group_table(group, comparison)
    lines = [_line(head), _line(["---"] * len(head)), *map(_line, rows)]
    note = group_note(group)
    return f"## {group_title(group)}\n\n" + "\n".join(lines) + (f"\n\n{note}" if note else "")


def _row(standing: Standing, comparison: Comparison, cells: Any) -> list[str]:
    judge = comparison.judge
    times = [
        _p50(cells.get((device, standing.contender.name, standing.form)))
        for device in measured_devices(comparison)
    ]
    return [
        standing.contender.name,
        standing.form,
        judge.text(standing.score),
        judge.amount(standing.deviation),
        file_size(standing.bytes),
        *times,
        _difference(standing.verdict, comparison),
        _verdict(standing.verdict),
    ]


def _difference(verdict: Verdict | None, comparison: Comparison) -> str:
    if verdict is None:
        return DASH
    scale = comparison.judge.scale
    low, high = (scale * bound for bound in verdict.effect.interval)
    return f"{scale * verdict.effect.estimate:+.2f} [{low:+.2f}, {high:+.2f}]"


def _verdict(verdict: Verdict | None) -> str:
    if verdict is None:
        return "reference"
    if verdict.more is None:
        return verdict.outcome.value
    return f"{verdict.outcome.value} ({verdict.more.value} would: {verdict.needed})"


def _p50(cell: Cell | None) -> str:
    return milliseconds(cell.benchmark.hot.p50_ms) if cell and cell.benchmark else DASH


def measured_devices(comparison: Comparison) -> list[str]:
    if comparison.measured is None:
        return []
    return list(dict.fromkeys(cell.device for cell in comparison.measured.cells))


def questions(comparison: Comparison) -> Iterator[str]:
    """Markdown items: what people ask before they choose, answered by measurements."""
    contenders = [one.contender for one in deployed(comparison.groups[0])]
    first, others = contenders[0], contenders[1:]
    for other in others:
        yield f"- **Resources**: {_beside(first, other, comparison)}."
    for beside in comparison.baselines:
        yield (
            f"- **Complexity**: the {beside.baseline} model without recurrence reaches "
            f"{comparison.judge.text(beside.score)}; {beside.contender.name} beside it: "
            f"{_difference(beside.verdict, comparison)} {comparison.judge.unit}, "
            f"{beside.verdict.outcome.value}."
        )
    yield (
        f"- **Amount of data**: {comparison.training_rows:,} training rows and "
        f"{comparison.test_rows:,} test rows.  Other amounts were not tried."
    )
    budget = "; ".join(_cost(contender, comparison) for contender in contenders)
    yield f"- **Budget of experiments**: {budget}."


def _beside(first: Contender, other: Contender, comparison: Comparison) -> str:
    """ "gru-128 beside lstm-128: 25 % smaller (told: 26 %), …" """
    shares = {
        "bytes": _share(_bytes(first, comparison), _bytes(other, comparison)),
        "ms": _share(_fastest(first, comparison), _fastest(other, comparison)),
        "epochs": _share(_epochs(first, comparison), _epochs(other, comparison)),
    }
    words = {"bytes": "bytes", "ms": "time of a call", "epochs": "epochs to the best"}
    parts = [f"{words[key]} {share:+.0f} %" for key, share in shares.items() if share is not None]
    text = f"{first.name} beside {other.name}: {', '.join(parts)}"
    if (first.architecture, other.architecture) == ("gru", "lstm"):
        told = ", ".join(phrase for phrase, _ in _FOLKLORE)
        text += f" (people say of a GRU: {told})"
    return text


def _share(first: float | None, other: float | None) -> float | None:
    """In percent of the other."""
    return None if first is None or not other else 100 * (first / other - 1)


def _bytes(contender: Contender, comparison: Comparison) -> float | None:
    return next(one.bytes for one in deployed(comparison.groups[0]) if one.contender == contender)


def _epochs(contender: Contender, comparison: Comparison) -> float:
    return float(np.mean([run.epochs_to_best for run in comparison.trainings[contender]]))


def _fastest(contender: Contender, comparison: Comparison) -> float | None:
    form = deployed(comparison.groups[0])[0].form
    found = [
        cell.benchmark.hot.p50_ms
        for (_, name, of), cell in cells_of(comparison).items()
        if name == contender.name and of == form and cell.benchmark
    ]
    return found[0] if found else None


def _cost(contender: Contender, comparison: Comparison) -> str:
    runs = comparison.trainings[contender]
    time, epochs = seconds(_mean_seconds(comparison, contender)), _epochs(contender, comparison)
    peak = max(run.peak_bytes for run in runs)
    return (
        f"{contender.name}: {time} a training, {epochs:.1f} epochs to the best, "
        f"{file_size(peak)} of memory"
    )


def _mean_seconds(comparison: Comparison, contender: Contender) -> float:
    return float(np.mean([run.seconds for run in comparison.trainings[contender]]))


def method(comparison: Comparison) -> str:
    """How the figures came about, in sentences."""
    seeds = [len(runs) for runs in comparison.trainings.values()]
    number = f"{min(seeds)}" if min(seeds) == max(seeds) else f"{min(seeds)} to {max(seeds)}"
    left = (
        f"  The time limit left out {comparison.left_out} trainings." if comparison.left_out else ""
    )
    return (
        f"{number} trainings of each contender, each with its own seed, weights and validation "
        f"rows; all are scored on the same {comparison.test_rows:,} test rows.  Intervals (95 %) "
        "hold the luck of both, seeds and rows; p-values are adjusted for the number of "
        f"comparisons (Holm).  A difference below {comparison.judge.amount(comparison.worth)} "
        "counts as equal.  Times are those of one training of each contender, the one with the "
        f"median score, measured when nothing was being trained.  In all: "
        f"{seconds(comparison.seconds)}.{left}"
    )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
