"""Plots as SVG text: no script, no library, no network.  Pure functions of their figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from edgernn.report.xml import element, escaped
from edgernn.units import significant

WIDTH: Final = 440  # as a phone shows it; wider screens enlarge it
_LEFT: Final = 12
_RIGHT: Final = 50
_ROW: Final = 36  # a name, its bar below
_NAME: Final = 13
_AXIS: Final = 36  # room for ticks and the axis' title


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A row of a plot: a bar from low to high, a mark at the middle, single values as dots."""

    name: str
    low: float
    middle: float
    high: float
    dots: tuple[float, ...] = ()
    figure: str = ""  # beside the bar; "": the middle with three digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """From figures to horizontal pixels; logarithmic or linear."""

    low: float
    high: float
    logarithmic: bool

    def share(self, value: float) -> float:
        """Where a value lies, from 0 to 1."""
        low, high, value = (self._position(one) for one in (self.low, self.high, value))
        return (value - low) / (high - low) if high > low else 0.5

    def x(self, value: float) -> float:
        return _LEFT + self.share(value) * (WIDTH - _LEFT - _RIGHT)

    def ticks(self) -> list[float]:
        """Round figures within the scale: 1, 2, 5 of each power of ten, or equal steps."""
        if not self.logarithmic:
            step = _round_up((self.high - self.low) / 5)
            first = math.ceil(self.low / step - 1e-9)
            last = math.floor(self.high / step + 1e-9)
            return [number * step for number in range(first, last + 1)]
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        round_figures = [digit * 10.0**e for e in exponents for digit in (1, 2, 5)]
        return [figure for figure in round_figures if self.low <= figure <= self.high]

    def _position(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def log_scale(values: Sequence[float]) -> Scale:
    """From the 1, 2 or 5 of a power of ten below the values to the one above.

    Only positive values have a place on it.
    """
    return Scale(low=_round_down(min(values)), high=_round_up(max(values)), logarithmic=True)


def linear_scale(values: Sequence[float], *, least: float, most: float) -> Scale:
    """Around the values with a tenth of their range to spare, within `least` and `most`."""
    spare = max((max(values) - min(values)) / 10, 1e-9)
    low, high = max(least, min(values) - spare), min(most, max(values) + spare)
    return Scale(low=low, high=high, logarithmic=False)


def spread_plot(
    rows: Sequence[Spread],
    scale: Scale,
    *,
    title: str,
    unit: str,
    band: tuple[float, float] | None = None,
) -> str:
    """One line for each row, its figures along a common axis below.

    band: from where to where figures mean the same.
    """
    height = len(rows) * _ROW + _AXIS
    parts = [*_grid(scale, len(rows) * _ROW, unit)]
    if band is not None:
        low, high = (scale.x(end) for end in band)
        parts.append(
            element("rect", x=low, y=0, width=high - low, height=len(rows) * _ROW, class_="band")
        )
    for number, row in enumerate(rows):
        parts += _row(row, scale, y=number * _ROW + _NAME + 12, unit=unit)
    return element(
        "svg",
        *[element("title", escaped(title)), *parts],
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )


def _row(row: Spread, scale: Scale, *, y: float, unit: str) -> Iterator[str]:
    low, middle, high = (scale.x(value) for value in (row.low, row.middle, row.high))
    figures = (
        f"{significant(row.middle)} {unit} ({significant(row.low)} to {significant(row.high)})"
    )
    bar = element(
        "rect",
        element("title", escaped(f"{row.name}: {figures}")),
        x=low,
        y=y - 4,
        width=max(high - low, 1),
        height=8,
        rx=2,
        class_="bar",
    )
    yield element("text", escaped(row.name), x=_LEFT, y=y - _NAME + 3)
    yield bar
    yield from (element("circle", cx=scale.x(dot), cy=y, r=2.5, class_="dot") for dot in row.dots)
    yield element("line", x1=middle, x2=middle, y1=y - 8, y2=y + 8, class_="middle")
    figure = row.figure or significant(row.middle)
    yield element("text", escaped(figure), x=high + 6, y=y + 4, class_="figure")


def _grid(scale: Scale, height: int, unit: str) -> Iterator[str]:
    for tick in scale.ticks():
        x = scale.x(tick)
        yield element("line", x1=x, x2=x, y1=0, y2=height, class_="grid")
        text = f"{tick:.10g}"
        yield element("text", text, x=x, y=height + 14, text_anchor="middle", class_="tick")
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    yield element("text", escaped(unit), x=middle, y=height + 30, text_anchor="middle")


def _round_up(value: float) -> float:
    """The 1, 2 or 5 of a power of ten that is not below `value`."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= value * (1 - 1e-9))


def _round_down(value: float) -> float:
    """The 1, 2 or 5 of a power of ten that is not above `value`."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(digit * power for digit in (5, 2, 1) if digit * power <= value * (1 + 1e-9))
