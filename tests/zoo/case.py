"""One generated model: how to build it, and what to feed it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

#: The module `keras` or `tf_keras`: what a builder takes its classes from.
Keras: TypeAlias = Any


class Generation(str, Enum):
    """Which Keras builds and predicts; the meaning of some layers differs between them."""

    KERAS2 = "keras2"
    KERAS3 = "keras3"


class Gaps(str, Enum):
    """Which steps of the inputs hold the mask's value (zero)."""

    NONE = "none"
    HOLES = "holes"  # anywhere, first and last steps included
    LEFT = "left"
    RIGHT = "right"
    EMPTY_ROW = "empty_row"  # holes, and one row without any valid step


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A model of the zoo.

    `build` returns a Keras model; it gets the Keras module.  A model is called `calls` times in a
    row with fresh data, which shows what a stateful layer keeps.
    """

    name: str
    build: Callable[[Keras], Any]
    generations: tuple[Generation, ...] = (Generation.KERAS3,)
    batch: int = 3
    steps: int = 5  # of inputs whose time is free
    gaps: Gaps = Gaps.NONE
    vocabulary: int = 11
    calls: int = 1


BOTH = (Generation.KERAS3, Generation.KERAS2)


def sequence(
    k: Keras, features: int = 4, steps: int | None = None, batch: int | None = None
) -> Any:
    """An input [batch, steps, features]."""
    return k.Input(batch_shape=(batch, steps, features))


def tokens(k: Keras, steps: int | None = None) -> Any:
    """An input of tokens [None, steps]."""
    return k.Input(batch_shape=(None, steps), dtype="int32")


def state(k: Keras, units: int) -> Any:
    """An input [None, units]: the initial state of a recurrent layer."""
    return k.Input(batch_shape=(None, units))
