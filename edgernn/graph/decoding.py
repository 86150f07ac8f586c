"""How a model writes a sequence: token after token, each fed with the one before."""

from __future__ import annotations

from dataclasses import dataclass

from edgernn.graph.graph import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """The rules of a greedy loop, for a model that was taught with the right tokens before each."""

    input: str  # of the model: the tokens before, int32 [B, U]
    start: int  # the token before the first
    stop: int  # the token behind the last one; it is no part of the sequence
    longest: int  # so many calls at most


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderStep:
    """One step of a decoder, in a file beside its encoder's, and the loop that calls it.

    Outputs of the encoder are the decoder's inputs of the same names: in every call, or in the
    first one where they are states.
    """

    file: str
    input: str  # the token before, int32 [B, 1]
    output: str  # the scores of all tokens, [B, 1, tokens]
    start: int
    stop: int
    longest: int
    states: tuple[State, ...] = ()


#: The output of an encoder and its decoder together: tokens, int32 [B, longest], and NO_TOKEN
#: behind the last.
TOKENS = "tokens"
NO_TOKEN = -1
