"""Which cells are worth comparing, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

from edgernn.accuracy import difference
from edgernn.measure import latency_ratio
from edgernn.report.report import Cell, Report
from edgernn.stats import Difference, Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The faster cell beside a slower one."""

    faster: Cell
    slower: Cell
    speed: Ratio  # time of the slower over time of the faster: at least 1
    size: float  # bytes of the faster over bytes of the slower
    score: Difference | None  # of the faster minus of the slower

    @property
    def equal_units(self) -> int | None:
        """The units of both models, if they were trained with as many and as many layers."""
        a, b = self.faster.item.training, self.slower.item.training
        if a is None or b is None or (a.units, a.layers) != (b.units, b.layers):
            return None
        return a.units


def between_models(report: Report) -> tuple[Comparison, ...]:
    """Different models in the same format on the same device: the fastest against each other."""
    return tuple(
        comparison
        for comparison in _within(report, _format_key)
        if comparison.faster.item.model != comparison.slower.item.model
    )


def between_formats(report: Report) -> tuple[Comparison, ...]:
    """The same model in different formats on the same device: the fastest against each other."""
    return tuple(_within(report, _model_key))


def _format_key(cell: Cell) -> tuple[str, ...]:
    item = cell.item
    return (cell.device, item.backend, item.scheme, str(item.streaming))


def _model_key(cell: Cell) -> tuple[str, ...]:
    item = cell.item
    return (cell.device, item.model, item.source_sha256 or "", str(item.streaming))


def _within(report: Report, key: Callable[[Cell], tuple[str, ...]]) -> Iterator[Comparison]:
    timed = sorted((cell for cell in report.cells if cell.runs), key=key)
    for _, group in groupby(timed, key=key):
        fastest, *others = sorted(group, key=_median_ms)
        for other in others:
            yield _compared(fastest, other, report)


def _median_ms(cell: Cell) -> float:
    benchmark = cell.benchmark
    return benchmark.hot.p50_ms if benchmark else float("inf")


def _compared(faster: Cell, slower: Cell, report: Report) -> Comparison:
    a, b, truth = faster.benchmark, slower.benchmark, report.truth
    if a is None or b is None:
        raise ValueError("only cells with runs are compared")
    both = truth and faster.predictions and slower.predictions
    return Comparison(
        faster=faster,
        slower=slower,
        speed=latency_ratio(b, a),
        size=faster.item.bytes / slower.item.bytes,
        score=difference(faster.predictions, slower.predictions, truth)
        if both and truth and faster.predictions and slower.predictions
        else None,
    )
