"""Architectures by their names: gru, lstm-gru, bi-lstm, conv-gru, gru+lstm, seq2seq-gru-lstm."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from edgernn.errors import DataError

CELLS: Final = ("gru", "lstm")
KINDS: Final = (*CELLS, "conv", "attention")
_BOTH_WAYS: Final = "bi"
_SEQ2SEQ: Final = "seq2seq"

HELP: Final = (
    "gru or lstm; a-b: b on top of a; bi-a: both directions; conv-a: a convolution before it; a+b: "
    "the mean of two models in one graph; conv, attention: controls without recurrence; "
    "seq2seq-a-b: an encoder a and a decoder b that writes a sequence"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A layer: what it is, and whether it also runs backward."""

    kind: str  # one of KINDS
    both_ways: bool = False

    @property
    def text(self) -> str:
        return f"{_BOTH_WAYS}-{self.kind}" if self.both_ways else self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Models side by side whose answers are averaged; each a stack of layers."""

    name: str
    members: tuple[tuple[Part, ...], ...]
    decoder: str | None = None  # one of CELLS: it writes a sequence from what its member has read

    @property
    def sees_the_future(self) -> bool:
        """Whether the answer at a step depends on later ones."""
        parts = [part for member in self.members for part in member]
        return any(part.both_ways or part.kind == "attention" for part in parts)

    @property
    def member_names(self) -> tuple[str, ...]:
        """The notation of each member alone.

        >>> architecture_named("conv-gru+lstm").member_names
        ('conv-gru', 'lstm')
        """
        if self.decoder is not None:
            return (self.name,)
        return tuple(stack_name(member) for member in self.members)


def stack_name(member: tuple[Part, ...]) -> str:
    """The notation of layers upon each other."""
    return "-".join(part.text for part in member)


def architecture_named(name: str) -> Architecture:
    """Raises DataError, with the notation.

    >>> architecture_named("conv-gru+lstm").members
    ((Part(kind='conv'), Part(kind='gru')), (Part(kind='lstm'),))
    """
    wanted = name.strip().lower()
    if wanted.split("-")[0] == _SEQ2SEQ:
        return _of_sequences(wanted)
    members = tuple(_member(name, text) for text in wanted.split("+"))
    return Architecture(name=wanted, members=members)


def for_sequences(name: str, decoder: str | None) -> str:
    """The notation of an encoder `name` with a decoder, by default with the encoder's last cell.

    >>> for_sequences("gru", "lstm"), for_sequences("conv-lstm", None)
    ('seq2seq-gru-lstm', 'seq2seq-conv-lstm-lstm')
    """
    encoder = architecture_named(name)
    if encoder.decoder is not None and decoder is None:
        return encoder.name
    cells = [part.kind for part in encoder.members[-1] if part.kind in CELLS]
    return architecture_named(
        f"{_SEQ2SEQ}-{encoder.name}-{decoder or (cells[-1] if cells else CELLS[0])}"
    ).name


def _of_sequences(name: str) -> Architecture:
    *encoder, decoder = name.split("-")[1:] or [""]
    if decoder not in CELLS or not encoder or "+" in name:
        raise DataError(
            f"'{name}' is no architecture: seq2seq has an encoder and then gru or lstm as decoder",
            remedy="Write seq2seq-gru-lstm; the encoder may be a stack, seq2seq-bi-gru-lstm",
        )
    return Architecture(name=name, members=(_member(name, "-".join(encoder)),), decoder=decoder)


def _unknown(word: str, name: str) -> str:
    if not word:
        return f"the architecture '{name}' lacks a name before, between or behind its signs"
    where = "" if word == name else f" in the architecture '{name}'"
    return f"'{word}'{where} is none of {', '.join(KINDS)}"


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
                _unknown(word, name)
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
