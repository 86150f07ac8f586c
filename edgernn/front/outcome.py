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


def rules_for_programs(artefact: Artefact) -> list[str]:
    """What a program that calls the file must know; usually nothing."""
    rules = []
    if artefact.details.get("batch") == "1":
        rules.append("takes one row a call")
    if "variables" in artefact.details.get("states", ""):
        rules.append("keeps its states: call reset_all_variables before each row")
    return [f"{artefact.name} {' and '.join(rules)}"] if rules else []


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
