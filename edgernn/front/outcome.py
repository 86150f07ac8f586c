"""The end of an export: the error of what failed, with what passed, and names that changed."""

from __future__ import annotations

from edgernn.artefact import Artefact
from edgernn.errors import EdgernnError
from edgernn.export.pipeline import Failure
from edgernn.export.request import Request
from edgernn.front.made import Made


def with_outcome(failure: Failure, made: Made) -> EdgernnError:
    """The first failure, with what passed all the same; its warnings where nothing did."""
    error = failure.error
    error.outcome = made.outcome
    if made.artefacts:
        error.made = made
    else:
        error.warnings = made.warnings
    return error


def other_name(artefact: Artefact, request: Request) -> list[str]:
    if artefact.scheme is request.fewest_bits:
        return []
    return [
        (
            f"no layer is left that is {request.fewest_bits.value}: these are "
            f"{artefact.scheme.value} models, named as such ({artefact.name}), in place of files "
            "that had these names"
        )
    ]
