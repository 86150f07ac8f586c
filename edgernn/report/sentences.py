"""What a person would say about a report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edgernn.accuracy import Metric, Truth, score
from edgernn.report.across import sentences_across
from edgernn.report.comparison import Comparison, Ranking, between_formats, between_models
from edgernn.report.executed import executed
from edgernn.report.report import Cell, Noise, Report
from edgernn.report.units import listed, percent, significant, times
from edgernn.stats import FEWEST_PROCESSES, Difference, Ratio

_NO_VERDICT: Final = f"(fewer than {FEWEST_PROCESSES} processes: no verdict)"


def sentences(report: Report) -> tuple[str, ...]:
    """Models, formats, baselines, devices against each other; and what noise hides."""
    several = len({cell.device for cell in report.cells}) > 1
    return (
        *(_models(one, report.truth, with_device=several) for one in between_models(report)),
        *(_formats(ranking, with_device=several) for ranking in between_formats(report)),
        *_baseline(report),
        *executed(report),
        *sentences_across(report),
        *(_noise(noise) for noise in report.noise if not report.is_emulated(noise.device)),
    )


def _models(comparison: Comparison, truth: Truth | None, *, with_device: bool) -> str:
    this, that = _model_names(comparison.this, comparison.that)
    clause = f"{this} is {_size(comparison.size)} {_speed(comparison.slowness)} {that}"
    if comparison.equal_units is not None:
        clause = f"At equal units ({comparison.equal_units}) {clause}"
    elif this.startswith("the "):
        clause = f"T{clause[1:]}"
    parts = [f"{clause} ({_format(comparison.this, with_device=with_device)})"]
    if comparison.score is not None and truth is not None:
        parts.append(_score(comparison.score, truth.metric))
    return "; ".join(parts) + "."


def _formats(ranking: Ranking, *, with_device: bool) -> str:
    fastest = ranking.fastest
    clauses = [
        f"{_format(cell)} takes {times(ratio)} × as long"
        for cell, ratio in ranking.others
        if ratio.significant
    ]
    clauses += [
        f"{_format(cell)} took {ratio.estimate:.2f} × as long {_NO_VERDICT}"
        for cell, ratio in ranking.others
        if not ratio.enough_processes
    ]
    alike = [
        _format(cell)
        for cell, ratio in ranking.others
        if ratio.enough_processes and not ratio.significant
    ]
    if alike:
        clauses.append(
            f"{listed(alike)} {'is' if len(alike) == 1 else 'are'} not significantly slower"
        )
    best = f"{fastest.item.model} is fastest as {_format(fastest, with_device=with_device)}"
    return f"{best}; {', '.join(clauses)}."


def _baseline(report: Report) -> Iterator[str]:
    truth = report.truth
    if truth is None or truth.linear is None or truth.metric is not Metric.ACCURACY:
        return
    reached = [score(cell.predictions, truth) for cell in report.cells if cell.predictions]
    if not reached:
        return
    best = max(reached, key=lambda one: one.value)
    linear = f"a linear model reaches {percent(truth.linear)}"
    if best.interval.low > truth.linear:
        yield f"The best network reaches {percent(best.value)} on {truth.name}; {linear}."
    else:
        yield (
            f"No network is clearly better than a linear model on {truth.name}: the best reaches "
            f"{percent(best.value)}, {linear}."
        )


def _noise(noise: Noise) -> str:
    """What an A/A check says: how small a difference this device can tell."""
    ratio = noise.ratio
    said = f"Two series of {noise.file} on {noise.device} took {times(ratio)} × as long"
    if not ratio.enough_processes:
        return f"{said} {_NO_VERDICT}."
    if ratio.significant:
        return f"{said}: a difference where there is none, so trust no smaller one here."
    smallest = max(0.01, *(abs(bound - 1) for bound in ratio.interval))
    return f"{said}: differences below {percent(smallest)} cannot be told here."


def _model_names(this: Cell, that: Cell) -> tuple[str, str]:
    """The kinds of cell where they tell the two apart ("the GRU"), else the models' names."""
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


def _speed(slowness: Ratio) -> str:
    """How fast, and than what: goes before the name of the other."""
    if slowness.significant:
        return f"and {times(slowness)} × faster than"
    if not slowness.enough_processes:
        figure = f"{slowness.estimate:.2f} × as fast"
        return f"and {figure} {_NO_VERDICT} as"
    return f"and not significantly faster or slower ({times(slowness)} ×) than"


def _score(difference: Difference, metric: Metric) -> str:
    name = "accuracy" if metric is Metric.ACCURACY else "error"
    size = abs(difference.estimate)
    amount = f"{100 * size:.1f} points" if metric is Metric.ACCURACY else significant(size)
    chance = "" if difference.p_value is None else f" (p = {difference.p_value:.2g})"
    if size == 0:
        return f"both have the same {name}"
    if not difference.significant:
        return f"the {name} difference, {amount}, is not significant{chance}"
    more = "higher" if difference.estimate > 0 else "lower"
    return f"its {name} is {amount} {more}, which is significant{chance}"
