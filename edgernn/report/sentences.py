"""The conclusions of a report, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from edgernn.profile.comparison import Comparison, Ranking, between_formats, between_models
from edgernn.profile.report import Cell, Noise, Report
from edgernn.report.across import sentences_across
from edgernn.report.executed import executed
from edgernn.report.heard import heard
from edgernn.scoring.metric import Metric
from edgernn.scoring.truth import Truth, score
from edgernn.stats import FEWEST_PROCESSES, Difference, Ratio
from edgernn.units import listed, percent, significant, times

#: A ratio without an interval that holds would be quoted like any other: none is given.
_UNSTABLE: Final = "times that are marked as unstable"
_TOO_FEW: Final = f"fewer than {FEWEST_PROCESSES} processes"


def sentences(report: Report) -> tuple[str, ...]:
    """Models, formats, baselines, devices against each other; and what noise hides."""
    several = len({cell.device for cell in report.cells}) > 1
    return (
        *_models(between_models(report), report.truth, with_device=several),
        *(_formats(ranking, with_device=several) for ranking in between_formats(report)),
        *_baseline(report),
        *executed(report),
        *sentences_across(report),
        *heard(report),
        *(_noise(noise) for noise in report.noise if not report.is_emulated(noise.device)),
    )


def _models(
    comparisons: Sequence[Comparison], truth: Truth | None, *, with_device: bool
) -> Iterator[str]:
    """One sentence for each format; one for all those whose speeds nobody can judge."""
    groups: dict[tuple[str, ...], list[Comparison]] = {}
    for one in comparisons:
        judged = _format(one.this, with_device=True) if one.slowness.can_be_judged else ""
        kind = _size(one.size).split(" ", 1)[-1]
        names = _model_names(one.this, one.that)
        key = (*names, judged, kind, _unjudged(one.slowness), _scored(one, truth))
        groups.setdefault(key, []).append(one)
    for group in groups.values():
        yield _compared(group, _scored(group[0], truth), with_device=with_device)


def _compared(group: list[Comparison], scored: str, *, with_device: bool) -> str:
    first = group[0]
    this, that = _model_names(first.this, first.that)
    if first.slowness.can_be_judged:
        clause = f"{this} is {_size(first.size)} {_speed(first.slowness)} {that}"
    else:
        clause = (
            f"{this} is {_size_than([one.size for one in group])} {that}, and which is faster "
            f"cannot be judged from {_unjudged(first.slowness)}"
        )
    if first.equal_units is not None:
        clause = f"At equal units ({first.equal_units}) {clause}"
    elif this.startswith("the "):
        clause = f"T{clause[1:]}"
    formats = listed([_format(one.this, with_device=with_device) for one in group])
    return f"{clause} ({formats}){scored}."


def _scored(comparison: Comparison, truth: Truth | None) -> str:
    """Of the difference of the scores: follows what is said of sizes and times."""
    if comparison.score is None or truth is None or truth.judge is None:
        return ""
    return f"; {_score(comparison.score, truth.judge)}"


def _formats(ranking: Ranking, *, with_device: bool) -> str:
    fastest = ranking.fastest
    clauses = [
        f"{_format(cell)} takes {times(ratio)} as long"
        for cell, ratio in ranking.others
        if ratio.significant
    ]
    unjudged: dict[str, list[str]] = {}
    for cell, ratio in ranking.others:
        if not ratio.can_be_judged:
            unjudged.setdefault(_unjudged(ratio), []).append(_format(cell))
    if sum(map(len, unjudged.values())) == len(ranking.others):
        every = [one for formats in unjudged.values() for one in formats]
        formats = [_format(fastest, with_device=with_device), *every]
        return (
            f"Which of {listed(formats)} is fastest for {fastest.item.model} cannot be judged from "
            f"{listed(list(unjudged))}."
        )
    for reason, formats in unjudged.items():
        clauses.append(f"{listed(formats)} cannot be judged from {reason}")
    alike = [
        _format(cell)
        for cell, ratio in ranking.others
        if ratio.can_be_judged and not ratio.significant
    ]
    if alike:
        clauses.append(
            f"{listed(alike)} {'is' if len(alike) == 1 else 'are'} not significantly slower"
        )
    best = f"{fastest.item.model} is fastest as {_format(fastest, with_device=with_device)}"
    return f"{best}; {', '.join(clauses)}."


def _baseline(report: Report) -> Iterator[str]:
    truth = report.truth
    if truth is None or truth.linear is None or truth.judge is None:
        return
    metric = truth.judge
    reached = [score(cell.predictions, truth) for cell in report.cells if cell.predictions]
    if not reached:
        return
    best = min(reached, key=lambda one: metric.loss(0.0, one.value))
    linear = f"a {truth.linear_name} reaches {metric.text(truth.linear)}"
    if metric.is_clearly_better(best.interval, than=truth.linear):
        yield f"The best network reaches {metric.text(best.value)} on {truth.name}; {linear}."
    elif metric.is_clearly_worse(best.interval, than=truth.linear):
        yield (
            f"A {truth.linear_name} is the better choice on {truth.name}: it reaches "
            f"{metric.text(truth.linear)}, the best network {metric.text(best.value)}."
        )
    else:
        yield (
            f"No network is clearly better than a {truth.linear_name} on {truth.name}: the best "
            f"reaches {metric.text(best.value)}, {linear}."
        )


def _noise(noise: Noise) -> str:
    """The result of an A/A check: how large the noise of the device is."""
    ratio = noise.ratio
    if not ratio.enough_processes:
        return f"The noise of {noise.device} cannot be judged from {_TOO_FEW}."
    said = f"Two series of {noise.file} on {noise.device} took {times(ratio)} as long"
    if ratio.significant:
        return f"{said}: the difference is noise, so smaller differences are not reliable here."
    smallest = max(0.01, *(abs(bound - 1) for bound in ratio.interval))
    return f"{said}: differences below {percent(smallest)} are within the noise here."


def _model_names(this: Cell, that: Cell) -> tuple[str, str]:
    """The kinds of cell where they differ ("the GRU"), else the models' names."""
    a, b = this.item.training, that.item.training
    if a is not None and b is not None and a.cell != b.cell:
        return f"the {a.cell.upper()}", f"the {b.cell.upper()}"
    return this.item.model, that.item.model


