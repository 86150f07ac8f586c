"""Tables and pictures of docs/int4.md, from the record of the fine-tunings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Final, NamedTuple

import numpy as np

from bench.few_bits_record import SCHEMES, TUNINGS, Row
from edgernn.report.page import picture_file
from edgernn.report.svg import Scale, Spread, linear_scale, spread_plot
from edgernn.report.xml import element, escaped
from edgernn.selection.crossed import FEWEST_SEEDS, RowScores, crossed_difference
from edgernn.stats import Interval

_DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
_PAGE: Final = _DOCS / "int4.md"

_COLOURS: Final = {
    "float": "#888",
    "int8": "#4a90d9",
    "int4": "#d9534a",
    "int3": "#b8860b",
    "ternary": "#3fa35b",
}
_IN_WORDS: Final = {"float": "float32", "int3": "int3 (stored as int4)"}
_WORDS_OF_TERNARY: Final = "ternary (stored as int4)"


#: Points on each side that a bar of a picture has at most.
_LONGEST: Final = 2.0


class Difference(NamedTuple):
    """Points of accuracy more than a control, and their interval of 95 %; of one seed no width."""

    points: float
    interval: Interval

    @property
    def shown(self) -> Interval:
        """Where a bar ends: two seeds leave an interval wider than any picture."""
        low, high = self.interval
        return Interval(max(low, self.points - _LONGEST), min(high, self.points + _LONGEST))

    @property
    def text(self) -> str:
        """ "-0.2 [-0.5, +0.1]"."""
        low, high = self.interval
        points = f"{self.points:+.1f}"
        return points if low == high else f"{points} [{low:+.1f}, {high:+.1f}]"


class Cell(NamedTuple):
    """All seeds of a model and a scheme."""

    task: str
    model: str
    scheme: str
    rows: tuple[Row, ...]

    @property
    def score(self) -> float:
        return 100 * mean(row.after for row in self.rows)

    @property
    def bytes(self) -> int:
        return max(row.bytes for row in self.rows)

    @property
    def units(self) -> int | None:
        """Of a model that was trained for its width; None for one of the tests."""
        words = self.model.split()
        return int(words[1]) if len(words) > 1 else None

    def against(self, control: Cell) -> Difference:
        """To a control.

        Of one model, trainings with one seed begin alike and see the same batches: they are pairs.
        """
        mine, others = self._right(), control._right()
        if self.model == control.model:
            seeds = sorted(mine.keys() & others.keys())
            a = np.array([mine[seed] - others[seed] for seed in seeds])
            b = np.zeros_like(a)
        else:
            a, b = np.array(list(mine.values())), np.array(list(others.values()))
        points = 100 * float(a.mean() - b.mean())
        if min(len(a), len(b)) < FEWEST_SEEDS:
            return Difference(points, Interval(points, points))
        low, high = crossed_difference(a, b).interval
        return Difference(points, Interval(100 * low, 100 * high))

    def _right(self) -> dict[int, RowScores]:
        """1 or 0 for each test row, by seed."""
        return {row.seed: np.asarray(row.answers(), np.float64) for row in self.rows}


def cells(rows: Sequence[Row]) -> list[Cell]:
    """By task, model and scheme, in the order of the page; of models whose control is there."""
    found = [
        Cell(task, model, scheme, some)
        for task, model in dict.fromkeys(
            (row.task, row.model) for row in rows if row.scheme == "float"
        )
        for scheme in SCHEMES
        if (some := tuple(r for r in rows if (r.task, r.model, r.scheme) == (task, model, scheme)))
    ]
    tasks = list(TUNINGS)
    return sorted(found, key=lambda cell: (tasks.index(cell.task), cell.units or 0))


def table(rows: Sequence[Row]) -> str:
    """Markdown: models of the tests, each scheme against the control."""
    lines = [
        "| task | weights | bytes | rounded | on the grid | points, 95 % | seeds | alike |",
        "|---|---|---|---|---|---|---|---|",
    ]
    found = [cell for cell in cells(rows) if cell.units is None]
    for cell in found:
        control = _control(cell, found)
        lost = "" if cell is control else cell.against(control).text
        before = f"{100 * mean(row.before for row in cell.rows):.1f} %"
        lines.append(
            f"| {cell.task} | {cell.scheme} | {cell.bytes:,} "
            f"| {'' if cell.scheme in ('float', 'int8') else before} "
            f"| {cell.score:.1f} % | {lost} | {len(cell.rows)} "
            f"| {100 * mean(row.alike for row in cell.rows):.2f} % |"
        )
    return "\n".join(lines)


def widths_table(rows: Sequence[Row]) -> str:
    """Markdown: models of other widths, trained from their first weights."""
    lines = [
        "| task, units | float32 | int8: bytes, accuracy | int4: bytes, accuracy | seeds |",
        "|---|---|---|---|---|",
    ]
    found = [cell for cell in cells(rows) if cell.units is not None]
    if not found:
        return "Not run yet."
    for task, units in dict.fromkeys((cell.task, cell.units) for cell in found):
        mine = {cell.scheme: cell for cell in found if (cell.task, cell.units) == (task, units)}
        texts = [
            f"{mine[scheme].bytes:,}, {mine[scheme].score:.1f} %" if scheme in mine else ""
            for scheme in ("float", "int8", "int4")
        ]
        seeds = min(len(cell.rows) for cell in mine.values())
        lines.append(f"| {task}, {units} | {' | '.join(texts)} | {seeds} |")
    return "\n".join(lines)


def differences(rows: Sequence[Row]) -> str:
    """SVG: points against the same training in float, with intervals; dots are seeds."""
    spreads = []
    found = [cell for cell in cells(rows) if cell.units is None]
    for scheme in SCHEMES[1:]:
        for cell in (one for one in found if one.scheme == scheme):
            control = _control(cell, found)
            beside = {row.seed: row.after for row in control.rows}
            dots = tuple(
                100 * (row.after - beside[row.seed]) for row in cell.rows if row.seed in beside
            )
            difference = cell.against(control)
            share = f"{100 * cell.bytes / control.bytes:.0f} % of the bytes of float32"
            spreads.append(
                Spread(
                    name=f"{scheme}, {cell.task}: {share}",
                    low=round(difference.shown.low, 2),
                    middle=round(difference.points, 2),
                    high=round(difference.shown.high, 2),
                    dots=dots,
                )
            )
    ends = [0.0, *(end for one in spreads for end in (one.low, one.high, *one.dots))]
    return spread_plot(
        spreads,
        linear_scale(ends, least=-100, most=100),
        title="Points of accuracy against the same training in float",
        unit="points against the same training in float",
    )


_PANEL: Final = (440, 250)
_LEFT: Final = 44
_RIGHT: Final = 30
_TOP: Final = 30
_BOTTOM: Final = 40
_LEGEND: Final = 24
_ASIDE: Final = {"int4": -7, "ternary": 7}  # pixels
_MOST_SIZES: Final = 9  # on an axis


def bytes_picture(rows: Sequence[Row]) -> str:
    """SVG: accuracy against bytes, a panel for each task; a line joins int8 models by width."""
    found = cells(rows)
    width, height = _PANEL
    parts = [element("title", "Accuracy against bytes of the native file"), *_legend(found)]
    tasks = [task for task in TUNINGS if any(cell.task == task for cell in found)]
    for place, task in enumerate(tasks):
        x, y = width * (place % 2), _LEGEND + height * (place // 2)
        panel = "".join(_panel(task, [cell for cell in found if cell.task == task]))
        parts.append(element("g", panel, transform=f"translate({x} {y})"))
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {2 * width} {_LEGEND + height * ((len(tasks) + 1) // 2)}",
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )


def _legend(found: list[Cell]) -> Iterator[str]:
    entries = [(_name(scheme), scheme, _COLOURS[scheme]) for scheme in SCHEMES]
    rings = {"int8": "int8 of other widths (units)", "int4": "int4 of other widths"}
    there = {cell.scheme for cell in found if cell.units is not None}
    entries += [(text, scheme, "none") for scheme, text in rings.items() if scheme in there]
    x = 12.0
    for text, scheme, colour in entries:
        yield element("circle", cx=x, cy=12, r=4, fill=colour, stroke=_COLOURS[scheme])
        yield element("text", escaped(text), x=x + 8, y=16)
        x += 26 + 6.2 * len(text)


def _name(scheme: str) -> str:
    return _WORDS_OF_TERNARY if scheme == "ternary" else _IN_WORDS.get(scheme, scheme)


def _panel(task: str, found: list[Cell]) -> Iterator[str]:
    width, height = _PANEL
    control = next(cell for cell in found if cell.units is None and cell.scheme == "float")
    shown = [cell for cell in found if cell.units is None or cell.scheme in ("int8", "int4")]
    against = {id(cell): cell.against(control) for cell in shown}
    ends = [control.score + end for one in against.values() for end in (one.points, *one.shown)]
    upwards = linear_scale(ends, least=0, most=101)
    sizes = [cell.bytes for cell in shown]
    along = Scale(low=min(sizes) * 0.9, high=max(sizes) * 1.15, logarithmic=True)

    def x(cost: float) -> float:
        return _LEFT + along.share(cost) * (width - _LEFT - _RIGHT)

    def y(score: float) -> float:
        return height - _BOTTOM - upwards.share(score) * (height - _BOTTOM - _TOP)

    yield element("text", escaped(f"{task}: accuracy (%)"), x=12, y=_TOP - 14)
    for tick in upwards.ticks():
        yield element(
            "text", f"{tick:.10g}", x=_LEFT - 6, y=y(tick) + 4, text_anchor="end", class_="tick"
        )
        yield element("line", x1=_LEFT, x2=width - _RIGHT, y1=y(tick), y2=y(tick), class_="grid")
    for tick in _sizes(along):
        text = f"{tick / 1000:.10g}"
        yield element(
            "text", text, x=x(tick), y=height - _BOTTOM + 16, text_anchor="middle", class_="tick"
        )
    yield element("text", "kB of the file", x=width - _RIGHT, y=height - 8, text_anchor="end")
    for scheme in ("int8", "int4"):
        line = [cell for cell in shown if cell.units is not None and cell.scheme == scheme]
        points = " ".join(
            f"{x(cell.bytes):.1f},{y(control.score + against[id(cell)].points):.1f}"
            for cell in line
        )
        if len(line) > 1:
            yield element("polyline", points=points, stroke=_COLOURS[scheme])
    for cell in shown:
        # int4, int3 and ternary have the same bytes: side by side they can be seen.
        aside = _ASIDE.get(cell.scheme, 0) if cell.units is None else 0
        yield from _mark(cell, against[id(cell)], control.score, x(cell.bytes) + aside, y)


def _sizes(along: Scale) -> list[float]:
    """Round figures, close enough for less than a power of ten."""
    digits = (1, 1.5, 2, 3, 4, 5, 7)
    figures = [digit * 10.0**power for power in range(3, 7) for digit in digits]
    found = [one for one in figures if along.low <= one <= along.high]
    return found if len(found) < _MOST_SIZES else found[::2]


def _mark(
    cell: Cell, against: Difference, control: float, x: float, at: Callable[[float], float]
) -> Iterator[str]:
    """A point and the interval of its difference to the control, at the control's score."""
    colour = _COLOURS[cell.scheme]
    of_tests = cell.units is None
    low, high = (at(control + end) for end in against.shown)
    middle = at(control + against.points)
    yield element("line", x1=x, x2=x, y1=low, y2=high, stroke=colour, stroke_width=1.5, opacity=0.5)
    yield element(
        "circle",
        element("title", escaped(f"{cell.model}, {cell.scheme}: {cell.score:.1f} %")),
        cx=x,
        cy=middle,
        r=4,
        fill=colour if of_tests else "none",
        stroke=colour,
    )
    if not of_tests and cell.scheme == "int8":
        yield element("text", f"{cell.units}", x=x + 7, y=middle + 4, class_="tick")


def _control(cell: Cell, among: Sequence[Cell]) -> Cell:
    """The same fine-tuning in float."""
    return next(
        one
        for one in among
        if (one.task, one.model, one.scheme) == (cell.task, cell.model, "float")
    )


#: What the page has between two comments, and what makes it.
TABLES: Final = {"few_bits": table, "few_bits of other widths": widths_table}
PICTURES: Final = {"few-bits.svg": differences, "few-bits-bytes.svg": bytes_picture}


def write_page(rows: Sequence[Row]) -> None:
    for name, picture in PICTURES.items():
        (_DOCS / name).write_text(picture_file(picture(rows)))
    text = _PAGE.read_text()
    for name, made in TABLES.items():
        begin, end = f"<!-- made by bench.{name} -->", f"<!-- end of what bench.{name} makes -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{made(rows)}\n{end}{rest.split(end)[1]}"
    _PAGE.write_text(text)
