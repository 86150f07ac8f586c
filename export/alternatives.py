"""What passes the check where a file failed it: a remedy is tried before it is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from edgernn.artefact import Verification, VerificationStatus
from edgernn.errors import CalibrationError, UnsupportedLayer, UnsupportedScheme, VerificationError
from edgernn.export.request import Request
from edgernn.formats import Format
from edgernn.scheme import Scheme
from edgernn.units import percent


def with_passing_alternative(
    error: VerificationError,
    target: Format,
    request: Request,
    verified: Callable[[Request], Verification],
) -> VerificationError:
    """The same failure, its remedy a scheme that passes the check on the same inputs.

    `verified` makes and checks the file of a request, and raises VerificationError where that fails
    too.  Schemes of more bits than the one in use are tried, the fewest bits first.  Where none
    passes, the error says so before its own remedy.

    >>> raise with_passing_alternative(error, target, request, verified)
    """
    tried = []
    for other in more_bits(target, request):
        try:
            verification = verified(other)
        except (CalibrationError, UnsupportedLayer, UnsupportedScheme):
            continue  # an option of this export does not go with that scheme: no file, no check
        except VerificationError:
            tried.append(other.scheme.value)
            continue
        tried.append(other.scheme.value)
        if verification.status is VerificationStatus.PASSED:
            return VerificationError(
                error.what,
                remedy=f"--scheme {other.scheme.value} passes the check on the same inputs "
                f"({_distance(verification)})",
            )
    if not tried:  # float32 itself
        return error
    return VerificationError(
        error.what, remedy=f"Nor does {' or '.join(tried)} pass the check. {error.remedy}"
    )


def more_bits(target: Format, request: Request) -> Iterator[Request]:
    """The request in each scheme of `target` that has more bits than the one in use."""
    schemes = list(Scheme)
    in_use = schemes.index(request.fewest_bits)
    for scheme in reversed(schemes[:in_use]):
        if scheme in target.schemes:
            yield replace(request, scheme=scheme, per_layer={}, keep_float=())


def _distance(verification: Verification) -> str:
    if verification.mean_error is not None:
        return f"mean error {percent(verification.mean_error)}"
    largest = verification.original_error or verification.max_error or 0.0
    return f"max error {largest:.0e}"
