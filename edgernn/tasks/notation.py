"""Architectures by their names: gru, lstm-gru, bi-lstm, conv-gru, gru+lstm."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from edgernn.errors import DataError

CELLS: Final = ("gru", "lstm")
KINDS: Final = (*CELLS, "conv", "attention")
_BOTH_WAYS: Final = "bi"

HELP: Final = (
    "gru or lstm; a-b: b on top of a; bi-a: both directions; conv-a: a convolution before it; a+b: "
    "the mean of two models in one graph; conv, attention: controls without recurrence"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A layer: what it is, and whether it also runs backward."""

    kind: str  # one of KINDS
    both_ways: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Models side by side whose answers are averaged; each a stack of layers."""

    name: str
    members: tuple[tuple[Part, ...], ...]

    @property
    def sees_the_future(self) -> bool:
        """Whether the answer at a step depends on later ones."""
        parts = [part for member in self.members for part in member]
        return any(part.both_ways or part.kind == "attention" for part in parts)


def architecture_named(name: str) -> Architecture:
    """Raises DataError, with the notation.

    >>> architecture_named("conv-gru+lstm").members
    ((Part(kind='conv'), Part(kind='gru')), (Part(kind='lstm'),))
    """
    members = tuple(_member(name, text) for text in name.strip().lower().split("+"))
    return Architecture(name=name.strip().lower(), members=members)


def _member(name: str, text: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    both_ways = False
    for word in text.split("-"):
        if word == _BOTH_WAYS and not both_ways:
            both_ways = True
            continue
        if word not in KINDS or (both_ways and word not in CELLS):
            near = get_close_matches(word, KINDS, n=1)
            hint = f"Did you mean '{near[0]}'? " if near and not both_ways else ""
            raise DataError(
                f"'{name}' is no architecture: '{word or text}' is none of {', '.join(KINDS)}"
                if not both_ways
                else f"'{name}' is no architecture: 'bi' stands before gru or lstm",
                remedy=f"{hint}Write {HELP}",
            )
        parts.append(Part(kind=word, both_ways=both_ways))
        both_ways = False
    if both_ways:
        raise DataError(
            f"'{name}' is no architecture: 'bi' stands before gru or lstm", remedy=f"Write {HELP}"
        )
    return tuple(parts)
