"""Matches a model's classes with those of the data: by name if both have names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edgernn.errors import DataError
from edgernn.tasks.class_texts import is_number
from edgernn.tasks.samples import AnyArray, Samples
from edgernn.tasks.target import Target

_WITHOUT_NAMES: Final = (Target.NUMBERS, Target.SEQUENCE)
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
    if samples.y is None or samples.target in _WITHOUT_NAMES or not names:
        return ()
    if samples.target is Target.LABELS:
        return _columns(labels, names, samples, file=file)
    if not labels:
        if not samples.named:
            return ()
        raise DataError(
            f"{samples.name} names its classes ({_listed(names)}), and the names of the classes of "
            f"{file} are unknown",
            remedy="Export the model with --labels A,B,… in the order of its outputs, or write the "
            "numbers of the outputs, from 0, for the names",
        )
    seen: dict[int, int] = {}  # the first row of each class
    y: AnyArray = samples.y.reshape(len(samples), -1)
    for row, found in enumerate(y):
        for number in found[found >= 0]:
            seen.setdefault(int(number), row)
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


def _columns(
    labels: Sequence[str], names: Sequence[str], samples: Samples, *, file: str
) -> tuple[int, ...]:
    """The data's column of each label of the model."""
    if not labels:
        return ()
    if sorted(labels) != sorted(names):
        raise DataError(
            f"{samples.name} has the labels {_listed(names)}, {file} has {_listed(labels)}",
            remedy="Name the labels alike, or use the data that the model was made for",
        )
    return tuple(names.index(label) for label in labels)


def _listed(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:_MOST_LISTED])
    return f"{shown}, …" if len(labels) > _MOST_LISTED else shown
