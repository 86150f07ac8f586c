"""The schemes that `--scheme auto` tried, and which it kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from edgernn.profile.scheme_choice import SAME_SIZE, SchemeCandidate, choice_sentences
from edgernn.report.aligned import aligned, wrapped
from edgernn.units import milliseconds


def candidates_text(candidates: Sequence[SchemeCandidate]) -> str:
    """A line for each file that was made and measured; chosen ones have a star.

    >>> print(candidates_text(made.candidates))
    """
    devices = tuple(dict.fromkeys(name for one in candidates for name in one.p50_ms))
    cells = [("", "candidate", "bytes", "loss", *(f"p50 on {name}" for name in devices), "")]
    for one in candidates:
        times = (milliseconds(one.p50_ms[name]) if name in one.p50_ms else "" for name in devices)
        cells.append(
            ("*" if one.chosen else "", one.file, _bytes(one), one.cost_text, *times, one.problem)
        )
    rule = (
        "* is kept: the smallest file of each format that loses no more than allowed; of files of "
        f"one size (within {SAME_SIZE:.0%}) the fastest."
    )
    return "\n".join([*aligned(cells), *wrapped([rule, *choice_sentences(candidates)])])


def candidates_as_json(candidates: Sequence[SchemeCandidate]) -> list[dict[str, Any]]:
    """The same for machines; `cost` is in points or percent, times in milliseconds."""
    return [{**asdict(one), "p50_ms": dict(one.p50_ms)} for one in candidates]


def candidate_text(one: SchemeCandidate) -> str:
    """One candidate as model.json lists it: '12,544 bytes, loses 0.1 points, 0.075 ms on cpu'."""
    times = [f"{milliseconds(value)} on {name}" for name, value in one.p50_ms.items()]
    parts = [f"{_bytes(one)} bytes" if one.bytes else "", one.cost_text and f"loss {one.cost_text}"]
    said = ", ".join(part for part in (*parts, *times, one.problem) if part)
    return f"{said}{' (kept)' if one.chosen else ''}"


def _bytes(one: SchemeCandidate) -> str:
    return f"{one.bytes:,}" if one.bytes else ""
