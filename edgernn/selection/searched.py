"""The result of a search as values: the winner, measured, beside everything that was tried."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgernn.profile.measure import Benchmark
from edgernn.profile.report import Cell, Report
from edgernn.scoring.metric import METRICS, Metric
from edgernn.scoring.truth import Score, score
from edgernn.selection.candidates import Budget
from edgernn.selection.wanted import Chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What was found, and whether it holds the budget.

    measured: of the winner's file on the device, with the test rows; with the validation rows
        where no candidate holds the score and the time: the test stays unseen for a search that
        goes on.
    """

    data: str
    metric: str  # a name of METRICS
    budget: Budget
    device: str
    chosen: Chosen
    file: Path  # of the winner
    measured: Report
    seconds: float
    fastest: bool = False  # what was looked for, instead of the smallest

    @property
    def judge(self) -> Metric:
        """The metric's row."""
        return METRICS[self.metric]

    @property
    def cell(self) -> Cell:
        """Of the winner."""
        return self.measured.cells[0]

    @property
    def test(self) -> Score | None:
        """On the test rows, which nothing before had seen; None where they were not opened."""
        if not self.chosen.opens_test:
            return None
        if self.cell.predictions is None or self.measured.truth is None:
            return None
        return score(self.cell.predictions, self.measured.truth)

    @property
    def benchmark(self) -> Benchmark | None:
        """The winner's times: those that it was chosen for, where the budget limits them."""
        return self.chosen.timed or self.cell.benchmark

    @property
    def p95_ms(self) -> float | None:
        """Measured, of the hot loop."""
        return self.benchmark.hot.p95_ms if self.benchmark else None

    @property
    def missed(self) -> tuple[str, ...]:
        """Which limits the winner does not hold: "score", "bytes", "p95"; () where it holds all."""
        budget, found = self.budget, []
        unopened = self.chosen.reached and not self.chosen.opens_test  # it misses another limit
        if not unopened and (self.test is None or not budget.reached_by(self.test.value)):
            found.append("score")
        if budget.max_bytes is not None and self.cell.item.bytes > budget.max_bytes:
            found.append("bytes")
        if budget.p95_ms is not None and (self.p95_ms is None or self.p95_ms > budget.p95_ms):
            found.append("p95")
        return tuple(found)
