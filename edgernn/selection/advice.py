"""What a comparison advises: one contender, either, neither, or more measuring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from edgernn.profile.judgement import disturbances
from edgernn.profile.report import Cell
from edgernn.selection.comparison import Comparison, Group, Standing
from edgernn.selection.contender import Contender
from edgernn.selection.verdict import Outcome


class Choice(str, Enum):
    """What the measurements allow to say."""

    ONE = "one contender is better"
    CHEAPEST = "equal scores: take the cheapest"
    NEITHER = "use neither"
    UNDECIDED = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """The recommendation of a comparison and its reason, in sentences."""

    choice: Choice
    contender: Contender | None  # None: neither, or not decided
    reason: str
    meanwhile: Contender | None = None  # of those that may be the best, the smallest file


def advice(comparison: Comparison) -> Advice:
    """From the first group, in the smallest form: what would be deployed.

    In this order: a model without recurrence that is as good wins; else the contender with the
    best verdict; among equals the one with the smallest file.  A control may win, but one that is
    undecided, with its fewer seeds, leaves nothing open: nobody asked for it.
    """
    for beside in comparison.baselines:
        if beside.verdict.outcome in {Outcome.WORSE, Outcome.EQUAL}:
            is_worse = beside.verdict.outcome is Outcome.WORSE
            return Advice(
                choice=Choice.NEITHER,
                contender=None,
                reason=f"the {beside.baseline} model without recurrence reaches "
                f"{comparison.judge.text(beside.score)} on the same rows, and the best contender "
                f"({beside.contender.name}) is {'worse' if is_worse else 'no better'}",
            )
    standings = deployed(comparison.groups[0])
    first, others = standings[0], standings[1:]
    better = [one for one in others if _outcome(one) is Outcome.BETTER]
    if better:
        best = _best(better, comparison)
        return Advice(
            choice=Choice.ONE,
            contender=best.contender,
            reason=f"its {comparison.judge.noun} is {_gain(best, comparison)} better than that of "
            f"{first.contender.name}, beyond the luck of seeds and rows",
        )
    asked = [one for one in others if one.contender.architecture not in comparison.controls]
    if all(_outcome(one) is Outcome.WORSE for one in asked):
        which = " that was asked for" if len(asked) < len(others) else ""
        return Advice(
            choice=Choice.ONE,
            contender=first.contender,
            reason=f"every other contender{which} is worse beyond the luck of seeds and rows",
        )
    equals = [first, *(one for one in others if _outcome(one) is Outcome.EQUAL)]
    undecided = [one for one in asked if _outcome(one) is Outcome.UNDECIDED]
    if undecided:
        possible = [*equals, *undecided]
        return Advice(
            choice=Choice.UNDECIDED,
            contender=None,
            reason=_what_would_decide(undecided[0]),
            meanwhile=min(possible, key=lambda one: one.bytes or 0).contender,
        )
    cheapest = min(equals, key=lambda one: one.bytes or 0)
    return Advice(
        choice=Choice.CHEAPEST,
        contender=cheapest.contender,
        reason=f"the differences of {' and '.join(one.contender.name for one in equals)} are "
        f"smaller than {comparison.judge.amount(comparison.worth)}, and its file is the smallest",
    )


def deployed(group: Group) -> list[Standing]:
    """The standings in the last form: of the smallest scheme."""
    form = group.standings[-1].form
    return [one for one in group.standings if one.form == form]


def cells_of(comparison: Comparison) -> Mapping[tuple[str, str, str], Cell]:
    """What was measured, by device, contender and form; the fastest is the reader's to find."""
    if comparison.measured is None:
        return {}
    return {
        (cell.device, cell.item.model, f"{cell.item.backend} {cell.item.scheme}"): cell
        for cell in comparison.measured.cells
    }


def unstable_cells(comparison: Comparison) -> list[Cell]:
    """Those whose times other programs or the device disturbed."""
    report = comparison.measured
    return [] if report is None else [one for one in report.cells if disturbances(one, report)]


def _what_would_decide(standing: Standing) -> str:
    verdict = standing.verdict
    if verdict is None or verdict.more is None:
        return "the intervals are too wide"
    return f"{standing.contender.name} is not decided: {verdict.more.text}"


def _gain(standing: Standing, comparison: Comparison) -> str:
    effect = standing.verdict.effect.estimate if standing.verdict else 0.0
    return comparison.judge.amount(abs(effect))


def _outcome(standing: Standing) -> Outcome | None:
    return standing.verdict.outcome if standing.verdict else None


def _best(standings: Sequence[Standing], comparison: Comparison) -> Standing:
    sign = 1 if comparison.judge.higher_is_better else -1
    return max(standings, key=lambda one: sign * one.score)
