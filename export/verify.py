"""Runs an artefact in its own runtime and compares it with the reference before handing it over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from typing_extensions import assert_never

from edgernn import reference
from edgernn.artefact import Artefact, Verification, VerificationStatus
from edgernn.devices import open_device
from edgernn.devices.runners import run_cases
from edgernn.devices.runners.outcome import Failed, Outputs, Skipped
from edgernn.errors import VerificationError
from edgernn.export.cases import Case, Examples, example_cases, make_cases
from edgernn.export.float_noise import float_noise
from edgernn.export.integer_bits import same_integers
from edgernn.graph import Graph
from edgernn.graph.tensor import AnyArray
from edgernn.scheme import Scheme

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

#: Mean |difference| of a scheme of fewer bits from the float32 model, relative to the output's
#: scale.  Sound models stay below 1 %; a wrong scale or gate is beyond 10 %.
INTEGER_TOLERANCE: Final = 0.05

#: Outputs that are zero everywhere have no scale.
SMALLEST_SCALE: Final = 1e-6

_NOT_WRITTEN: Final = (
    "The artefact was not written. Please report this model; --no-verify writes it all the same"
)

#: A scheme that passes instead is looked for, and named, by edgernn.export.alternatives.
_ROUNDED_REMEDY: Final = "--no-verify writes the file all the same"

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


def near_on_average(
    name: str,
    cases: Sequence[Case],
    actual: Sequence[NamedArrays],
    expected: Sequence[NamedArrays],
    *,
    cause: str = "",
) -> Verification:
    """Raises VerificationError when the mean error says that this is another function.

    Whether it is accurate enough is for the user to say, on labelled data.
    """
    mean = max(
        mean_relative_error(
            [here[output] for here in actual], [there[output] for there in expected]
        )
        for output in expected[0]
    )
    if not mean <= INTEGER_TOLERANCE:
        raise VerificationError(
            f"{name} differs from the float32 model: its outputs are off by {mean:.1%} of their "
            f"scale on average (allowed {INTEGER_TOLERANCE:.0%}){cause}",
            remedy=_ROUNDED_REMEDY,
        )
    return Verification(
        status=VerificationStatus.PASSED,
        cases=len(cases),
        max_error=worst_error(cases, actual, expected).error,
        mean_error=mean,
        agreement=agreement(actual, expected),
        tolerance=INTEGER_TOLERANCE,
    )


def mean_relative_error(actual: Sequence[AnyArray], expected: Sequence[AnyArray]) -> float:
    """mean |actual - expected| / max |expected| over all cases; infinite for another shape.

    NaN agrees with itself only, as in relative_error.
    """
    if any(here.shape != there.shape for here, there in zip(actual, expected, strict=True)):
        return float("inf")
    here = np.concatenate([array.ravel() for array in actual])
    there = np.concatenate([array.ravel() for array in expected])
    known = ~(np.isnan(here) & np.isnan(there))  # an average over no valid step is no number
    if not known.any():
        return 0.0
    scale = float(np.abs(there[np.isfinite(there)]).max(initial=0.0))
    error = float(np.abs(here[known] - there[known]).mean() / max(scale, SMALLEST_SCALE))
    return float("inf") if np.isnan(error) else error


def agreement(actual: Sequence[NamedArrays], expected: Sequence[NamedArrays]) -> float | None:
    """How often the largest number along the last axis is the same one; None without classes."""
    first = next(iter(expected[0]))
    if expected[0][first].ndim < 2 or expected[0][first].shape[-1] < 2:
        return None
    same = [
        np.argmax(here[first], axis=-1) == np.argmax(there[first], axis=-1)
        for here, there in zip(actual, expected, strict=True)
    ]
    return float(np.concatenate([row.ravel() for row in same]).mean())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Check:
    """What an artefact is compared with: the float model, and the graph that was written down."""

    original: Graph
    written: Graph
    examples: Examples | None
    exact: Graph | None = None  # what the artefact computes bit for bit, if it does


def verified(artefact: Artefact, check: Check, folder: Path) -> Verification:
    """The result of comparing `folder/artefact.name` with the reference.

    float32 and float16 must compute what the written graph means, up to rounding; for
    float16 the distance from the float32 model is reported too, since its weights are rounded.
    Integer schemes quantize activations in different ways: their mean error against the float model
    must be small.
    Where a back end computes the integers of docs/integer-arithmetic.md, it must give their bits.
    The artefact runs in a child process, so that a crash of its runtime is an error like another.
    Raises VerificationError when the artefact fails or its error is over the tolerance.
    """
    integer = artefact.scheme.has_integer_weights
    cases = make_cases(check.written)
    if integer and check.examples is not None:
        cases = example_cases(check.written, check.examples.inputs)
    meaning = check.original if integer else check.written
    expected = [reference.run(meaning, case.inputs) for case in cases]
    ran = _run(artefact, cases, folder)
    match ran:
        case Skipped():
            return Verification(status=VerificationStatus.SKIPPED, reason=ran.reason)
        case Failed():
            raise VerificationError(
                f"{artefact.name} cannot be run: {ran.reason}", remedy=_NOT_WRITTEN
            )
        case Outputs():
            compared = (artefact.name, cases, ran.cases, expected)
            verification = (
                near_on_average(*compared)
                if integer
                else same_up_to_rounding(*compared, graph=meaning)
            )
            if artefact.scheme is Scheme.FLOAT16:
                original = [reference.run(check.original, case.inputs) for case in cases]
                rounded = near_on_average(
                    artefact.name, cases, ran.cases, original, cause=_FLOAT16_CAUSE
                )
                verification = replace(verification, original_error=rounded.max_error)
            if check.exact is None:
                return verification
            found = same_integers(artefact.name, check.exact, cases, ran.cases)
            return replace(verification, integers=found)
        case _:
            assert_never(ran)


def _run(artefact: Artefact, cases: Sequence[Case], folder: Path) -> Outputs | Failed | Skipped:
    with open_device("cpu") as device:
        return run_cases(
            device,
            folder / artefact.name,
            artefact.backend,
            [case.inputs for case in cases],
            extra_files=[folder / file.name for file in artefact.files[1:]],
        )
