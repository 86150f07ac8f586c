"""Compares cells, and chooses which cells are comparable."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from edgernn.profile.judgement import disturbances
from edgernn.profile.measure import latency_ratio
from edgernn.profile.report import Cell, Report
from edgernn.scoring.truth import difference
from edgernn.stats import Difference, Ratio, holm

#: p-values by the devices and files of both cells.
Adjusted = Mapping[frozenset[tuple[str, str]], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two cells.  `this` is the faster one or, without a significant difference, the smaller."""

    this: Cell
    that: Cell
    slowness: Ratio  # time of that over time of this
    size: float  # bytes of this over bytes of that
    score: Difference | None  # of this minus of that

    @property
    def equal_units(self) -> int | None:
        """The units of both models, if both have equally many units and layers."""
        a, b = self.this.item.training, self.that.item.training
        if a is None or b is None or (a.units, a.layers) != (b.units, b.layers):
            return None
        return a.units


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """One model on one device: its fastest format, and how much slower the others are."""

    fastest: Cell
    others: tuple[tuple[Cell, Ratio], ...]  # time of the other over time of the fastest


def between_models(report: Report) -> tuple[Comparison, ...]:
    """Different models in the same format on the same device: the fastest against each other.

    Only models for the same task: it means nothing that a keyword spotter is faster than a
    language model.
    """
    adjusted = _adjusted(report)
    return tuple(
        compared(fastest, other, report, adjusted)
        for group in _groups(report, format_key)
        for fastest, *others in doing_the_same(group)
        for other in others
        if fastest.item.model != other.item.model
    )


def between_formats(report: Report) -> tuple[Ranking, ...]:
    """The formats of each model on each device, if there are several."""
    adjusted = _adjusted(report)
    return tuple(
        Ranking(
            fastest=fastest,
            others=tuple((other, _slowness(fastest, other, report, adjusted)) for other in others),
        )
        for fastest, *others in _groups(report, _model_key)
        if others
    )


def doing_the_same(cells: list[Cell]) -> Iterator[list[Cell]]:
    """Groups of cells whose models have the same task, as far as that is known."""
    while cells:
        first, *_ = cells
        same = [cell for cell in cells if _same_job(first, cell)]
        yield same
        cells = [cell for cell in cells if cell not in same]


def compared(a: Cell, b: Cell, report: Report, adjusted: Adjusted | None = None) -> Comparison:
    """Two cells, their p-value adjusted for all comparisons of the report.

    Raises IncomparableRuns if the two were measured under different conditions.
    """
    adjusted = _adjusted(report) if adjusted is None else adjusted
    slowness = _slowness(a, b, report, adjusted)
    b_is_faster = slowness.significant and slowness.estimate < 1
    b_is_smaller = not slowness.significant and a.item.bytes > b.item.bytes
    if b_is_faster or b_is_smaller:
        a, b = b, a
        slowness = _slowness(a, b, report, adjusted)
    return Comparison(
        this=a,
        that=b,
        slowness=slowness,
        size=a.item.bytes / b.item.bytes,
        score=difference(a.predictions, b.predictions, report.truth)
        if report.truth and report.truth.judge and a.predictions and b.predictions
        else None,
    )


def _slowness(faster: Cell, slower: Cell, report: Report, adjusted: Adjusted) -> Ratio:
    ratio = _ratio(faster, slower)
    return replace(
        ratio,
        p_value=adjusted.get(_pair(faster, slower), ratio.p_value),
        stable=not (disturbances(faster, report) or disturbances(slower, report)),
    )


def _ratio(faster: Cell, slower: Cell) -> Ratio:
    a, b = faster.benchmark, slower.benchmark
    if a is None or b is None:
        raise ValueError("only cells with runs are compared")
    return latency_ratio(b, a)


def _adjusted(report: Report) -> Adjusted:
    """The p-values of all pairs that could be compared, for testing them all.

    All of a group, not only those with its fastest: which one is fastest is itself decided by these
    times, and the smallest of many equal figures lies below the others by chance.
    """
    pairs: dict[frozenset[tuple[str, str]], float] = {}
    for group in (*_groups(report, format_key), *_groups(report, _model_key)):
        for a, b in itertools.combinations(group, 2):
            if _pair(a, b) not in pairs:
                p_value = _ratio(a, b).p_value
                pairs[_pair(a, b)] = 1.0 if p_value is None else p_value
    return dict(zip(pairs, holm(list(pairs.values())), strict=True))


def _pair(a: Cell, b: Cell) -> frozenset[tuple[str, str]]:
    return frozenset({(a.device, a.item.file), (b.device, b.item.file)})


def format_key(cell: Cell) -> tuple[str, ...]:
    """The facts that comparable models share: device, format, scheme and shapes of inputs."""
    item = cell.item
    return (cell.device, item.backend, item.scheme, str(item.streaming), fed(cell))


def _model_key(cell: Cell) -> tuple[str, ...]:
    item = cell.item
    return (cell.device, item.model, item.source_sha256 or "", str(item.streaming), fed(cell))


def fed(cell: Cell) -> str:
    """The shapes of the arguments that were timed; their names are each model's own."""
    return str(sorted(str(shape) for _, shape in cell.shapes))


def _same_job(a: Cell, b: Cell) -> bool:
    tasks = {cell.item.training.task for cell in (a, b) if cell.item.training is not None}
    outputs = {cell.item.outputs for cell in (a, b)}
    return len(tasks - {None}) < 2 and len(outputs - {None}) < 2


def _groups(report: Report, key: Callable[[Cell], tuple[str, ...]]) -> Iterator[list[Cell]]:
    """Timed cells of real machines that share a key, the fastest first, in the report's order."""
    timed = [cell for cell in report.cells if cell.runs and not report.is_emulated(cell.device)]
    for wanted in dict.fromkeys(key(cell) for cell in timed):
        yield sorted((cell for cell in timed if key(cell) == wanted), key=_median_ms)


def _median_ms(cell: Cell) -> float:
    benchmark = cell.benchmark
    return benchmark.hot.p50_ms if benchmark else float("inf")
