"""Sequences with their classes, as one array for a model, and their parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any, Final, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from edgernn.errors import DataError
from edgernn.recipe import RowRecipe
from edgernn.tasks.target import NO_ANSWER, Target

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
    """What needs no neural network reaches on the test rows, by the target's first metric.

    A network that is not clearly better than `linear` is not worth its milliseconds.
    """

    trivial: float  # always the class that is most frequent there, or what the name says
    linear: float  # fitted on the training rows
    trivial_name: str = "most frequent class"
    linear_name: str = "linear model"


def is_numbers(y: AnyArray) -> bool:
    """Whether y contains numbers to predict (floats), not class numbers (integers)."""
    return y.dtype.kind == "f"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OtherOutput:
    """The answers of one more output of the model, for the same rows; fields as of Samples."""

    output: str  # the name of the model's output
    y: IntArray | FloatArray
    labels: tuple[str, ...] = ()
    named: bool = False
    kind: Target | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Sequences in the form that a model takes, with facts about them.

    Sequences shorter than T have zeros in front; with `lengths` they have padding at the end
    instead. Raises DataError if the parts do not belong together, or if x or y contains NaN or
    infinity.
    """

    name: str  # the user's name for it: "digits:test", "recordings.npz"
    x: InputArray  # [N, T, F] float32 or [N, T] int32
    y: IntArray | FloatArray | None = None  # as edgernn.tasks.target.Target says
    lengths: IntArray | None = None  # [N], 1..T: the steps from there on are padding
    labels: tuple[str, ...] = ()  # class names by number; () without names
    named: bool = False  # y contained texts, so its numbers are no outputs'
    origins: tuple[str, ...] = ()  # where each row comes from (a file's name), or ()
    front_end: RowRecipe | None = None  # how x was made of sound
    features: str = ""  # what the features are and how they are computed, for a reader
    baselines: Baselines | None = None
    kind: Target | None = None  # what y means, where its type and shape do not say it
    output: str = ""  # of the model, that y is for; "": its first one
    others: tuple[OtherOutput, ...] = ()  # what further outputs are to answer

    def __post_init__(self) -> None:
        if self.x.ndim < 2 or self.x.size == 0:
            raise DataError(
                f"{self.name}: x has shape {self.x.shape}",
                remedy="It must be [samples, steps, features], or [samples, steps] of tokens",
            )
        self._check_finite()
        for part, values in (("y", self.y), ("lengths", self.lengths)):
            if values is not None and (
                values.shape[:1] != (len(self),) or (values.ndim > 1 and part == "lengths")
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
        if self.y is not None:
            self._check_answers(self.y)
        if self.lengths is not None:
            self._check_range("lengths", self.lengths, 1, self.x.shape[1])
        names = [self.output, *(other.output for other in self.others)]
        if self.others and (len(set(names)) < len(names) or self.y is None):
            raise DataError(f"{self.name}: the outputs of y are {', '.join(names)}")
        for one in self.outputs[1:]:
            if one.target is Target.SEQUENCE or self.target is Target.SEQUENCE:
                raise DataError(
                    f"{self.name}: y has several outputs, and one of them is a sequence",
                    remedy="Give sequences alone: a decoder writes one",
                )

    def __len__(self) -> int:
        return len(self.x)

    @property
    def outputs(self) -> tuple[Samples, ...]:
        """The rows as one output sees them, the first one first: each with its own y."""
        first = replace(self, others=(), kind=self.target) if self.others else self
        return (
            first,
            *(
                replace(
                    first,
                    name=f"{self.name}, output '{other.output}'",
                    **{part: getattr(other, part) for part in _OF_OUTPUTS},
                    baselines=None,
                )
                for other in self.others
            ),
        )

    @property
    def target(self) -> Target | None:
        """The kind of y; None where there are no answers."""
        if self.y is None or self.kind is not None:
            return None if self.y is None else self.kind
        if is_numbers(self.y):
            return Target.NUMBERS
        if self.y.ndim == 1:
            return Target.CLASS
        return Target.STEPS if self.y.shape[1] == self.x.shape[1] else Target.LABELS

    @property
    def classes(self) -> int:
        """How many classes or labels, by their names or else by the highest number seen."""
        if self.labels or self.y is None or is_numbers(self.y):
            return len(self.labels)
        return self.y.shape[1] if self.target is Target.LABELS else int(self.y.max()) + 1

    @property
    def classified(self) -> IntArray:
        """y as one class a row, [N].  Raises DataError where the samples have none."""
        if self.y is None:
            raise DataError(
                f"{self.name} has no y", remedy="Add y, the class of each row of x, as an integer"
            )
        if self.target not in (Target.CLASS, Target.TOKEN):
            raise DataError(
                f"{self.name}: y has the type {self.y.dtype}, which means numbers, not classes"
                if is_numbers(self.y)
                else f"{self.name}: y has the shape {self.y.shape}, not one class for each row",
                remedy="y must have one integer for each row",
            )
        return cast("IntArray", self.y)

    @property
    def answered(self) -> npt.NDArray[np.bool_]:
        """Where a step or token of y has an answer, [N, T]: not -1, and not after the last step."""
        given: npt.NDArray[np.bool_] = np.asarray(self.y) != NO_ANSWER
        if self.target is Target.STEPS and self.lengths is not None:
            given &= np.arange(given.shape[1]) < self.lengths[:, None]
        return given

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
            front_end=self.front_end,
            features=self.features,
            kind=self.target,  # a choice of rows may look like another kind
            output=self.output,
            others=tuple(replace(other, y=other.y[chosen]) for other in self.others),
        )

    def with_steps(self, steps: int) -> Samples:
        """The same sequences with `steps` steps: adds zeros or removes steps where the padding is.

        Without `lengths` this is the start, so the last steps are kept.
        """
        have = self.x.shape[1]
        if have == steps:
            return self
        y = self.y
        if y is not None and self.target is Target.STEPS:
            y = self._resized(y, steps, fill=NO_ANSWER)
            if (y != NO_ANSWER).sum() < self.answered.sum():
                raise DataError(
                    f"{self.name} has labels for more than the {steps} steps that the model takes",
                    remedy="Cut the sequences into pieces of that length, as the product will",
                )
        x = self._resized(self.x, steps, fill=0)
        lengths = None if self.lengths is None else np.minimum(self.lengths, steps)
        seen = [one.with_steps(steps).y for one in self.outputs[1:]]
        others = tuple(
            other if resized is None else replace(other, y=resized)
            for other, resized in zip(self.others, seen, strict=True)
        )
        return replace(self, x=x, y=y, lengths=lengths, kind=self.target, others=others)

    def _resized(self, values: AnyArray, steps: int, *, fill: int) -> AnyArray:
        """[N, T, ...] -> [N, steps, ...]"""
        have, kept = values.shape[1], min(values.shape[1], steps)
        resized = np.full((len(values), steps, *values.shape[2:]), fill, dtype=values.dtype)
        if self.lengths is None:
            resized[:, steps - kept :] = values[:, have - kept :]
        else:
            resized[:, :kept] = values[:, :kept]
        return resized

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

    def _check_answers(self, y: AnyArray) -> None:
        if is_numbers(y):
            self._check_numbers(y)
            return
        if self.kind is Target.NUMBERS or y.ndim > 2:
            raise DataError(f"{self.name}: y has the type {y.dtype} and the shape {y.shape}")
        steps = self.target in (Target.STEPS, Target.SEQUENCE)
        if self.target is Target.STEPS and y.shape[1:] != self.x.shape[1:2]:
            raise DataError(
                f"{self.name}: y has {y.shape[1]} steps, x has {self.x.shape[1]}",
                remedy="Give one class for each step of x, -1 where there is none",
            )
        if steps and not self.answered.any(axis=1).all():
            row = int(np.argmin(self.answered.any(axis=1)))
            raise DataError(f"{self.name}: row {row} of y has no answer", remedy="Remove this row")
        highest = len(self.labels) - 1 if self.labels else None
        if self.target is Target.LABELS:
            highest = 1
            if self.labels and len(self.labels) != y.shape[1]:
                raise DataError(
                    f"{self.name}: y has {y.shape[1]} labels, and {len(self.labels)} have names"
                )
        by_row = y.reshape(len(y), -1)
        low = NO_ANSWER if steps else 0
        ends = [by_row.min(axis=1), by_row.max(axis=1)]
        for found in ends:
            self._check_range("y", found, low, highest)

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


_OF_OUTPUTS: Final = tuple(field.name for field in fields(OtherOutput))


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

    @property
    def outputs(self) -> tuple[Splits, ...]:
        """The parts as one output sees them, the first one first."""
        by_part = ([*self.part(split).outputs] for split in Split)
        return tuple(
            Splits(**dict(zip([split.value for split in Split], one, strict=True)))
            for one in zip(*by_part, strict=True)
        )


def with_outputs(samples: Samples, outputs: Sequence[OtherOutput]) -> Samples:
    """The samples with these answers, the first output's as y.  Raises DataError."""
    first, *others = outputs
    return replace(
        samples,
        **{part: getattr(first, part) for part in _OF_OUTPUTS},
        others=tuple(others),
    )


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
