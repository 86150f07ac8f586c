"""What a reference task is: real data, split once and for all, and a recipe that trains on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edgernn.tasks.download import Notify
from edgernn.tasks.samples import Splits


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a model is trained unless the user says otherwise."""

    units: int = 128
    layers: int = 1
    epochs: int = 50  # at most; patience ends most trainings sooner
    #: Epochs without a better validation loss before stopping.  0: none, all `epochs` are trained,
    #: and the learning rate rises and falls once.
    patience: int = 8
    batch_size: int = 128
    learning_rate: float = 2e-3  # of Adam
    dropout: float = 0.0  # in training, before the answers: share of numbers set to 0
    seasonal_steps: int = 0  # numbers: learn the difference to so many steps before


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """How many rows each part has; rows for calibration are taken from those for training."""

    train: int
    validation: int
    test: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Sequences and their targets, scored by the target's first metric on the test rows.

    A task is a module with a `TASK`, and its entry in registry.py.  Sizes are stated here, so that
    they are known before the data are downloaded; the tests compare them with the data.
    """

    name: str  # as on the command line: "digits"
    title: str
    origin: str  # whose data, under which licence
    rows: Rows
    shape: tuple[int, ...]  # of one row: [T, F], or [T] of tokens
    classes: int  # 0 for numbers
    read: Callable[[Notify], Splits]  # raises DownloadError
    recipe: Recipe = field(default_factory=Recipe)
    #: As read, with the options in `sizes`: the length of the sequences (steps=), all rows
    #: (full=True).
    sized: Callable[..., Splits] | None = None
    sizes: tuple[str, ...] = ()
