"""What people say about GRU and LSTM, from single trainings, beside what was measured here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgernn.profile.measure import latency_ratio
from edgernn.scoring.metric import METRICS
from edgernn.selection.advice import cells_of, deployed, unstable_cells
from edgernn.selection.comparison import Comparison
from edgernn.selection.contender import Contender
from edgernn.selection.crossed import FEWEST_SEEDS, crossed_difference
from edgernn.selection.training import ORIGINAL, row_scores
from edgernn.stats import Interval, student_quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A saying, and the same figure here; both in percent or points, in the saying's direction."""

    claim: str  # "GRU 26 % smaller"
    here: float
    unit: str  # "%" or "points"
    interval: Interval | None = None  # 95 %; None for a figure without luck
    note: str = ""  # of which file, on which device


def told(comparison: Comparison) -> tuple[Told, ...]:
    """() unless both a GRU and an LSTM were compared at equal units."""
    by_name = {one.contender.architecture: one.contender for one in comparison.groups[0].standings}
    if not {"gru", "lstm"} <= set(by_name):
        return ()
    return tuple(_told(comparison, by_name["gru"], by_name["lstm"]))


def _told(comparison: Comparison, gru: Contender, lstm: Contender) -> Iterator[Told]:
    standings = deployed(comparison.groups[0])
    form = standings[0].form
    sizes = {one.contender: one.bytes for one in standings}
    small, large = sizes[gru], sizes[lstm]
    if small and large:
        yield Told(claim="GRU 26 % smaller", here=100 * (1 - small / large), unit="%", note=form)
    cells, unstable = cells_of(comparison), unstable_cells(comparison)
    for device in dict.fromkeys(device for device, _, _ in cells):
        pair = [cells.get((device, one.name, form)) for one in (gru, lstm)]
        first, second = (cell.benchmark if cell else None for cell in pair)
        if first is not None and second is not None:
            ratio = latency_ratio(first, second)
            disturbed = any(one in unstable for one in pair)
            yield Told(
                claim="GRU 35 % faster",
                here=100 * (1 - ratio.estimate),
                unit="%",
                interval=Interval(100 * (1 - ratio.interval.high), 100 * (1 - ratio.interval.low)),
                note=f"{'unstable ' * disturbed}time of a call, {form} on {device}",
            )
    yield _epochs(comparison, gru, lstm)
    yield _score(comparison, gru, lstm)


def _epochs(comparison: Comparison, gru: Contender, lstm: Contender) -> Told:
    """The ratio of mean epochs; interval by the delta method on its logarithm."""
    a, b = (
        np.array([max(run.epochs_to_best, 1) for run in comparison.trainings[one]], np.float64)
        for one in (gru, lstm)
    )
    middle, half = math.log(a.mean() / b.mean()), 0.0
    luck_known = min(len(a), len(b)) >= FEWEST_SEEDS
    parts = [float(x.var(ddof=1)) / len(x) / float(x.mean()) ** 2 for x in (a, b) if luck_known]
    if (variance := sum(parts)) > 0:
        spread = sum(part**2 / (len(x) - 1) for part, x in zip(parts, (a, b), strict=True))
        half = student_quantile(0.975, variance**2 / spread) * math.sqrt(variance)
    low, high = (100 * (1 - math.exp(middle + side * half)) for side in (1, -1))
    return Told(
        claim="GRU 25 % fewer epochs",
        here=100 * (1 - math.exp(middle)),
        unit="%",
        interval=Interval(low, high) if luck_known else None,
        note=f"to the best epoch{_of_so_many(comparison, gru, lstm)}",
    )


def _of_so_many(comparison: Comparison, *contenders: Contender) -> str:
    """Where all trainings had as many epochs, as by a fixed schedule: none could end sooner."""
    curves = {len(run.curve) for one in contenders for run in comparison.trainings[one]}
    return f", of {curves.pop()} in each training" if len(curves) == 1 else ""


def _score(comparison: Comparison, gru: Contender, lstm: Contender) -> Told:
    metric = METRICS[comparison.metric]
    a, b = (row_scores(list(comparison.trainings[one]), ORIGINAL) for one in (lstm, gru))
    effect = crossed_difference(a, b)
    if metric.is_share:
        scale, claim, unit = metric.scale, "LSTM 0.6 points more accurate", "points"
    else:
        scale, claim, unit = -100 / float(b.mean()), "LSTM 8 % lower error in forecasting", "%"
    bounds = sorted(scale * bound for bound in effect.interval)
    return Told(
        claim=claim,
        here=scale * effect.estimate,
        unit=unit,
        interval=Interval(*bounds),
        note=f"{metric.noun} of the trained models",
    )
