"""A report as one HTML file: tables, plots and sentences, to be opened without a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgernn.profile.judgement import shared_cautions
from edgernn.profile.report import Cell, Report
from edgernn.profile.rows import Row, rows_of
from edgernn.report.columns import baseline_lines, named, shown_columns, unmeasured_lines
from edgernn.report.conditions import conditions_line
from edgernn.report.page import html_page
from edgernn.report.scatter import Point, scatter_plot
from edgernn.report.sentences import sentences
from edgernn.report.svg import Spread, linear_scale, log_scale, spread_plot
from edgernn.report.xml import element, escaped
from edgernn.scoring.metric import Metric
from edgernn.scoring.truth import Truth, score
from edgernn.stats import median, percentile


def as_html(report: Report) -> str:
    """The whole page; every text that came from files is escaped."""
    rows = rows_of(report)
    body = [
        element("h1", "Results"),
        *(element("p", escaped(said), class_="said") for said in sentences(report)),
        *_against_costs(report),
        element("div", _table(rows), class_="wide"),
        *(element("p", escaped(line)) for line in unmeasured_lines(rows)),
        *_plots(report),
        element("h2", "How it was measured"),
        element("p", escaped(conditions_line(report))),
        element("ul", *_cautions(report)),
        element("p", escaped(f"edgernn {report.edgernn_version}, {report.created}")),
    ]
    return html_page("edgernn profile", body)


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


def _against_costs(report: Report) -> Iterator[str]:
    """Score against bytes and against time; nothing where there are not two to compare."""
    truth = report.truth
    if truth is None or truth.judge is None:
        return
    metric = truth.judge
    judged = [cell for cell in report.cells if cell.predictions]
    devices = dict.fromkeys(cell.device for cell in judged)
    first = [cell for cell in judged if cell.device == next(iter(devices))] if judged else []
    sizes = [_point(cell, truth, metric, cell.item.bytes / 1e3) for cell in first]
    if len(sizes) > 1:
        yield from _scatter("Score against size", sizes, metric, "KB")
    for device in devices:
        timed = [
            _point(cell, truth, metric, cell.benchmark.hot.p50_ms)
            for cell in judged
            if cell.device == device and cell.benchmark and not report.is_emulated(device)
        ]
        if len(timed) > 1:
            yield from _scatter(f"Score against time on {device}", timed, metric, "ms a call, p50")


def _point(cell: Cell, truth: Truth, metric: Metric, cost: float) -> Point:
    spread = _score(cell, truth, metric, cell.item.file)
    return Point(name=spread.name, cost=cost, score=spread.middle, low=spread.low, high=spread.high)


def _scatter(title: str, points: Sequence[Point], metric: Metric, cost: str) -> Iterator[str]:
    yield element("h2", escaped(title))
    yield scatter_plot(
        points,
        title=title,
        cost=cost,
        score=metric.unit,
        higher_is_better=metric.higher_is_better,
        least=metric.scale * metric.least,
        most=metric.scale * metric.largest,
    )
    yield element("p", "Dim: another file is no larger, or no slower, and no worse.")


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
