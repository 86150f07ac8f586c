"""Scores against costs: each contender a point, those that nothing beats are marked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from edgernn.report.svg import Scale, linear_scale
from edgernn.report.xml import element, escaped

WIDTH: Final = 440  # as a phone shows it; wider screens enlarge it
HEIGHT: Final = 280
_LEFT: Final = 44
_RIGHT: Final = 110  # room for names
_TOP: Final = 16
_LINE: Final = 12  # between two names
_BOTTOM: Final = 44


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A contender in one form.  `low` and `high` are the interval of its score."""

    name: str
    cost: float
    score: float
    low: float
    high: float


def pareto_front(points: Sequence[Point], *, higher_is_better: bool) -> set[str]:
    """The names of points that no other beats in cost without losing score.

    >>> pareto_front([small_and_good, large_and_good], higher_is_better=True)
    {'small_and_good'}
    """
    sign = 1 if higher_is_better else -1

    def beats(a: Point, b: Point) -> bool:
        no_worse = a.cost <= b.cost and sign * a.score >= sign * b.score
        return no_worse and (a.cost, a.score) != (b.cost, b.score)

    return {one.name for one in points if not any(beats(other, one) for other in points)}


def scatter_plot(
    points: Sequence[Point],
    *,
    title: str,
    cost: str,
    score: str,
    higher_is_better: bool,
    least: float,
    most: float,
) -> str:
    """Costs along the bottom from 0, scores upwards; dominated points are dimmed.

    least, most: what a score can be.
    """
    front = pareto_front(points, higher_is_better=higher_is_better)
    bounds = [bound for point in points for bound in (point.low, point.high)]
    upwards = linear_scale(bounds, least=least, most=most)
    low, high = upwards.low, max(upwards.high, upwards.low + 1e-9)
    right = 1.08 * max(point.cost for point in points) or 1.0
    along = Scale(low=0.0, high=right, logarithmic=False)

    def x(value: float) -> float:
        return _LEFT + value / right * (WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _BOTTOM - _TOP)

    parts: list[str] = [element("title", escaped(title))]
    for tick in along.ticks():
        parts += _tick(x(tick), HEIGHT - _BOTTOM + 14, f"{tick:.10g}", "middle")
    for tick in upwards.ticks():
        parts += _tick(_LEFT - 6, y(tick) + 4, f"{tick:.10g}", "end")
        parts.append(_level(y(tick)))
    parts.append(
        element(
            "text",
            escaped(cost),
            x=(_LEFT + WIDTH - _RIGHT) / 2,
            y=HEIGHT - 8,
            text_anchor="middle",
        )
    )
    parts.append(element("text", escaped(score), x=_LEFT, y=_TOP - 2, class_="tick"))
    free: list[tuple[float, float]] = []  # where names stand
    for point in sorted(points, key=lambda one: -one.score):
        name_y = _beside(x(point.cost), y(point.score), free)
        parts += _point(point, x(point.cost), y, name_y=name_y, is_front=point.name in front)
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )


def _beside(x: float, y: float, taken: list[tuple[float, float]]) -> float:
    """The height of a name beside a point, below the names that would cover it."""
    while any(abs(x - other) < _RIGHT and abs(y - height) < _LINE for other, height in taken):
        y += 2
    taken.append((x, y))
    return y


def _level(y: float) -> str:
    return element("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y, class_="grid")


def _tick(x: float, y: float, text: str, anchor: str) -> Iterator[str]:
    yield element("text", escaped(text), x=x, y=y, text_anchor=anchor, class_="tick")


def _point(
    point: Point, x: float, at: Callable[[float], float], *, name_y: float, is_front: bool
) -> Iterator[str]:
    kind = "front" if is_front else "beaten"
    yield element("line", x1=x, x2=x, y1=at(point.low), y2=at(point.high), class_=f"bar {kind}")
    yield element("circle", cx=x, cy=at(point.score), r=4, class_=f"dot {kind}")
    yield element("text", escaped(point.name), x=x + 8, y=name_y + 4, class_=kind)
