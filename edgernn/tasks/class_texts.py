"""Classes that are texts in a file, and classes whose texts are numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from edgernn.tasks.samples import AnyArray, IntArray
from edgernn.tasks.target import NO_ANSWER

#: Numbers of outputs, up to 999: 2019 is a name, and no model has that many classes.
_NUMBER: Final = re.compile("0|[1-9][0-9]{0,2}")


def numbered(texts: Sequence[str]) -> tuple[tuple[str, ...], IntArray]:
    """The names of the classes in order, and for each text the number of its class.

    No names if all are numbers, because a .csv cannot distinguish them from texts: then they are
    the numbers of the outputs.
    """
    if texts and all(is_number(text) for text in texts):
        return (), np.array([int(text) for text in texts], dtype=np.int64)
    labels, numbers = np.unique(texts, return_inverse=True)
    return tuple(str(label) for label in labels), numbers.reshape(-1).astype(np.int64)


def texts_numbered(texts: AnyArray) -> tuple[tuple[str, ...], IntArray]:
    """As numbered, for an array of any shape; an empty text is none: -1."""
    flat = [str(text).strip() for text in texts.astype(str).ravel()]
    said = [text for text in flat if text]
    labels, numbers = numbered(said)
    found = np.full(len(flat), NO_ANSWER, dtype=np.int64)
    found[[bool(text) for text in flat]] = numbers
    return labels, found.reshape(texts.shape)


def is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None
