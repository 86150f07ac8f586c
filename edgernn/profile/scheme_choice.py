"""Which scheme is best for each format: the smallest file that loses no more than allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final

#: Files within this share of the smallest count as equally small: then the fastest is taken.
SAME_SIZE: Final = 0.05

#: A time below this share of another is worth saying, and below that one a reason to choose.
_FASTER: Final = 0.95
_CLEARLY: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemeCandidate:
    """One scheme of one format, as it was measured.

    cost: the loss of the metric beside the float model, in points of a share or percent of an
    error, on the device that loses most; None where the file did not run or failed its check.
    """

    file: str
    format: str
    scheme: str
    bytes: int
    cost: float | None = None
    cost_text: str = ""  # "0.3 points"
    p50_ms: Mapping[str, float] = field(default_factory=dict)  # by device; none on an emulated one
    problem: str = ""  # why it is out of the question
    chosen: bool = False

    @property
    def slowest_ms(self) -> float:
        """The median on the slowest device; infinite where no times were taken."""
        return max(self.p50_ms.values(), default=inf)


def with_choice(
    candidates: Iterable[SchemeCandidate], *, max_drop: float
) -> tuple[SchemeCandidate, ...]:
    """The candidates, one of each format chosen: the smallest whose cost is at most `max_drop`.

    Among files of almost the same size the fastest is chosen.  A format without such a file has no
    choice.

    >>> [one.file for one in with_choice(candidates, max_drop=1) if one.chosen]
    ['gru.int8.onnx', 'gru.float16.tflite']
    """
    marked: list[SchemeCandidate] = []
    for one in candidates:
        too_costly = one.cost is not None and one.cost > max_drop
        problem = f"costs more than {max_drop:g}" if too_costly else one.problem
        marked.append(replace(one, problem=problem))
    best: dict[str, SchemeCandidate] = {}
    for format_ in dict.fromkeys(one.format for one in marked):
        able = [one for one in marked if one.format == format_ and not one.problem]
        least = min((one.bytes for one in able), default=0)
        small = [one for one in able if one.bytes <= (1 + SAME_SIZE) * least]
        if small:
            best[format_] = min(small, key=lambda one: (one.slowest_ms, one.bytes))
    return tuple(replace(one, chosen=best.get(one.format) is one) for one in marked)


def choice_sentences(candidates: Sequence[SchemeCandidate]) -> tuple[str, ...]:
    """Why a file of more bits is the better one, and where a larger file is clearly faster."""
    sentences = []
    for chosen in (one for one in candidates if one.chosen):
        beside = [one for one in candidates if one.format == chosen.format]
        fewer = beside[beside.index(chosen) + 1 :]
        if fewer:
            reasons = ", ".join(f"{one.scheme} {_drawback(one, chosen)}" for one in fewer)
            sentences.append(f"{chosen.scheme} is the better file for {chosen.format}: {reasons}.")
        fastest = min((one for one in beside if not one.problem), key=lambda one: one.slowest_ms)
        if fastest.slowest_ms < _CLEARLY * chosen.slowest_ms < inf:
            sentences.append(
                f"{fastest.file} is {chosen.slowest_ms / fastest.slowest_ms:.1f} times as fast as "
                f"{chosen.file}, at {fastest.bytes - chosen.bytes:,} bytes more: take --scheme "
                f"{fastest.scheme} if time counts."
            )
    return tuple(sentences)


def _drawback(one: SchemeCandidate, chosen: SchemeCandidate) -> str:
    if one.problem:
        return one.problem
    size = one.bytes / chosen.bytes - 1
    text = f"is {size:.0%} larger" if size > SAME_SIZE else "has almost the same size"
    if chosen.slowest_ms < _FASTER * one.slowest_ms < inf:
        text += f" and is {one.slowest_ms / chosen.slowest_ms - 1:.0%} slower"
    return text
