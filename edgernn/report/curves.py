"""Learning curves: a line for each training, a colour for each contender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from edgernn.report.svg import Scale, linear_scale, log_scale
from edgernn.report.xml import element, escaped

WIDTH: Final = 440
_HEIGHT: Final = 250
_LEFT: Final = 44
_RIGHT: Final = 10
_TOP: Final = 10
_BOTTOM: Final = 36
_LEGEND: Final = 16
COLOURS: Final = 6  # classes line0 to line5 of the style


def curves_plot(
    curves: Mapping[str, Sequence[Sequence[float]]], *, title: str, along: str, upwards: str
) -> str:
    """`curves`: by name, of each training a value after each epoch.  Epochs count from 1."""
    values = [value for lines in curves.values() for line in lines for value in line]
    positive = min(values) > 0
    scale = (
        log_scale(values) if positive else linear_scale(values, least=min(values), most=max(values))
    )
    longest = max(len(line) for lines in curves.values() for line in lines)

    def x(epoch: int) -> float:
        return _LEFT + (epoch - 1) / max(longest - 1, 1) * (WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _TOP + (1 - scale.share(value)) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [element("title", escaped(title))]
    for tick in scale.ticks():
        parts.append(
            element("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y(tick), y2=y(tick), class_="grid")
        )
        parts.append(_text(f"{tick:.6g}", _LEFT - 5, y(tick) + 4, "end"))
    steps = Scale(low=1.0, high=float(max(longest, 2)), logarithmic=False).ticks()
    parts += [
        _text(f"{tick:g}", x(round(tick)), _HEIGHT - _BOTTOM + 14, "middle")
        for tick in steps
        if tick == round(tick)
    ]
    parts.append(_text(along, (_LEFT + WIDTH - _RIGHT) / 2, _HEIGHT - 6, "middle"))
    parts.append(_text(upwards, _LEFT + 4, _TOP + 10, "start"))
    for number, (name, lines) in enumerate(curves.items()):
        kind = f"line{number % COLOURS}"
        for line in lines:
            points = " ".join(
                f"{x(epoch):.1f},{y(value):.1f}" for epoch, value in enumerate(line, start=1)
            )
            parts.append(element("polyline", points=points, class_=kind))
        column, row = number % 3, number // 3
        left, top = _LEFT + 130 * column, _HEIGHT + _LEGEND * row
        parts.append(
            element(
                "line", x1=left, x2=left + 16, y1=top + 4, y2=top + 4, stroke_width=3, class_=kind
            )
        )
        parts.append(element("text", escaped(name), x=left + 20, y=top + 8))
    height = _HEIGHT + _LEGEND * ((len(curves) + 2) // 3) + 4
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )


def _text(text: str, x: float, y: float, anchor: str) -> str:
    return element("text", escaped(text), x=x, y=y, text_anchor=anchor, class_="tick")
