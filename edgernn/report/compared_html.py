"""A comparison as one HTML file that needs no network: recommendation, pictures, tables, method."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from edgernn.report.compared import (
    group_note,
    group_table,
    group_title,
    measured_devices,
    method,
    questions,
    recommendation,
)
from edgernn.report.scatter import Point, scatter_plot
from edgernn.report.svg import Spread, linear_scale, spread_plot
from edgernn.report.xml import element, escaped
from edgernn.selection.advice import cells_of, deployed
from edgernn.selection.comparison import Comparison, Group, Standing
from edgernn.stats import student_quantile

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --bar: #4a90d9; --mark: #d9534a; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 64rem; margin: 1.5rem auto;
  padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap;
  font-size: .9rem; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: left; }
.said { font-size: 1.2rem; border-left: 4px solid var(--bar); padding-left: .8rem; }
svg { width: 100%; max-width: 44rem; font: 12px system-ui, sans-serif; fill: currentColor; }
.grid { stroke: var(--line); } .tick, .figure { opacity: .7; }
rect.bar { fill: var(--bar); opacity: .45; }
line.bar { stroke: var(--bar); stroke-width: 2; opacity: .5; } .dot { fill: var(--bar); }
.middle { stroke: var(--mark); stroke-width: 2; }
.beaten { opacity: .4; }
"""


def comparison_html(comparison: Comparison) -> str:
    """The whole page; readable at 400 and at 1,280 pixels, light and dark."""
    architectures = dict.fromkeys(
        one.contender.architecture for one in comparison.groups[0].standings
    )
    title = f"{' or '.join(architectures)} on {comparison.data}?"
    body = [
        element("h1", escaped(title)),
        element("p", _bold(recommendation(comparison)), class_="said"),
        *_pictures(comparison),
        *(block for group in comparison.groups for block in _group(group, comparison)),
        element("h2", "Five questions"),
        element("ul", *(element("li", _bold(one[2:])) for one in questions(comparison))),
        element("h2", "How it was measured"),
        element("p", escaped(method(comparison))),
    ]
    head = (
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        + element("title", escaped(title))
        + element("style", _STYLE)
    )
    return "<!doctype html>\n" + element(
        "html", element("head", head), element("body", *body), lang="en"
    )


def _bold(text: str) -> str:
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escaped(text))


def _pictures(comparison: Comparison) -> Iterator[str]:
    judge = comparison.judge
    standings = _all_deployed(comparison)
    sizes = [_point(one, cost=(one.bytes or 0) / 1e3, comparison=comparison) for one in standings]
    unit = judge.unit
    yield element("h2", "Score against size")
    yield scatter_plot(
        sizes,
        title="Score against bytes of the file",
        cost=f"KB ({standings[0].form})",
        score=unit,
        higher_is_better=judge.higher_is_better,
        least=0.0,
        most=judge.scale * judge.largest,
    )
    cells = cells_of(comparison)
    for device in measured_devices(comparison):
        timed = [
            _point(one, cost=cell.benchmark.hot.p50_ms, comparison=comparison)
            for one in standings
            if (cell := cells.get((device, one.contender.name, one.form))) and cell.benchmark
        ]
        if timed:
            yield element("h2", escaped(f"Score against time on {device}"))
            yield scatter_plot(
                timed,
                title=f"Score against time of a call on {device}",
                cost=f"ms a call, p50 ({standings[0].form})",
                score=unit,
                higher_is_better=judge.higher_is_better,
                least=0.0,
                most=judge.scale * judge.largest,
            )
    yield element("h2", "Seeds")
    yield _seeds(standings, comparison)
    yield element("p", "Dots: single trainings.  Bar: from the least to the largest.  Line: mean.")


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


def _all_deployed(comparison: Comparison) -> list[Standing]:
    found = [one for group in comparison.groups for one in deployed(group)]
    return list({one.contender: one for one in found}.values())


def _point(standing: Standing, *, cost: float, comparison: Comparison) -> Point:
    """Its score with the 95 % interval of the mean over seeds."""
    scale, seeds = comparison.judge.scale, len(standing.scores)
    half = student_quantile(0.975, seeds - 1) * standing.deviation / np.sqrt(seeds)
    middle = standing.score
    return Point(
        name=standing.contender.name,
        cost=cost,
        score=scale * middle,
        low=scale * max(middle - half, 0.0),
        high=scale * min(middle + half, comparison.judge.largest),
    )


def _group(group: Group, comparison: Comparison) -> Iterator[str]:
    head, *rows = group_table(group, comparison)
    yield element("h2", escaped(group_title(group)))
    yield element(
        "div",
        element(
            "table",
            element("thead", element("tr", *(element("th", escaped(one)) for one in head))),
            element(
                "tbody",
                *(element("tr", *(element("td", escaped(one)) for one in row)) for row in rows),
            ),
        ),
        class_="wide",
    )
    if note := group_note(group):
        yield element("p", escaped(note))
