"""The right answers of labelled rows, as metrics count them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgernn.graph.tensor import AnyArray
from edgernn.scoring.packed import Packed
from edgernn.tasks.samples import Samples
from edgernn.tasks.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """y, flat.  Without labels there is only the number of rows."""

    rows: int
    target: Target | None = Target.CLASS
    classes: tuple[int, ...] = ()  # [N], of the steps with an answer, or [N * K] of labels
    sizes: tuple[int, ...] = ()  # how many of `classes` each row has; () where it is one
    choices: int = 0  # how many classes or labels there are
    numbers: Packed | None = None  # [N, values]
    output: str = ""  # of the model, that answers; "": its first one
    others: tuple[Answers, ...] = ()  # of further outputs, for the same rows

    @property
    def row_sizes(self) -> AnyArray:
        """[N]"""
        return np.array(self.sizes) if self.sizes else np.ones(self.rows, dtype=np.int64)

    @property
    def is_two_class(self) -> bool:
        """Whether each row is of one of two classes, and both are there."""
        return self.target is Target.CLASS and self.choices == 2 and len(set(self.classes)) == 2


def answers_of(samples: Samples) -> Answers:
    """The answers of the rows, and none for steps and tokens that have none."""
    found = (replace(_of_output(one), output=one.output) for one in samples.outputs)
    first, *others = found
    return replace(first, others=tuple(others))


def _of_output(samples: Samples) -> Answers:
    y, target, rows = samples.y, samples.target, len(samples)
    if y is None:
        return Answers(rows=rows, target=None)
    match target:
        case Target.NUMBERS:
            return Answers(rows=rows, target=target, numbers=Packed.of(y.reshape(rows, -1)))
        case Target.STEPS | Target.SEQUENCE:
            classes, sizes = y[samples.answered], samples.answered.sum(axis=1)
        case Target.LABELS:
            classes, sizes = y.ravel(), np.full(rows, y.shape[1])
        case _:
            classes, sizes = y, np.array([], dtype=np.int64)
    return Answers(
        rows=rows,
        target=target,
        classes=tuple(classes.tolist()),
        sizes=tuple(sizes.tolist()),
        choices=samples.classes,
    )
