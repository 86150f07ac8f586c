"""Words and figures that all presentations of a comparison share."""

from __future__ import annotations

from collections.abc import Sequence

from edgernn.profile.report import Cell
from edgernn.selection.advice import Choice, advice, cells_of, deployed, unstable_cells
from edgernn.selection.comparison import Comparison, Group, Standing
from edgernn.selection.contender import Contender, Equal
from edgernn.selection.controls import controls_of
from edgernn.selection.crossed import FEWEST_PAIRS, Effect
from edgernn.selection.sizing import TOLERANCE
from edgernn.selection.training import ORIGINAL
from edgernn.selection.verdict import Verdict
from edgernn.tasks.notation import architecture_named
from edgernn.units import DASH, file_size, milliseconds, seconds


def title(comparison: Comparison) -> str:
    """ "gru or lstm on digits?", without the controls."""
    names = dict.fromkeys(one.contender.architecture for one in comparison.groups[0].standings)
    asked = [name for name in names if name not in comparison.controls]
    return f"{' or '.join(asked)} on {comparison.data}?"


def recommendation(comparison: Comparison) -> str:
    """One or two sentences, in markdown."""
    found = advice(comparison)
    name = found.contender.name if found.contender else ""
    match found.choice:
        case Choice.NEITHER:
            return f"**Use neither**: {found.reason}."
        case Choice.UNDECIDED:
            said = f"**Cannot tell from these measurements**: {found.reason}."
            if found.meanwhile is None:
                return said
            return f"{said}  Until then {found.meanwhile.name} has the smallest file."
        case Choice.ONE:
            return f"**Use {name}**: {found.reason}."
        case Choice.CHEAPEST:
            return f"**Equal for your purpose; use {name}**: {found.reason}."


def contender_name(contender: Contender, comparison: Comparison) -> str:
    """With a word on what nobody asked for."""
    is_control = contender.architecture in comparison.controls
    return f"{contender.name} (control)" if is_control else contender.name


def group_title(group: Group) -> str:
    """What its contenders have in common."""
    return {Equal.UNITS: "Equal units", Equal.BYTES: "Equal bytes"}[group.equal]


def group_table(group: Group, comparison: Comparison) -> list[list[str]]:
    """The head, then a row for each contender in each form."""
    devices = measured_devices(comparison)
    head = [
        "contender",
        "file",
        comparison.judge.name,
        f"difference from {group.standings[0].contender.name}",
        "verdict",
        "size",
        *(f"p50 on {device_title(device, comparison)}" for device in devices),
        "seeds differ by",
    ]
    return [head, *(_row(one, comparison) for one in group.standings)]


def group_note(group: Group, comparison: Comparison) -> str:
    """What would decide the undecided; which contenders of equal bytes are not equal."""
    standings = deployed(group)
    said = [
        f"{one.contender.name} is not decided: {one.verdict.more.text}."
        for one in standings
        if one.verdict and one.verdict.more
        if one.contender.architecture not in comparison.controls
    ]
    if group.equal is Equal.BYTES:
        wanted = standings[0].bytes or 1
        shares = {one.contender.name: (one.bytes or 0) / wanted - 1 for one in standings}
        said += [
            f"{name} has {100 * abs(share):.0f} % {'more' if share > 0 else 'fewer'} bytes: no "
            "other width comes nearer."
            for name, share in shares.items()
            if abs(share) > TOLERANCE
        ]
    return "  ".join(said)


def points_or_unit(comparison: Comparison) -> str:
    """Of a difference: points of a share, or the unit of the data."""
    return "points" if comparison.judge.is_share else comparison.judge.unit


def difference_text(effect: Effect, comparison: Comparison) -> str:
    """+0.40 [-0.10, +0.90], in points or in the unit of the data."""
    scale = comparison.judge.scale
    low, high = (scale * bound for bound in effect.interval)
    return f"{scale * effect.estimate:+.2f} [{low:+.2f}, {high:+.2f}]"


def measured_devices(comparison: Comparison) -> list[str]:
    """Names, in the order of the report."""
    if comparison.measured is None:
        return []
    return list(dict.fromkeys(cell.device for cell in comparison.measured.cells))


def device_title(device: str, comparison: Comparison) -> str:
    """Its name, with the mark that each of its times would have."""
    return f"{device} (unstable)" if _all_unstable(device, comparison) else device


def marked_cells(comparison: Comparison) -> list[Cell]:
    """Those with unstable times, where some of their device's times are not."""
    found = unstable_cells(comparison)
    return [one for one in found if not _all_unstable(one.device, comparison)]


def _all_unstable(device: str, comparison: Comparison) -> bool:
    if comparison.measured is None:
        return False
    timed = [one for one in comparison.measured.cells if one.device == device and one.benchmark]
    unstable = unstable_cells(comparison)
    return bool(timed) and all(one in unstable for one in timed)


