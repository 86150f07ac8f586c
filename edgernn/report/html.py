"""A report as one HTML file: tables, plots and sentences, to be opened without a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgernn.profile.judgement import shared_cautions
from edgernn.profile.report import Cell, Report
from edgernn.profile.rows import Row, rows_of
from edgernn.report.columns import baseline_lines, named, shown_columns, unmeasured_lines
from edgernn.report.conditions import conditions_line
from edgernn.report.sentences import sentences
from edgernn.report.svg import Spread, linear_scale, log_scale, spread_plot
from edgernn.report.xml import element, escaped
from edgernn.scoring.metric import Metric
from edgernn.scoring.truth import Truth, score
from edgernn.stats import median, percentile

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --bar: #4a90d9; --mark: #d9534a; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 108rem; margin: 2rem auto;
  padding: 0 1rem; }
p, ul { max-width: 60rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap;
  font-size: .87rem; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid var(--line); text-align: left; }
.number { text-align: right; }
.baseline { opacity: .65; }
.said { font-size: 1.1rem; }
.caution em { opacity: .75; }
svg { max-width: 52rem; width: 100%; font: 12px system-ui, sans-serif; fill: currentColor; }
.bar { fill: var(--bar); opacity: .45; } .dot { fill: var(--bar); }
.middle { stroke: var(--mark); stroke-width: 2; } .grid { stroke: var(--line); }
.tick, .figure { opacity: .7; }
"""


def as_html(report: Report) -> str:
    """The whole page; every text that came from files is escaped."""
    rows = rows_of(report)
    body = [
        element("h1", "Results"),
        *(element("p", escaped(said), class_="said") for said in sentences(report)),
        element("div", _table(rows), class_="wide"),
        *(element("p", escaped(line)) for line in unmeasured_lines(rows)),
        *_plots(report),
        element("h2", "How it was measured"),
        element("p", escaped(conditions_line(report))),
        element("ul", *_cautions(report)),
        element("p", escaped(f"edgernn {report.edgernn_version}, {report.created}")),
    ]
    head = (
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        + element("title", "edgernn profile")
        + element("style", _STYLE)
    )
    return "<!doctype html>\n" + element(
        "html", element("head", head), element("body", *body), lang="en"
    )


def _table(rows: Sequence[Row]) -> str:
    columns = shown_columns(rows)
    titles = [column.title for column in columns]
    kinds = ["number" if column.number else "text" for column in columns]
    head = [
        element("th", escaped(named(column, rows)), class_=kind)
        for column, kind in zip(columns, kinds, strict=True)
    ]
    lines = [[column.text(row) for column in columns] for row in rows]
    body = [_line(line, kinds) for line in lines]
    if "score" in titles:
        for name, reached in baseline_lines(rows):
            cells = {"model": name, "score": reached}
            body.append(_line([cells.get(title, "") for title in titles], kinds, "baseline"))
    return element("table", element("thead", element("tr", *head)), element("tbody", *body))


def _line(cells: Sequence[str], kinds: Sequence[str], kind: str = "measured") -> str:
    pairs = zip(cells, kinds, strict=True)
    return element("tr", *(element("td", escaped(c), class_=k) for c, k in pairs), class_=kind)


def _plots(report: Report) -> Iterator[str]:
    several = len({cell.device for cell in report.cells}) > 1
    timed = [cell for cell in report.cells if cell.runs and not report.is_emulated(cell.device)]
    if timed:
        spreads = [_latency(cell, _name(cell, several)) for cell in timed]
        scale = log_scale([value for one in spreads for value in (one.low, one.middle, one.high)])
        yield element("h2", "Latency")
        yield spread_plot(spreads, scale, title="Latency of a call", unit="ms a call")
        yield element(
            "p",
            "Bar: 5th to 95th percentile of all calls in a hot loop. "
            "Dots: medians of the processes. Line: their median.",
        )
    truth = report.truth
    judged = [cell for cell in report.cells if cell.predictions]
    if truth is not None and truth.judge is not None and judged:
        yield from _score_plot(judged, truth, truth.judge, several)


def _latency(cell: Cell, name: str) -> Spread:
    calls = [value for run in cell.runs for value in run.hot_ms]
    medians = tuple(median(run.hot_ms) for run in cell.runs)
    return Spread(
        name=name,
        low=percentile(calls, 5),
        middle=median(medians),
        high=percentile(calls, 95),
        dots=medians,
    )


def _score_plot(
    judged: Sequence[Cell], truth: Truth, metric: Metric, several: bool
) -> Iterator[str]:
    spreads = [_score(cell, truth, metric, _name(cell, several)) for cell in judged]
    values = [value for one in spreads for value in (one.low, one.high)]
    least, most = (metric.scale * end for end in (metric.least, metric.largest))
    scale = linear_scale(values, least=least, most=most)
    title = metric.name[0].upper() + metric.name[1:]
    yield element("h2", escaped(title))
    yield spread_plot(
        spreads, scale, title=f"{title} on {truth.name}", unit=f"{metric.unit} on {truth.name}"
    )
    yield element("p", escaped(f"Bar: {metric.interval_note}."))


def _score(cell: Cell, truth: Truth, metric: Metric, name: str) -> Spread:
    if cell.predictions is None:
        raise ValueError("only judged cells have a score")
    reached, scale = score(cell.predictions, truth), metric.scale
    return Spread(
        name=name,
        low=scale * reached.interval.low,
        middle=scale * reached.value,
        high=scale * reached.interval.high,
    )


def _name(cell: Cell, with_device: bool) -> str:
    return f"{cell.item.file}, {cell.device}" if with_device else cell.item.file


def _cautions(report: Report) -> Iterator[str]:
    for caution in shared_cautions(report):
        remedy = element("em", escaped(caution.worst.remedy))
        yield element("li", f"{escaped(caution.sentence)} {remedy}", class_="caution")
