"""Runs an artefact in its own runtime and compares it with the reference before handing it over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import assert_never

from edgernn import reference
from edgernn.artefact import Artefact, Verification, VerificationStatus
from edgernn.devices import open_device
from edgernn.devices.runners import Failed, Outputs, Skipped, run_cases
from edgernn.errors import VerificationError
from edgernn.export.cases import Case, make_cases
from edgernn.graph import Graph
from edgernn.graph.tensor import AnyArray

#: Largest |difference| relative to the output's scale.  float32 sums in another order differ by a
#: few 1e-7 a step; a wrong gate, mask or padding is off by 1e-2 and more.
FLOAT_TOLERANCE = 1e-4


NamedArrays = Mapping[str, AnyArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """The largest error over all cases and outputs, and where it was."""

    error: float
    case: str
    output: str


def relative_error(actual: AnyArray, expected: AnyArray) -> float:
    """max |actual - expected| / max(1, max |expected|), infinite for another shape.

    NaN and infinity agree with themselves only: an average over no valid step is NaN in Keras too.
    """
    if actual.shape != expected.shape:
        return float("inf")
    here, there = actual.astype(np.float64), expected.astype(np.float64)
    differs = (here != there) & ~(np.isnan(here) & np.isnan(there))
    if not differs.any():
        return 0.0
    difference = np.subtract(here, there, where=differs, out=np.zeros_like(there))
    scale = float(np.abs(there[np.isfinite(there)]).max(initial=1.0))
    error = float(np.abs(difference).max()) / scale
    return float("inf") if np.isnan(error) else error


def worst_error(
    cases: Sequence[Case],
    actual: Sequence[Mapping[str, AnyArray]],
    expected: Sequence[Mapping[str, AnyArray]],
) -> Worst:
    """Compares outputs by name, case by case.  A missing output is an infinite error."""
    worst = Worst(error=-1.0, case="", output="")
    for case, here, there in zip(cases, actual, expected, strict=True):
        for name, wanted in there.items():
            error = relative_error(here[name], wanted) if name in here else float("inf")
            if error > worst.error:
                worst = Worst(error=error, case=case.name, output=name)
    return worst


def judged(worst: Worst, *, artefact: str, cases: int, tolerance: float) -> Verification:
    """A passed verification.

    Raises VerificationError when the worst error is over the tolerance.
    """
    if not worst.error <= tolerance:
        raise VerificationError(
            f"{artefact} differs from the model: output '{worst.output}' is off by "
            f"{worst.error:.2g} of its scale (allowed {tolerance:.0e}) for the case '{worst.case}'",
            remedy="The artefact was not written. Please report this model; "
            "--no-verify writes it all the same",
        )
    return Verification(
        status=VerificationStatus.PASSED,
        cases=cases,
        max_error=worst.error,
        tolerance=tolerance,
    )


def verified(artefact: Artefact, graph: Graph, folder: Path) -> Verification:
    """What the comparison of `folder/artefact.name` with the reference of `graph` gave.

    The artefact runs in a child process, so that a crash of its runtime is an error like another.
    Raises VerificationError when the artefact fails or its worst error is over the tolerance.
    """
    cases = make_cases(graph)
    expected = [reference.run(graph, case.inputs) for case in cases]
    with open_device("cpu") as device:
        ran = run_cases(
            device,
            folder / artefact.name,
            artefact.backend,
            [case.inputs for case in cases],
            extra_files=[folder / file.name for file in artefact.files[1:]],
        )
    match ran:
        case Skipped():
            return Verification(status=VerificationStatus.SKIPPED, reason=ran.reason)
        case Failed():
            raise VerificationError(
                f"{artefact.name} cannot be run: {ran.reason}",
                remedy="The artefact was not written. Please report this model; "
                "--no-verify writes it all the same",
            )
        case Outputs():
            worst = worst_error(cases, ran.cases, expected)
            return judged(
                worst, artefact=artefact.name, cases=len(cases), tolerance=FLOAT_TOLERANCE
            )
        case _:
            assert_never(ran)
