"""When int4 pays, in sentences: against int8, and against a narrower model of as many bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edgernn.profile.measure import Benchmark
from edgernn.report.compared_values import difference_text, measured_devices, points_or_unit
from edgernn.selection.advice import cells_of, unstable_cells
from edgernn.selection.comparison import Comparison
from edgernn.selection.int4_verdict import INT4, INT8, Beside, Int4Verdict
from edgernn.selection.verdict import Outcome
from edgernn.units import file_size, milliseconds

TITLE: Final = "int4 or int8?"

#: An int8 file with at most this share more bytes than the int4 file stands for as many.
_AS_MANY: Final = 1.05


def bits_sentences(comparison: Comparison) -> list[str]:
    """A paragraph for each contender with files in both schemes, in markdown."""
    return [" ".join(_said(one, comparison)) for one in comparison.int4_verdicts]


def _said(one: Int4Verdict, comparison: Comparison) -> Iterator[str]:
    saved = 100 * (1 - one.bytes / one.whole.bytes)
    yield (
        f"**{one.contender.name}: {_advice(one)}**. In int4 it has {file_size(one.bytes)}, "
        f"{saved:.0f} % less than in int8: {_difference(one.whole, comparison)}."
    )
    if one.narrow is not None:
        yield (
            f"{one.narrow.contender.name} in int8 has {file_size(one.narrow.bytes)}; "
            f"{one.contender.name} in int4 beside it: {_difference(one.narrow, comparison)}."
        )
    yield from _times(one, comparison)


def _advice(one: Int4Verdict) -> str:
    whole = one.whole.verdict.outcome
    if whole is Outcome.WORSE:
        return "stay with int8, or train on the grid of int4 (`edgernn train --qat int4`)"
    if one.narrow is None:
        return _UNDECIDED if whole is Outcome.UNDECIDED else _NOT_COMPARED
    narrow, name = one.narrow.verdict.outcome, f"{one.narrow.contender.name} in int8"
    is_as_small = one.narrow.bytes <= _AS_MANY * one.bytes
    match narrow:
        case Outcome.BETTER:
            return f"int4 pays where bytes count: {name} is worse"
        case Outcome.EQUAL if not is_as_small:
            return f"int4 pays where bytes count: {name} is equal for your purpose, and larger"
        case Outcome.EQUAL:
            return f"{name} is equal for your purpose and no larger, so int4 does not pay"
        case Outcome.WORSE:
            larger = "" if is_as_small else ", and larger"
            return f"{name} is better{larger}"
        case Outcome.UNDECIDED:
            return _UNDECIDED


_UNDECIDED: Final = "these trainings do not decide whether int4 pays"
_NOT_COMPARED: Final = (
    "int4 is as good as int8 in fewer bytes; no narrower model in int8 was compared"
)


def _difference(beside: Beside, comparison: Comparison) -> str:
    figures = difference_text(beside.verdict.effect, comparison)
    return f"{comparison.judge.noun} {figures} {points_or_unit(comparison)}"


def _times(one: Int4Verdict, comparison: Comparison) -> Iterator[str]:
    """A call hot, the first of a process, and with pauses; of undisturbed measurements only."""
    cells, unstable = cells_of(comparison), unstable_cells(comparison)
    for device in measured_devices(comparison):
        pair = [cells.get((device, one.contender.name, form)) for form in (INT4, INT8)]
        steady = [
            cell.benchmark for cell in pair if cell and cell.benchmark and cell not in unstable
        ]
        if len(steady) == len(pair):
            yield f"On {device} {_figures(*steady)}."


def _figures(few: Benchmark, eight: Benchmark) -> str:
    said = [
        f"a call takes {milliseconds(few.hot.p50_ms)} (int8 {milliseconds(eight.hot.p50_ms)})",
        f"the first {milliseconds(few.first_call_ms)} ({milliseconds(eight.first_call_ms)})",
    ]
    if few.paced and eight.paced:
        said.append(
            f"one every {milliseconds(few.period_ms)} {milliseconds(few.paced.p50_ms)} "
            f"({milliseconds(eight.paced.p50_ms)})"
        )
    return ", ".join(said)