def _format(cell: Cell, *, with_device: bool = False) -> str:
    scheme = "" if cell.item.scheme == "unknown" else f" {cell.item.scheme}"
    device = f" on {cell.device}" if with_device else ""
    return f"{cell.item.backend}{scheme}{device}"


def _size(ratio: float) -> str:
    """Of files: 24 % smaller."""
    if 0.995 <= ratio <= 1.005:
        return "equally large"
    if ratio < 1:
        return f"{100 * (1 - ratio):.0f} % smaller"
    return f"{100 * (ratio - 1):.0f} % larger" if ratio < 2 else f"{significant(ratio)} × as large"


def _size_than(ratios: Sequence[float]) -> str:
    """Of files whose sizes differ in one way, before the other's name: 22 to 25 % smaller than."""
    texts = [_size(ratio) for ratio in sorted(ratios, reverse=True)]
    if texts[0] == "equally large":
        return "as large as"
    amount, kind = texts[-1].split(" ", 1)
    smallest = texts[0].split(" ", 1)[0]
    amounts = amount if amount == smallest else f"{smallest} to {amount}"
    return f"{amounts} {kind} {'as' if kind.endswith('large') else 'than'}"


def _unjudged(ratio: Ratio) -> str:
    """Goes after: cannot be judged from."""
    return _UNSTABLE if ratio.enough_processes else _TOO_FEW


def _speed(slowness: Ratio) -> str:
    """How fast, and than what: goes before the name of the other."""
    if slowness.significant:
        return f"and {times(slowness)} faster than"
    return f"and not significantly faster or slower ({times(slowness)}) than"


def _score(difference: Difference, metric: Metric) -> str:
    name, size = metric.noun, abs(difference.estimate)
    amount = metric.amount(size)
    chance = "" if difference.p_value is None else f" (p = {difference.p_value:.2g})"
    if size == 0:
        return f"both have the same {name}"
    if not difference.significant:
        return f"the {name} difference, {amount}, is not significant on these rows{chance}"
    more = "higher" if difference.estimate > 0 else "lower"
    return f"its {name} is {amount} {more}, which is significant on these rows{chance}"
