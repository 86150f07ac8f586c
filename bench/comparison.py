"""A row of the benchmark: ours beside a peer's, as a ratio with what it should reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.alternate import Milliseconds
from edgernn.stats import ratio_of_medians

#: Values of one run are split into so many parts in a row, each a unit of resampling.
PARTS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`ratio` is peer / ours: above 1 we are better.  Without peer it is limit / ours.

    A target of 0 is none: the figure is shown and not judged.
    """

    name: str
    ours: str
    peer: str
    ratio: float
    interval: tuple[float, float] | None = None
    target: float

    @property
    def met(self) -> bool:
        return self.ratio >= self.target


def faster(
    name: str, timed: dict[str, Milliseconds], *, ours: str, peer: str, target: float
) -> Comparison:
    """Compares two entries of what `alternate` gave."""
    parts = [[timed[key][part::PARTS] for part in range(PARTS)] for key in (peer, ours)]
    ratio = ratio_of_medians(parts[0], parts[1])
    return Comparison(
        name=name,
        ours=_time(float(min(timed[ours]))),
        peer=_time(float(min(timed[peer]))),
        ratio=ratio.estimate,
        interval=(ratio.interval.low, ratio.interval.high),
        target=target,
    )


def _time(ms: float) -> str:
    return f"{ms:.3f} ms" if ms >= 0.1 else f"{ms * 1e3:.2f} µs"


def below(name: str, value: float, unit: str, *, limit: float) -> Comparison:
    """Compares a figure of ours with a limit it must stay under."""
    return Comparison(
        name=name,
        ours=f"{value:,.2f} {unit}",
        peer=f"limit {limit:,.2f} {unit}",
        ratio=limit / value,
        target=1.0,
    )


_HEAD = ("what", "ours", "peer or limit", "ratio", "interval", "must reach", "")
_WIDTHS = (74, 12, 19, 8, 12, 10, 0)


def head() -> str:
    """The first line of the table."""
    return _line(_HEAD)


def line(row: Comparison) -> str:
    """Minima are shown, ratios are of medians."""
    low_high = f"{row.interval[0]:.2f}–{row.interval[1]:.2f}" if row.interval else ""
    return _line(
        (
            row.name,
            row.ours,
            row.peer,
            f"{row.ratio:.2f}x",
            low_high,
            f"{row.target:.2f}x" if row.target else "",
            ("met" if row.met else "NOT MET") if row.target else "",
        )
    )


def _line(cells: Sequence[str]) -> str:
    return "  ".join(cell.ljust(w) for cell, w in zip(cells, _WIDTHS, strict=True)).rstrip()
