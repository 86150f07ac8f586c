"""Runs an artefact in its own runtime and compares it with the reference before handing it over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from typing_extensions import assert_never

from edgernn.artefact import Artefact, Verification, VerificationStatus
from edgernn.devices import open_device
from edgernn.devices.runners import run_cases
from edgernn.devices.runners.outcome import Failed, Outputs, Skipped
from edgernn.errors import VerificationError
from edgernn.export.batches import Batch, check_rows_agree
from edgernn.export.carried import answers_of
from edgernn.export.cases import Case
from edgernn.export.float_noise import float_noise
from edgernn.export.integer_bits import same_integers
from edgernn.export.mean_error import (
    INTEGER_TOLERANCE,
    MADE_UP_TOLERANCE,
    ROUNDED_REMEDY,
    beside_float32,
    near_on_average,
    spreads_of,
    with_answers,
)
from edgernn.export.noise import shares_a_unit
from edgernn.export.quantization.unlike import REMEDY
from edgernn.export.rows import Origin
from edgernn.export.suite import Suite
from edgernn.formats import FORMATS
from edgernn.graph import Graph
from edgernn.graph.tensor import AnyArray
from edgernn.reference import References, integer
from edgernn.scheme import Scheme
from edgernn.side_by_side import meanwhile, one_thread_each

#: Largest |difference| relative to the output's scale.  float32 sums in another order differ by a
#: few 1e-7 a step; a wrong gate, mask or padding is off by 1e-2 and more.
FLOAT_TOLERANCE: Final = 1e-4

#: Where float32 itself is worse, since layers amplify what is left of numbers that cancel: so many
#: times what a last bit is worth there (sums that are sound stay below 4), and this at most.
NOISE_MARGIN: Final = 8.0
LARGEST_FLOAT_TOLERANCE: Final = 1e-2

#: An output below this is a remainder of sums of numbers around one, whose order alone is worth
#: 1e-6: what is relative to less would refuse sound models.
SMALLEST_FLOAT_SCALE: Final = 0.01

_NOT_WRITTEN: Final = (
    "The artefact was not written. Please report this model; --no-verify writes it all the same"
)

#: Why a file is not checked.
NO_SCALE: Final = f"made-up inputs do not have the unlike scales that its weights suggest. {REMEDY}"

_FLOAT16_CAUSE: Final = ": some weights are too small or too large for float16"


NamedArrays = Mapping[str, AnyArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """The largest error over all cases and outputs, and where it was."""

    error: float
    case: str
    output: str


def relative_error(actual: AnyArray, expected: AnyArray, *, scale: float | None = None) -> float:
    """max |actual - expected| / scale, infinite for another shape; scale: max(1, max |expected|).

    NaN and infinity agree with themselves only: an average over no valid step is NaN in Keras too.
    """
    if actual.shape != expected.shape:
        return float("inf")
    here, there = actual.astype(np.float64), expected.astype(np.float64)
    differs = (here != there) & ~(np.isnan(here) & np.isnan(there))
    if not differs.any():
        return 0.0
    difference = np.subtract(here, there, where=differs, out=np.zeros_like(there))
    unit = largest(there, at_least=1.0) if scale is None else scale
    error = float(np.abs(difference).max()) / unit
    return float("inf") if np.isnan(error) else error


def largest(array: AnyArray, *, at_least: float) -> float:
    """The largest finite magnitude."""
    return float(np.abs(array[np.isfinite(array)]).max(initial=at_least))


def worst_error(
    cases: Sequence[Case],
    actual: Sequence[Mapping[str, AnyArray]],
    expected: Sequence[Mapping[str, AnyArray]],
    *,
    tolerances: Mapping[str, float] = MappingProxyType({}),
) -> Worst:
    """Compares outputs by name, case by case.  A missing output is an infinite error.

    The scale of an output is its largest number in all cases, not in one: a sum that happens to be
    near zero is as inexact as its terms.  Where outputs have different `tolerances`, the worst is
    furthest beyond its own.
    """
    scales = _scales(expected)
    worst, excess = Worst(error=-1.0, case="", output=""), -1.0
    for case, here, there in zip(cases, actual, expected, strict=True):
        for name, wanted in there.items():
            scale = scales[name]
            known = name in here
            error = relative_error(here[name], wanted, scale=scale) if known else float("inf")
            beyond = error / tolerances.get(name, FLOAT_TOLERANCE)
            if beyond > excess:
                worst, excess = Worst(error=error, case=case.name, output=name), beyond
    return worst


def _scales(expected: Sequence[Mapping[str, AnyArray]]) -> dict[str, float]:
    return {
        name: max(largest(one[name], at_least=SMALLEST_FLOAT_SCALE) for one in expected)
        for name in expected[0]
    }


def same_up_to_rounding(
    name: str,
    cases: Sequence[Case],
    actual: Sequence[NamedArrays],
    expected: Sequence[NamedArrays],
    *,
    graph: Graph | None = None,
) -> Verification:
    """Raises VerificationError when any number is further off than float32 sums may be.

    With the `graph` that gave what is expected, that is asked before a refusal.
    """
    worst, tolerance = worst_error(cases, actual, expected), FLOAT_TOLERANCE
    if graph is not None and not worst.error <= tolerance:
        tolerances = _tolerances(graph, cases, expected)
        worst = worst_error(cases, actual, expected, tolerances=tolerances)
        tolerance = tolerances[worst.output]
    if not worst.error <= tolerance:
        raise VerificationError(
            f"{name} differs from the model: output '{worst.output}' is off by "
            f"{worst.error:.2g} of its scale (allowed {tolerance:.0e}) "
            f"for the case '{worst.case}'",
            remedy=_NOT_WRITTEN,
        )
    return Verification(
        status=VerificationStatus.PASSED,
        cases=len(cases),
        max_error=worst.error,
        tolerance=tolerance,
    )


def _tolerances(
    graph: Graph, cases: Sequence[Case], expected: Sequence[NamedArrays]
) -> dict[str, float]:
    noise, scales = float_noise(graph, cases, expected), _scales(expected)
    return {
        name: float(
            np.clip(NOISE_MARGIN * noise[name] / scale, FLOAT_TOLERANCE, LARGEST_FLOAT_TOLERANCE)
        )
        for name, scale in scales.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Check:
    """What an artefact is compared with.

    original: the float model.  written: the graph that was written down.  exact: what the artefact
    computes bit for bit, if it does.  references: what several artefacts are compared with.
    unlike: sentences about features of unlike scale that no rows show; usually none.
    ahead: called while the file runs, in a thread: what the next file needs.
    """

    original: Graph
    written: Graph
    suite: Suite
    exact: Graph | None = None
    references: References = field(default_factory=References)
    unlike: tuple[str, ...] = ()
    ahead: Callable[[], object] = lambda: None

    @property
    def remedy(self) -> str:
        return f"{REMEDY}. {ROUNDED_REMEDY}" if self.unlike else ROUNDED_REMEDY


def verified(artefact: Artefact, check: Check, folder: Path) -> Verification:
    """The result of comparing `folder/artefact.name` with the reference.

    float32 and float16 must compute what the written graph means, up to rounding; for
    float16 the distance from the float32 model is reported too, since its weights are rounded.
    Integer schemes quantize activations in different ways: their mean error against the float model
    must be small, on real rows where there are some, and a row must answer in a batch as it does
    alone.  Where a back end computes the integers of docs/integer-arithmetic.md, it must give their
    bits.
    Where weights suggest features of unlike scale and no rows show it, a file of fewer bits that
    agrees on made-up inputs is still not checked: those are all of one scale.
    The artefact runs in a child process, so that a crash of its runtime is an error like another.
    Raises VerificationError when the artefact fails or its error is over the tolerance.
    """
    suite = check.suite
    with one_thread_each(), meanwhile(lambda: _prepare(artefact, check)):
        ran = _run(artefact, [*suite.cases, *suite.again], folder)
    if isinstance(ran, Skipped):
        return Verification(status=VerificationStatus.SKIPPED, reason=ran.reason)
    together = list(suite.again)
    if _uses_threads(artefact, suite):
        threaded = _run(artefact, suite.again, folder, threads=2)
        if isinstance(threaded, Outputs):
            together += suite.again
            ran = replace(ran, cases=(*ran.cases, *threaded.cases))
    calls = [*suite.cases, *together]
    if artefact.scheme.has_integer_weights:
        found = _near(artefact.name, check, calls, ran.cases)
    else:
        found = _same(artefact, check, calls, ran.cases)
    if suite.sequences and artefact.scheme is not Scheme.FLOAT32:
        found = _also_over_sequences(found, artefact, check, folder)
    if check.unlike and artefact.scheme is not Scheme.FLOAT32:
        return Verification(status=VerificationStatus.UNDECIDED, reason=NO_SCALE)
    return found


def _prepare(artefact: Artefact, check: Check) -> None:
    """Computes what the file is compared with, so that it is known when its answers are."""
    inputs = check.suite.inputs
    if artefact.scheme.has_integer_weights:
        check.references.of(check.original, inputs)
        if check.exact is not None:
            check.references.of(check.exact, inputs, run=integer.run)
    else:
        check.references.of(check.written, inputs)
    check.ahead()


def _same(
    artefact: Artefact, check: Check, calls: Sequence[Case], actual: Sequence[NamedArrays]
) -> Verification:
    """Of float weights: what the written graph means."""
    expected = check.references.of(check.written, [call.inputs for call in calls])
    compared = (artefact.name, calls, actual, expected)
    found = same_up_to_rounding(*compared, graph=check.written)
    found = replace(found, cases=len(check.suite.cases), checked_on=check.suite.origin.value)
    decisive, shared = check.suite.decisive, _of_one_unit(check.original)
    original = check.references.of(check.original, [case.inputs for case in decisive])
    positions = _positions(calls, decisive)
    found = beside_float32(found, [actual[at] for at in positions], original, shared=shared)
    if artefact.scheme is not Scheme.FLOAT16:
        return found
    rounded = near_on_average(
        *(artefact.name, decisive, [actual[at] for at in positions], original),
        shared=shared,
        tolerance=_tolerance(check.suite),
        cause=_FLOAT16_CAUSE,
        remedy=check.remedy,
    )
    worst = worst_error(decisive, [actual[at] for at in positions], original)
    return replace(found, status=rounded.status, reason=rounded.reason, original_error=worst.error)


def _near(
    name: str, check: Check, calls: Sequence[Case], actual: Sequence[NamedArrays]
) -> Verification:
    """Of integer weights: about what the float model says."""
    suite, shared = check.suite, _of_one_unit(check.original)
    expected = check.references.of(check.original, [call.inputs for call in calls])
    given, actual = actual, with_answers(actual, expected)
    chosen = _positions(calls, suite.decisive)
    there = [expected[at] for at in chosen]
    found = near_on_average(
        *(name, suite.decisive, [actual[at] for at in chosen], there),
        shared=shared,
        tolerance=_tolerance(suite, by_step=bool(suite.sequences)),
        remedy=check.remedy,
    )
    batched = [at for at, call in enumerate(calls) if isinstance(call, Batch)]
    check_rows_agree(
        name,
        [call for call in calls if isinstance(call, Batch)],
        [actual[at] for at in batched],
        [expected[at] for at in batched],
        {output: one.at_least_shared for output, one in spreads_of(there, shared).items()},
    )
    worst = worst_error(suite.decisive, [actual[at] for at in chosen], there)
    found = replace(found, checked_on=suite.origin.value, max_error=worst.error)
    if check.exact is None:
        return found
    wanted = check.references.of(check.exact, [call.inputs for call in calls], run=integer.run)
    return replace(found, integers=same_integers(name, check.exact, calls, given, wanted))


def _also_over_sequences(
    found: Verification, artefact: Artefact, check: Check, folder: Path
) -> Verification:
    """What was found of single steps, with the verdict on whole sequences of the file's own states.

    Errors add up in the states, or vanish beside what sequences reach: a first step of a slow
    memory varies by next to nothing.
    """
    cases = check.suite.sequences
    ran = _run(artefact, cases, folder, carried=True)
    if isinstance(ran, Skipped):
        return found
    expected = answers_of(check.original, cases)
    calls = next(iter(expected[0].values())).shape[1]
    over = near_on_average(
        *(f"{artefact.name}, over sequences of {calls} calls,", cases),
        with_answers(ran.cases, expected),
        expected,
        shared=_of_one_unit(check.original),
        tolerance=_tolerance(check.suite),
        remedy=check.remedy,
    )
    if found.mean_error is None:  # float16, whose steps are held to what is written
        return found if over.status is VerificationStatus.PASSED else _as_in(found, over)
    return replace(
        _as_in(found, over),
        mean_error=over.mean_error,
        agreement=over.agreement,
        tolerance=over.tolerance,
        mean_difference=over.mean_difference,
        changed=over.changed,
    )


def _as_in(found: Verification, over: Verification) -> Verification:
    return replace(found, status=over.status, reason=over.reason)


def _positions(calls: Sequence[Case], wanted: Sequence[Case]) -> list[int]:
    at = {id(call): position for position, call in reversed(list(enumerate(calls)))}
    return [at[id(case)] for case in wanted]


def _tolerance(suite: Suite, *, by_step: bool = False) -> float:
    """by_step: of single steps beside sequences, which decide."""
    is_lenient = by_step or suite.origin is Origin.MADE_UP
    return MADE_UP_TOLERANCE if is_lenient else INTEGER_TOLERANCE


def _of_one_unit(graph: Graph) -> frozenset[str]:
    return frozenset(output.name for output in graph.outputs if shares_a_unit(graph, output.edge))


def _uses_threads(artefact: Artefact, suite: Suite) -> bool:
    """Whether a second thread could change answers: the rows of a batch are shared out."""
    return (
        suite.has_masks
        and artefact.scheme.has_integer_weights
        and FORMATS[artefact.backend].threads
    )


def _run(
    artefact: Artefact,
    cases: Sequence[Case],
    folder: Path,
    *,
    threads: int = 1,
    carried: bool = False,
) -> Outputs | Skipped:
    """`carried`: the cases are sequences, and a call gets the states of the one before.

    Raises VerificationError where the file cannot be run.
    """
    with open_device("cpu") as device:
        ran = run_cases(
            device,
            folder / artefact.name,
            artefact.backend,
            [case.inputs for case in cases],
            extra_files=[folder / file.name for file in artefact.files[1:]],
            threads=threads,
            states=artefact.states if carried else (),
            streaming=carried,
        )
    match ran:
        case Failed():
            raise VerificationError(
                f"{artefact.name} cannot be run: {ran.reason}", remedy=_NOT_WRITTEN
            )
        case Outputs() | Skipped():
            return ran
        case _:
            assert_never(ran)
