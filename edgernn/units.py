"""Figures as a person reads them.  Pure functions, keyed by unit; None is a dash."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgernn.stats import Interval, Ratio

DASH = "–"


def milliseconds(value: float | None) -> str:
    """Three significant digits: 0.0831 ms, 12.4 ms, 1,204 ms."""
    return DASH if value is None else f"{significant(value)} ms"


def significant(value: float | None) -> str:
    """Three significant digits, and all digits before the point."""
    if value is None:
        return DASH
    rounded = float(f"{value:.3g}")
    if rounded == 0 or abs(rounded) >= 100:
        return f"{value:,.0f}"
    return f"{rounded:.{2 - math.floor(math.log10(abs(rounded)))}f}"


def file_size(size_bytes: int | None) -> str:
    """In units of a thousand, as disks and app stores count: 71.2 KB, 42.1 MB."""
    if size_bytes is None:
        return DASH
    if size_bytes < 1000:
        return f"{size_bytes} B"
    if size_bytes < 999_950:
        return f"{size_bytes / 1e3:.1f} KB"
    return f"{size_bytes / 1e6:.1f} MB"


def count(number: int | None) -> str:
    return DASH if number is None else f"{number:,}"


def millions(number: int | None) -> str:
    """1.94 M"""
    return DASH if number is None else f"{significant(number / 1e6)} M"


def percent(share: float | None, digits: int = 1) -> str:
    return DASH if share is None else f"{_hundredfold(share, digits)} %"


def percent_interval(interval: Interval | None) -> str:
    """The bounds in percent: [97.1, 99.8]."""
    if interval is None:
        return DASH
    return f"[{_hundredfold(interval.low, 1)}, {_hundredfold(interval.high, 1)}]"


def points(share: float) -> str:
    """0.4 points"""
    return f"{_hundredfold(share, 1)} points"


def _hundredfold(share: float, digits: int) -> str:
    """What rounds to zero has no sign."""
    return f"{round(100 * share, digits) + 0.0:.{digits}f}"


def interval_text(interval: Interval | None) -> str:
    """The bounds with three significant digits: [0.120, 0.135]."""
    if interval is None:
        return DASH
    return f"[{significant(interval.low)}, {significant(interval.high)}]"


def seconds(value: float | None) -> str:
    return DASH if value is None else f"{significant(value)} s"


def minutes(value: float) -> str:
    """Seconds as a person waits for them: 40 s, 9 min."""
    return f"{value:.0f} s" if value < 90 else f"{value / 60:.0f} min"


def listed(names: Sequence[str]) -> str:
    """a, b and c"""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def times(ratio: Ratio) -> str:
    """1.20 × [1.18, 1.27]: the estimate and its interval, which may be skewed, rounded outwards."""
    low = math.floor(100 * ratio.interval.low + 1e-9) / 100
    high = math.ceil(100 * ratio.interval.high - 1e-9) / 100
    return f"{ratio.estimate:.2f} × [{low:.2f}, {high:.2f}]"
