"""What a person would say about a report."""

from __future__ import annotations

from collections.abc import Iterator

from edgernn.accuracy import Metric, Truth, score
from edgernn.report.comparison import Comparison, between_formats, between_models
from edgernn.report.report import Cell, Report
from edgernn.report.units import percent, significant, times
from edgernn.stats import FEWEST_PROCESSES, Difference, Ratio


def sentences(report: Report) -> tuple[str, ...]:
    """Models against each other, formats against each other, and all of them against baselines."""
    return (
        *(_models(comparison, report.truth) for comparison in between_models(report)),
        *(_formats(comparison) for comparison in between_formats(report)),
        *_baseline(report),
    )


def _models(comparison: Comparison, truth: Truth | None) -> str:
    faster, slower = comparison.faster, comparison.slower
    units = comparison.equal_units
    this, that = _model_names(faster, slower)
    clause = f"{this} is {_size(comparison.size)} {_speed(comparison.speed)} {that}"
    if units is not None:
        clause = f"at equal units ({units}) {clause}"
    parts = [f"{_upper(clause)} ({_format(faster)})"]
    if comparison.score is not None and truth is not None:
        parts.append(_score(comparison.score, truth.metric))
    return "; ".join(parts) + "."


def _formats(comparison: Comparison) -> str:
    faster, slower = comparison.faster, comparison.slower
    size, speed = _size(comparison.size), _speed(comparison.speed)
    return f"{faster.item.model}: {_format(faster)} is {size} {speed} {_format(slower)}."


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


def _model_names(faster: Cell, slower: Cell) -> tuple[str, str]:
    """The kinds of cell where they tell the two apart ("the GRU"), else the models' names."""
    a, b = faster.item.training, slower.item.training
    if a is not None and b is not None and a.cell != b.cell:
        return f"the {a.cell.upper()}", f"the {b.cell.upper()}"
    return faster.item.model, slower.item.model


def _format(cell: Cell) -> str:
    scheme = "" if cell.item.scheme == "unknown" else f" {cell.item.scheme}"
    return f"{cell.item.backend}{scheme} on {cell.device}"


def _size(ratio: float) -> str:
    """ "24 % smaller", of files."""
    if 0.995 <= ratio <= 1.005:
        return "equally large"
    if ratio < 1:
        return f"{100 * (1 - ratio):.0f} % smaller"
    return f"{100 * (ratio - 1):.0f} % larger" if ratio < 2 else f"{significant(ratio)} × as large"


def _speed(ratio: Ratio) -> str:
    if ratio.significant:
        return f"and {times(ratio)} × faster than"
    if not ratio.enough_processes:
        figure = f"{ratio.estimate:.2f} × faster"
        return f"and {figure} (in fewer than {FEWEST_PROCESSES} processes: no verdict) than"
    return f"and not significantly faster ({times(ratio)} ×) than"


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


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