def method(comparison: Comparison) -> str:
    """How the figures came about, in sentences."""
    seeds = [len(runs) for runs in comparison.trainings.values()]
    number = f"{min(seeds)}" if min(seeds) == max(seeds) else f"{min(seeds)} to {max(seeds)}"
    trainings = "training" if max(seeds) == 1 else "trainings"
    together = (
        f"  Rows of one origin (a speaker, a file) count as one: there are {comparison.origins}."
        if comparison.origins
        else ""
    )
    return (
        f"{legend(comparison)}  {number} {trainings} of each contender, each with its own seed, "
        "weights and validation rows; all are scored on the same "
        f"{comparison.test_rows:,} test rows.  Intervals (95 %) hold the luck of "
        "both, seeds and rows; p-values are adjusted for the number of "
        f"comparisons (Holm){_of_controls(comparison)}.{together}  A difference below "
        f"{comparison.judge.amount(comparison.worth)} "
        "counts as equal.  Times are those of one training of each contender, the one with the "
        f"median score, measured when nothing was being trained.  In all: "
        f"{seconds(comparison.seconds)}.{_left_out(comparison)}{_refused(comparison)}{_unmeasured(comparison)}"
        f"{_disturbed(comparison)}"
    )


def _of_controls(comparison: Comparison) -> str:
    trained = {one.architecture for one in comparison.trainings}
    if not trained & set(comparison.controls):
        return ""
    return ", those of what was asked for without the controls, which nobody asked for"


def legend(comparison: Comparison) -> str:
    """What the names of contenders mean."""
    first = comparison.first
    said = [f"{first.name}: {first.architecture} with {first.units:,} units in each layer."]
    names = {one.architecture for one in comparison.trainings}
    members = {name: architecture_named(name).members for name in sorted(names)}
    if stacks := [name for name, (stack, *more) in members.items() if len(stack) > 1 and not more]:
        said.append(f"{stacks[0]}: the second layer takes what the first one gives.")
    if any(len(of) > 1 for of in members.values()):
        said.append(
            "a+b: one model that answers with the mean of two models, which were trained apart; "
            "where a contender is such a model by itself, its trainings are the ones averaged, and "
            f"from {FEWEST_PAIRS} seeds on, seed is compared with seed."
        )
    if names & set(comparison.controls):
        said.append(
            "A control is as large as a mix and has one kind of cell: it shows whether the mix or "
            "the size makes the difference."
        )
    return "  ".join(said)


def _refused(comparison: Comparison) -> str:
    """Files that failed their check; each reason is a sentence."""
    return "".join(f"  Not measured: {reason}." for reason in comparison.refused)


def _unmeasured(comparison: Comparison) -> str:
    return "".join(
        f"  On {device} nothing was measured: {reason}"
        for device, reason in comparison.unmeasured.items()
    )


def _disturbed(comparison: Comparison) -> str:
    if not unstable_cells(comparison):
        return ""
    return (
        "  Times that are marked as unstable were disturbed, by other programs for instance: "
        "`edgernn profile` of the folder files/ says by what, and measures again."
    )


def without_controls(comparison: Comparison) -> str:
    """Why there is no control of a mix, in sentences."""
    first = comparison.first
    said = [
        f"{one.name} needs no control of its size: "
        + (
            "no other contender was found worse"
            if one == first
            else f"it was not found better than {first.name}"
        )
        + ", so there is no gain to explain."
        for one in comparison.without_gain
    ]
    said += [
        f"The time limit left out {' and '.join(names)}: whether the cells of {one.name} or its "
        "size make its gain is not known."
        for one, names in _without_time(comparison).items()
    ]
    return "  ".join(said)


def _without_time(comparison: Comparison) -> dict[Contender, list[str]]:
    """The controls that a mix needs and that were not trained."""
    trained = {one.architecture for one in comparison.trainings}
    mixes = [one.contender for one in deployed(comparison.groups[0])]
    missing = {
        one: [
            name
            for name in controls_of(one.architecture)
            if name in comparison.controls and name not in trained
        ]
        for one in mixes
        if one not in comparison.without_gain
    }
    return {one: names for one, names in missing.items() if names}


def _left_out(comparison: Comparison) -> str:
    if not comparison.left_out:
        return ""
    missing = [name for names in _without_time(comparison).values() for name in names]
    controls = f", with them all of the controls {', '.join(missing)}" if missing else ""
    return f"  The time limit left out {comparison.left_out} trainings{controls}."


def _row(standing: Standing, comparison: Comparison) -> list[str]:
    judge, cells = comparison.judge, cells_of(comparison)
    unstable = marked_cells(comparison)
    verdict = standing.verdict
    return [
        contender_name(standing.contender, comparison),
        "Keras model" if standing.form == ORIGINAL else standing.form,
        judge.text(standing.score),
        DASH if verdict is None else difference_text(verdict.effect, comparison),
        _verdict(verdict),
        file_size(standing.bytes),
        *(
            p50_text(cells.get((device, standing.contender.name, standing.form)), unstable)
            for device in measured_devices(comparison)
        ),
        DASH if standing.deviation is None else judge.amount(standing.deviation),
    ]


def _verdict(verdict: Verdict | None) -> str:
    return "reference" if verdict is None else verdict.outcome.value


def p50_text(cell: Cell | None, unstable: Sequence[Cell]) -> str:
    """The median of a call, marked where something disturbed it."""
    if cell is None or cell.benchmark is None:
        return DASH
    return milliseconds(cell.benchmark.hot.p50_ms) + (" (unstable)" if cell in unstable else "")
