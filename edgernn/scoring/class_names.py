"""Matches a model's classes with those of the data: by name if both have names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edgernn.errors import DataError
from edgernn.tasks.class_texts import is_number
from edgernn.tasks.samples import Samples, is_numbers

_MOST_LISTED: Final = 12


def data_numbers(labels: Sequence[str], samples: Samples, *, file: str) -> tuple[int, ...]:
    """The data's number of each class of the model, `labels` being the model's names in order.

    () if both use the same numbers: one of the two has no names, and y contains numbers.
    Texts that are numbers are names if the model has numbers as names, else numbers of outputs.
    A class of the model that the data lack gets a number that no row has.
    Raises DataError if the names cannot be matched.
    """
    names = samples.labels
    if not names and samples.named and labels and all(is_number(label) for label in labels):
        names = tuple(str(number) for number in range(samples.classes))
    if samples.y is None or is_numbers(samples.y) or not names:
        return ()
    if not labels:
        if not samples.named:
            return ()
        raise DataError(
            f"{samples.name} names its classes ({_listed(names)}), and the names of the classes of "
            f"{file} are unknown",
            remedy="Export the model with --labels A,B,… in the order of its outputs, or write the "
            "numbers of the outputs, from 0, for the names",
        )
    seen = {int(number): row for row, number in reversed(list(enumerate(samples.y)))}
    for number, row in sorted(seen.items(), key=lambda one: one[1]):
        if names[number] not in labels:
            raise DataError(
                f"row {row} of {samples.name} is of the class '{names[number]}', which "
                f"is none of those of {file} ({_listed(labels)})",
                remedy="Use the same names of classes, or data that the model was made for",
            )
    strange = len(names)
    known = {label: number for number, label in enumerate(names)}
    return tuple(known.get(label, strange + number) for number, label in enumerate(labels))


def _listed(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:_MOST_LISTED])
    return f"{shown}, …" if len(labels) > _MOST_LISTED else shown
