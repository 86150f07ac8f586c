"""Targets that are sequences of tokens: what a decoder is fed with, and what it is to answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgernn.tasks.target import NO_ANSWER

#: The models that `edgernn train` makes: the input of their decoder, and the tokens around a
#: sequence.  No answer contains token 0.
PREVIOUS: Final = "previous"
START: Final = 0
STOP: Final = 0

Tokens = npt.NDArray[np.integer[Any]]


def steps_of(y: Tokens) -> int:
    """How often a decoder is called for the longest of y [N, U]: once a token, and for the end."""
    return int((y != NO_ANSWER).sum(axis=1).max()) + 1


def tokens_before(
    y: Tokens, steps: int, *, start: int = START, stop: int = STOP
) -> npt.NDArray[np.int32]:
    """What a decoder gets at each of `steps` steps: `start`, then y [N, U]; `stop` behind its end.

    >>> tokens_before(np.array([[5, 7, -1]]), 4)
    array([[0, 5, 7, 0]], dtype=int32)
    """
    fed = np.full((len(y), steps), stop, np.int32)
    fed[:, 0] = start
    kept = min(y.shape[1], steps - 1)
    fed[:, 1 : kept + 1] = np.where(y[:, :kept] == NO_ANSWER, stop, y[:, :kept])
    return fed


def tokens_after(y: Tokens, steps: int, *, stop: int = STOP) -> npt.NDArray[np.int64]:
    """What a decoder is to answer at each of `steps` steps: y [N, U], `stop`, -1 behind it.

    >>> tokens_after(np.array([[5, 7, -1]]), 4)
    array([[ 5,  7,  0, -1]])
    """
    wanted = np.full((len(y), steps), NO_ANSWER, np.int64)
    kept = min(y.shape[1], steps)
    wanted[:, :kept] = y[:, :kept]
    sizes = (y != NO_ANSWER).sum(axis=1)
    ended = np.flatnonzero(sizes < steps)
    wanted[ended, sizes[ended]] = stop
    return wanted


def greedy(
    scores: Callable[[npt.NDArray[np.int32], int], npt.NDArray[Any]], rows: int, steps: int
) -> npt.NDArray[np.int64]:
    """The likeliest token at each step, each fed to the next: [rows, steps], -1 behind the end.

    `scores(fed, step)` gives those of all tokens at a step, [rows, tokens], where fed [rows, steps]
    holds the tokens before.
    """
    fed = np.full((rows, steps), STOP, np.int32)
    fed[:, 0] = START
    chosen = np.full((rows, steps), NO_ANSWER, np.int64)
    going = np.ones(rows, bool)
    for step in range(steps):
        token = scores(fed, step).argmax(axis=1)
        going &= token != STOP
        chosen[going, step] = token[going]
        if not going.any():
            break
        if step + 1 < steps:
            fed[going, step + 1] = token[going]
    return chosen
