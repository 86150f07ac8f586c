"""Sequences with their classes, as one array for a model, and their parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from edgernn.errors import DataError

IntArray: TypeAlias = npt.NDArray[np.int64]
AnyArray: TypeAlias = npt.NDArray[Any]
#: Model input: float32 [N, T, F] (or [N, F]), or int32 tokens [N, T].
FloatArray: TypeAlias = npt.NDArray[np.float32]
InputArray: TypeAlias = FloatArray | npt.NDArray[np.int32]


class Split(str, Enum):
    """Parts of a data set.  Calibration rows are training rows; the others share none."""

    TRAIN = "train"
    VALIDATION = "validation"
    CALIBRATION = "calibration"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baselines:
    """Accuracy (0..1) on the test rows without a neural network.

    A network that is not clearly better than `linear` is not worth its latency.
    """

    trivial: float  # always the class that is most frequent there
    linear: float  # fitted on the training rows


def is_numbers(y: AnyArray) -> bool:
    """Whether y contains numbers to predict (floats), not class numbers (integers)."""
    return y.dtype.kind == "f"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Sequences in the form that a model takes, with facts about them.

    Sequences shorter than T have zeros in front; with `lengths` they have padding at the end
    instead. Raises DataError if the parts do not belong together, or if x or y contains NaN or
    infinity.
    """

    name: str  # the user's name for it: "digits:test", "recordings.npz"
    x: InputArray  # [N, T, F] float32 or [N, T] int32
    y: IntArray | FloatArray | None = None  # [N] class numbers; float [N] or [N, K] are numbers
    lengths: IntArray | None = None  # [N], 1..T: the steps from there on are padding
    labels: tuple[str, ...] = ()  # class names by number; () without names
    named: bool = False  # y contained texts, so its numbers are no outputs'
    origins: tuple[str, ...] = ()  # where each row comes from (a file's name), or ()
    features: str = ""  # what the features are and how they are computed, for a reader
    baselines: Baselines | None = None

    def __post_init__(self) -> None:
        if self.x.ndim < 2 or self.x.size == 0:
            raise DataError(
                f"{self.name}: x has shape {self.x.shape}",
                remedy="It must be [samples, steps, features], or [samples, steps] of tokens",
            )
        self._check_finite()
        for part, values in (("y", self.y), ("lengths", self.lengths)):
            if values is not None and (
                values.shape[:1] != (len(self),)
                or (values.ndim > 1 and (part == "lengths" or not is_numbers(values)))
            ):
                raise DataError(
                    f"{self.name}: {part} has shape {values.shape}, x has {len(self)} rows",
                    remedy=f"{part} must have one number for each row of x",
                )
        if self.origins and len(self.origins) != len(self):
            raise DataError(f"{self.name}: {len(self.origins)} origins for {len(self)} rows")
        if len(set(self.labels)) < len(self.labels):
            twice = next(label for label in self.labels if self.labels.count(label) > 1)
            raise DataError(f"{self.name}: labels contain '{twice}' more than once")
        if self.y is not None and is_numbers(self.y):
            self._check_numbers(self.y)
        elif self.y is not None:
            self._check_range(
                "y", cast("IntArray", self.y), 0, len(self.labels) - 1 if self.labels else None
            )
        if self.lengths is not None:
            self._check_range("lengths", self.lengths, 1, self.x.shape[1])

    def __len__(self) -> int:
        return len(self.x)

    @property
    def classes(self) -> int:
        """How many classes there are, by their names or else by the highest number seen."""
        if self.labels or self.y is None or is_numbers(self.y):
            return len(self.labels)
        return int(self.y.max()) + 1

    @property
    def classified(self) -> IntArray:
        """y as class numbers.  Raises DataError if the samples have none."""
        if self.y is None:
            raise DataError(
                f"{self.name} has no y", remedy="Add y, the class of each row of x, as an integer"
            )
        if is_numbers(self.y):
            raise DataError(
                f"{self.name}: y has the type {self.y.dtype}, which means numbers, not classes",
                remedy="y must have one integer for each row",
            )
        return cast("IntArray", self.y)

    def rows(self, chosen: IntArray, *, name: str) -> Samples:
        """The chosen rows, in that order, under a new name.  Baselines are not inherited."""
        return Samples(
            name=name,
            x=self.x[chosen],
            y=None if self.y is None else self.y[chosen],
            lengths=None if self.lengths is None else self.lengths[chosen],
            labels=self.labels,
            named=self.named,
            origins=tuple(self.origins[row] for row in chosen) if self.origins else (),
            features=self.features,
        )

    def with_steps(self, steps: int) -> Samples:
        """The same sequences with `steps` steps: adds zeros or removes steps where the padding is.

        Without `lengths` this is the start, so the last steps are kept.
        """
        have = self.x.shape[1]
        if have == steps:
            return self
        x = np.zeros((len(self), steps, *self.x.shape[2:]), dtype=self.x.dtype)
        kept = min(have, steps)
        if self.lengths is None:
            x[:, steps - kept :] = self.x[:, have - kept :]
            return replace(self, x=x)
        x[:, :kept] = self.x[:, :kept]
        return replace(self, x=x, lengths=np.minimum(self.lengths, steps))

    def real_steps(self) -> tuple[IntArray, IntArray]:
        """The first and the last step of each row that is not padding, [N] each.

        Padding is the rest after `lengths`, or else the zeros around a sequence of features.
        """
        rows, steps = self.x.shape[:2]
        if self.lengths is not None:
            return np.zeros(rows, dtype=np.int64), self.lengths - 1
        if self.x.ndim < 3:
            return np.zeros(rows, dtype=np.int64), np.full(rows, steps - 1)
        return self.nonzero_span()

    def nonzero_span(self) -> tuple[IntArray, IntArray]:
        """The first and the last step of each row that is not zero; all of a row of zeros."""
        rows, steps = self.x.shape[:2]
        real: npt.NDArray[np.bool_] = np.logical_or.reduce(
            self.x.reshape(rows, steps, -1) != 0, axis=2
        )
        real[~real.any(axis=1)] = True  # a row of zeros has no padding
        first, from_the_end = real.argmax(axis=1), real[:, ::-1].argmax(axis=1)
        return first.astype(np.int64), (steps - 1 - from_the_end).astype(np.int64)

    def _check_finite(self) -> None:
        if self.x.dtype.kind != "f":
            return
        # Row by row sums first: a boolean array of x's shape would be a quarter of its memory.
        with np.errstate(invalid="ignore", over="ignore"):
            suspects = np.flatnonzero(~np.isfinite(self.x.reshape(len(self), -1).sum(axis=1)))
        for row in suspects:
            wrong = np.argwhere(~np.isfinite(self.x[row]))
            if len(wrong):
                at = ", ".join(str(index) for index in wrong[0])
                raise DataError(
                    f"{self.name}: row {row} of x has {self.x[row][tuple(wrong[0])]} (at {at})",
                    remedy="Remove or repair this row",
                )

    def _check_numbers(self, y: AnyArray) -> None:
        wrong = ~np.isfinite(y.reshape(len(y), -1)).all(axis=1)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                f"{self.name}: row {row} of y contains NaN or infinity",
                remedy="Remove or repair this row",
            )

    def _check_range(self, part: str, values: IntArray, low: int, high: int | None) -> None:
        wrong = (values < low) | (values > high if high is not None else False)
        if wrong.any():
            row = int(np.argmax(wrong))
            limits = f"{low}..{high}" if high is not None else f"at least {low}"
            raise DataError(f"{self.name}: {part} of row {row} is {values[row]}, not {limits}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Splits:
    """A data set in its four parts.  `test` has the baselines."""

    train: Samples
    validation: Samples
    calibration: Samples
    test: Samples

    def part(self, split: Split) -> Samples:
        part: Samples = getattr(self, split.value)
        return part


def ending_together(sequences: Sequence[AnyArray], steps: int) -> FloatArray:
    """Sequences [t, F] cut to their first `steps`, with zeros in front: [N, steps, F] float32.

    Zeros are in front, and there is no Masking layer: the model need not keep its answer through
    the padding, the exported model computes no mask, and a streaming model has its answer at the
    last step.
    """
    x = np.zeros((len(sequences), steps, sequences[0].shape[1]), dtype=np.float32)
    for row, sequence in enumerate(sequences):
        kept = sequence[:steps]
        x[row, steps - len(kept) :] = kept
    return x
