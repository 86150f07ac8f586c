"""A file of fewer bits beside the float32 model: its mean error decides.

Of real rows, a few dozen stand for all: a file passes where its error is small enough even if they
flatter it.  Where the outputs hardly vary over the rows, nothing is decided: what is lost of so
little may be all that matters, or nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from edgernn.artefact import Verification, VerificationStatus
from edgernn.errors import VerificationError
from edgernn.export.cases import Case
from edgernn.export.noise import FEWEST_ROWS, Spread, spread
from edgernn.graph import AnyArray
from edgernn.units import percent

NamedArrays = Mapping[str, AnyArray]

#: Mean |difference| of a scheme of fewer bits from the float32 model on real rows, relative to the
#: spread of the output (edgernn.export.noise).  Sound models stay below 3 %.
INTEGER_TOLERANCE: Final = 0.05

#: The same on made-up inputs, where a sound model may show 10 %: it was not made for them.  A wrong
#: scale or gate is beyond 50 %.
MADE_UP_TOLERANCE: Final = 0.25

#: So many standard errors are added to the mean of the rows at hand.
_DOUBT: Final = 2.0

#: A scheme that passes instead is looked for, and named, by edgernn.export.alternatives.
ROUNDED_REMEDY: Final = "--no-verify writes the file all the same"


def near_on_average(
    name: str,
    cases: Sequence[Case],
    actual: Sequence[NamedArrays],
    expected: Sequence[NamedArrays],
    *,
    shared: Collection[str] = (),
    tolerance: float = INTEGER_TOLERANCE,
    cause: str = "",
    remedy: str = ROUNDED_REMEDY,
) -> Verification:
    """Raises VerificationError when the mean error is more than `tolerance` of the outputs' spread.

    shared: the outputs whose numbers are of one unit (edgernn.export.noise.shares_a_unit).  Where
    such an output hardly varies, an error that is large only beside that leaves it undecided.
    Whether it is accurate enough is for the user to say, on labelled data.
    """
    spreads = spreads_of(expected, shared)
    judged = {
        output: _errors(spreads[output], here, there)
        for output, here, there in _by_output(actual, expected)
    }
    quiet = ""
    for output, (mean, doubt) in judged.items():
        if mean + doubt <= tolerance:
            continue
        beside_others = spreads[output].at_least_shared
        if beside_others is not spreads[output]:
            _, here, there = next(o for o in _by_output(actual, expected) if o[0] == output)
            if sum(_errors(beside_others, here, there)) <= tolerance:
                quiet = (
                    f"output '{output}' varies by {percent(float(spreads[output].deviation[0]), 2)}"
                    f" only over these rows, and the file is off by {percent(mean)} of that. Give "
                    "rows whose answers differ (--calibrate, --data)"
                )
                continue
        few = f", and for so few rows perhaps by {percent(mean + doubt)}" if doubt else ""
        raise VerificationError(
            f"{name} differs from the float32 model: its outputs are off by {percent(mean)} of "
            f"their spread on average{few if mean <= tolerance else ''} "
            f"(allowed {percent(tolerance, digits=0)}){cause}",
            remedy=remedy,
        )
    return Verification(
        status=VerificationStatus.UNDECIDED if quiet else VerificationStatus.PASSED,
        reason=quiet,
        cases=len(cases),
        mean_error=max(mean for mean, _ in judged.values()),
        agreement=agreement(actual, expected),
        tolerance=tolerance,
        **_beside(max(mean for mean, _ in judged.values()), agreement(actual, expected)),
    )


def beside_float32(
    found: Verification,
    actual: Sequence[NamedArrays],
    expected: Sequence[NamedArrays],
    *,
    shared: Collection[str] = (),
) -> Verification:
    """The same verdict, with what float weights change: so little that the check asks for more.

    >>> beside_float32(found, [{"y": here}], [{"y": there}]).changed
    0.0
    """
    spreads = spreads_of(expected, shared)
    mean = max(
        _errors(spreads[output].at_least_shared, here, there)[0]
        for output, here, there in _by_output(actual, expected)
    )
    return replace(found, **_beside(mean, agreement(actual, expected)))


def _beside(mean: float, same: float | None) -> dict[str, Any]:
    return {
        "mean_difference": mean if np.isfinite(mean) else None,
        "changed": None if same is None else 1 - same,
    }


def with_answers(
    actual: Sequence[NamedArrays], expected: Sequence[NamedArrays]
) -> list[dict[str, AnyArray]]:
    """NaN wherever the float model has no answer, as an average over no valid step has none.

    Integers have no NaN: their layers read it as 0, and what follows is any number.
    """
    return [
        {
            name: np.where(np.isnan(there[name]), there[name], array)
            if name in there and there[name].shape == array.shape
            else array
            for name, array in here.items()
        }
        for here, there in zip(actual, expected, strict=True)
    ]


def spreads_of(expected: Sequence[NamedArrays], shared: Collection[str]) -> dict[str, Spread]:
    """How each output varies over the calls."""
    return {
        output: spread([one[output] for one in expected], shared=output in shared)
        for output in expected[0]
    }


def _errors(
    beside: Spread, here: Sequence[AnyArray], there: Sequence[AnyArray]
) -> tuple[float, float]:
    """(mean error, what the few rows leave in doubt), in units of the spread."""
    mean = beside.noise(there, here).mean
    rows = np.concatenate([beside.by_row(t, h) for t, h in zip(there, here, strict=True)])
    if len(rows) < FEWEST_ROWS or not np.isfinite(rows).all():
        return mean, 0.0
    return mean, _DOUBT * float(rows.std(ddof=1) / np.sqrt(len(rows)))


def _by_output(
    actual: Sequence[NamedArrays], expected: Sequence[NamedArrays]
) -> Iterator[tuple[str, list[AnyArray], list[AnyArray]]]:
    for output in expected[0]:
        yield output, [here[output] for here in actual], [there[output] for there in expected]


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
