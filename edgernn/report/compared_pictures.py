"""The pictures of a comparison: costs, differences, seeds, learning curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edgernn.report.compared_values import group_title, measured_devices, points_or_unit
from edgernn.report.curves import COLOURS, curves_plot
from edgernn.report.scatter import Point, scatter_plot
from edgernn.report.svg import Spread, linear_scale, spread_plot
from edgernn.selection.advice import cells_of, deployed
from edgernn.selection.comparison import Comparison, Standing
from edgernn.stats import student_quantile

#: The interval of two seeds is so wide that nothing else would be seen beside it.
_FEWEST_FOR_A_LINE: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An <svg>, its title, and a sentence on how to read it."""

    name: str  # of its file, without suffix
    title: str
    svg: str
    caption: str = ""


def pictures(comparison: Comparison) -> Iterator[Picture]:
    """Score against size and time, differences, seeds, learning curves."""
    yield from _against_costs(comparison)
    differences = list(_differences(comparison))
    if differences:
        judge = comparison.judge
        worth = judge.scale * comparison.worth
        bounds = [bound for one in differences for bound in (one.low, one.high)]
        scale = linear_scale([*bounds, -worth, worth], least=-np.inf, most=np.inf)
        first = comparison.groups[0].standings[0]
        yield Picture(
            name="differences",
            title=f"Differences from {first.contender.name}",
            svg=spread_plot(
                differences,
                scale,
                title=f"Differences from {first.contender.name}",
                unit=points_or_unit(comparison),
                band=(-worth, worth),
            ),
            caption=f"Bar: 95 % interval ({deployed(comparison.groups[0])[0].form}).  "
            f"Green: differences below {judge.amount(comparison.worth)}, which count as equal.",
        )
    yield Picture(
        name="seeds",
        title="Seeds",
        svg=_seeds(_all_deployed(comparison), comparison),
        caption="Dots: single trainings.  Bar: from the least to the largest.  Line: mean.",
    )
    yield from _curves(comparison)


def _against_costs(comparison: Comparison) -> Iterator[Picture]:
    standings = _all_deployed(comparison)
    form = standings[0].form
    few = any(len(one.scores) < _FEWEST_FOR_A_LINE for one in standings)
    caption = (
        f"Line: 95 % interval of the mean over seeds{', of 3 seeds or more' * few}.  Dim: another "
        "is no larger and no worse."
    )
    sizes = [_point(one, (one.bytes or 0) / 1e3, comparison) for one in standings]
    yield Picture(
        name="score-bytes",
        title="Score against size",
        svg=_scatter(sizes, comparison, f"KB ({form})", "Score against bytes of the file"),
        caption=caption,
    )
    cells = cells_of(comparison)
    for device in measured_devices(comparison):
        timed = [
            _point(one, cell.benchmark.hot.p50_ms, comparison)
            for one in standings
            if (cell := cells.get((device, one.contender.name, one.form))) and cell.benchmark
        ]
        if timed:
            title = f"Score against time on {device}"
            yield Picture(
                name=f"score-time-{device.replace('/', '_')}",
                title=title,
                svg=_scatter(timed, comparison, f"ms a call, p50 ({form})", title),
            )


def _scatter(points: Sequence[Point], comparison: Comparison, cost: str, title: str) -> str:
    judge = comparison.judge
    return scatter_plot(
        points,
        title=title,
        cost=cost,
        score=judge.unit,
        higher_is_better=judge.higher_is_better,
        least=0.0,
        most=judge.scale * judge.largest,
    )


def _differences(comparison: Comparison) -> Iterator[Spread]:
    scale = comparison.judge.scale
    several = len(comparison.groups) > 1
    for group in comparison.groups:
        for one in deployed(group):
            if one.verdict is None:
                continue
            effect = one.verdict.effect
            title = f", {group_title(group).lower()}" if several else ""
            yield Spread(
                name=f"{one.contender.name}{title}: {one.verdict.outcome.value}",
                low=scale * effect.interval.low,
                middle=scale * effect.estimate,
                high=scale * effect.interval.high,
                figure=f"{scale * effect.estimate:+.2f}",
            )


def _seeds(standings: Sequence[Standing], comparison: Comparison) -> str:
    judge = comparison.judge
    spreads = [
        Spread(
            name=one.contender.name,
            low=judge.scale * min(one.scores),
            middle=judge.scale * one.score,
            high=judge.scale * max(one.scores),
            dots=tuple(judge.scale * score for score in one.scores),
        )
        for one in standings
    ]
    values = [value for one in spreads for value in (one.low, one.high)]
    scale = linear_scale(values, least=0.0, most=judge.scale * judge.largest)
    return spread_plot(spreads, scale, title="Scores of single trainings", unit=judge.unit)


def _curves(comparison: Comparison) -> Iterator[Picture]:
    standings = deployed(comparison.groups[0])
    of_all = [one.contender for one in standings]
    # Ensembles have no curve of their own.
    trained = [one for one in of_all if any(run.curve for run in comparison.trainings[one])]
    contenders = trained[:COLOURS]
    curves = {
        one.name: [
            [epoch.validation_loss for epoch in run.curve] for run in comparison.trainings[one]
        ]
        for one in contenders
    }
    if any(line for lines in curves.values() for line in lines):
        yield Picture(
            name="learning-curves",
            title="Learning curves",
            svg=curves_plot(
                curves, title="Validation loss by epoch", along="epoch", upwards="validation loss"
            ),
            caption="A line for each training; each has its own validation rows.",
        )


def _all_deployed(comparison: Comparison) -> list[Standing]:
    found = [one for group in comparison.groups for one in deployed(group)]
    return list({one.contender: one for one in found}.values())


def _point(standing: Standing, cost: float, comparison: Comparison) -> Point:
    """Its score with the 95 % interval of the mean over seeds."""
    scale, seeds = comparison.judge.scale, len(standing.scores)
    half = 0.0
    if standing.deviation is not None and seeds >= _FEWEST_FOR_A_LINE:
        half = student_quantile(0.975, seeds - 1) * standing.deviation / np.sqrt(seeds)
    middle = standing.score
    return Point(
        name=standing.contender.name,
        cost=cost,
        score=scale * middle,
        low=scale * max(middle - half, 0.0),
        high=scale * min(middle + half, comparison.judge.largest),
    )
