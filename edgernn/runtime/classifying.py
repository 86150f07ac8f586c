"""The label of a text, or of whatever else is one call of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgernn.errors import DataError
from edgernn.runtime.shares import are_shares, label_of, shares_of

if TYPE_CHECKING:
    from edgernn.runtime.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The best label, its share, and the shares of all."""

    label: str
    score: float
    scores: dict[str, float]


def classified(model: Model, given: Any) -> Answer:
    """The answer for one input of the model, such as a text.

    >>> classified(model, "Good film!").label
    'positive'

    Raises DataError for a model of several inputs or outputs or with an answer for each step, and
    for what the model cannot take.
    """
    if len(model.free_inputs) != 1 or len(model.free_outputs) != 1:
        raise DataError(
            f"{model.name} has {len(model.free_inputs)} inputs and "
            f"{len(model.free_outputs)} outputs",
            remedy="Give a model with one of each, or call edgernn.Model in Python",
        )
    if model.free_outputs[0].is_sequence:
        raise DataError(
            f"{model.name} has an answer for each step, not one for all",
            remedy="Call edgernn.Model in Python, or give a model whose last recurrent layer has "
            "return_sequences=False",
        )
    shares = shares_of(model(given)[0], shares=are_shares(model))
    best = int(shares.argmax())
    scores = {label_of(model, number): float(share) for number, share in enumerate(shares)}
    return Answer(label=label_of(model, best), score=float(shares[best]), scores=scores)
