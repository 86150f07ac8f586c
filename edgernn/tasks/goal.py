"""What a network is fitted to: the targets as its loss takes them, and what cannot be trained."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from edgernn.errors import DataError
from edgernn.tasks.keras_backend import load_keras
from edgernn.tasks.notation import Architecture
from edgernn.tasks.samples import AnyArray, Samples, Splits
from edgernn.tasks.sequences import START, STOP, steps_of, tokens_after, tokens_before
from edgernn.tasks.target import NO_ANSWER, Target
from edgernn.tasks.task import Recipe


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Goal:
    """Numbers are fitted standardized, what the season says already being subtracted."""

    train: Samples
    seasonal_steps: int
    mean: npt.NDArray[np.float64]  # [values], of y; 0 and 1 for other targets
    deviation: npt.NDArray[np.float64]
    decoder_steps: int = 0  # how often a decoder is called; 0 where there is none
    others: tuple[Goal, ...] = ()  # of further outputs

    @property
    def each(self) -> tuple[Goal, ...]:
        """This one and those of further outputs."""
        return (self, *self.others)

    @property
    def targets(self) -> tuple[str, ...]:
        """What is trained, output by output; the loss follows from it."""
        return tuple(str(one.train.target) for one in self.each)

    @property
    def loss(self) -> Any:
        """As keras.Model.compile takes it: one, or one for each output.  Their sum is minimized."""
        losses = [_loss(one.train) for one in self.each]
        return losses if self.others else losses[0]

    def inputs(self, samples: Samples) -> AnyArray | list[AnyArray]:
        """The model's arguments: a decoder is taught with the right tokens before each."""
        if not self.decoder_steps:
            return samples.x
        return [samples.x, tokens_before(np.asarray(samples.y), self.decoder_steps)]

    def of(self, samples: Samples) -> AnyArray | list[AnyArray]:
        """The targets of some rows, of each output where there are several."""
        found = [_targets(*pair) for pair in zip(self.each, samples.outputs, strict=True)]
        return found if self.others else found[0]


def _loss(train: Samples) -> Any:
    if train.target in (Target.STEPS, Target.SEQUENCE):
        return load_keras().losses.SparseCategoricalCrossentropy(ignore_class=NO_ANSWER)
    return _LOSSES[train.target]


def _targets(goal: Goal, samples: Samples) -> AnyArray:
    y = np.asarray(samples.y)
    match samples.target:
        case Target.NUMBERS:
            raw = _residuals(samples, goal.seasonal_steps)
            scaled = (raw - goal.mean) / goal.deviation
            return scaled if y.ndim < 3 else scaled.reshape(y.shape)
        case Target.TOKEN:  # the token after each token
            return np.concatenate([samples.x[:, 1:], y[:, None]], axis=1, dtype=np.int64)
        case Target.STEPS:
            return np.where(samples.answered, y, NO_ANSWER)
        case Target.SEQUENCE:
            return tokens_after(y, goal.decoder_steps)
        case _:
            return y


def goal_of(splits: Splits, architecture: Architecture, recipe: Recipe) -> Goal:
    """Raises DataError where nothing can be learned from the rows, or not by this architecture."""
    first, *others = (_goal_of(one, architecture, recipe) for one in splits.outputs)
    require_names(splits.train)
    return replace(first, train=splits.train, others=tuple(others))


def _goal_of(splits: Splits, architecture: Architecture, recipe: Recipe) -> Goal:
    train = splits.train
    require_learnable(train, architecture)
    residuals, decoder_steps = np.zeros((1, 1)), 0
    if train.target is Target.SEQUENCE:
        longest = (np.asarray(part.y) for part in (train, splits.validation, splits.test))
        decoder_steps = max(map(steps_of, longest))
    if train.target is Target.NUMBERS:
        residuals = _residuals(train, recipe.seasonal_steps)
    deviation = residuals.std(axis=0)
    return Goal(
        train=train,
        seasonal_steps=recipe.seasonal_steps,
        mean=residuals.mean(axis=0),
        deviation=np.where(deviation > 0, deviation, 1.0),
        decoder_steps=decoder_steps,
    )


_LOSSES: Final[dict[Target | None, str]] = {
    Target.CLASS: "sparse_categorical_crossentropy",
    Target.TOKEN: "sparse_categorical_crossentropy",
    Target.LABELS: "binary_crossentropy",
    Target.NUMBERS: "mean_absolute_error",
}


def _residuals(samples: Samples, seasonal_steps: int) -> npt.NDArray[np.float64]:
    """y without what the first feature was so many steps before, [N, values]."""
    y = np.asarray(samples.y, np.float64).reshape(len(samples), -1)
    if not seasonal_steps:
        return y
    return y - samples.x[season(samples, seasonal_steps)]


def season(samples: Samples, seasonal_steps: int) -> tuple[slice, int | slice, int | slice]:
    """Where x [N, T, F] holds what y [N, values] was so many steps before its first value.

    The first features of that step where they are as many as the values (a step is a day, the
    values its hours), else the first feature of that step and the next ones.
    """
    values = np.asarray(samples.y).reshape(len(samples), -1).shape[1]
    begin = samples.x.shape[1] - seasonal_steps
    if values <= samples.x.shape[2] and values > 1:
        return slice(None), begin, slice(0, values)
    return slice(None), slice(begin, begin + values), 0


def require_names(train: Samples) -> None:
    """Raises DataError where the outputs' names cannot be names of a model's layers."""
    names = [one.output for one in train.outputs] if train.others else []
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise DataError(
                f"an output of {train.name} is called '{name}'",
                remedy="Name outputs with letters, digits and _",
            )
    if train.others and Target.TOKEN in {one.target for one in train.outputs}:
        raise DataError(
            f"{train.name} has several outputs, and one is the next token",
            remedy="Train the next token alone",
        )


def require_learnable(train: Samples, architecture: Architecture) -> None:
    """Raises DataError where nothing can be learned from the rows, or not by this architecture."""
    name = train.name.removesuffix(":train")
    if train.y is None:
        raise DataError(
            f"{name} has no labels, so nothing can be learned from it",
            remedy="Add y, or name the column to predict with --target",
        )
    if (train.target is Target.SEQUENCE) != (architecture.decoder is not None):
        raise DataError(
            f"{name} has sequences for targets, which {architecture.name} does not write"
            if architecture.decoder is None
            else f"{architecture.name} writes sequences, and the targets of {name} are none",
            remedy="Use seq2seq-gru-lstm or the like for sequences, and only for them; "
            "--target-kind sequence reads y as sequences",
        )
    if train.target is Target.SEQUENCE and np.isin(train.y, (START, STOP)).any():
        raise DataError(
            f"y of {name} contains token {STOP}, which begins and ends a sequence",
            remedy="Number the tokens from 1; -1 follows the last one of a row",
        )
    if train.target is Target.TOKEN and architecture.sees_the_future:
        raise DataError(
            f"{architecture.name} sees the token that it is to predict",
            remedy="Use layers that run forward only, such as gru or lstm",
        )
    if train.target in (Target.CLASS, Target.STEPS):
        y = np.asarray(train.y)[train.answered] if train.y.ndim > 1 else np.asarray(train.y)
        if len(np.unique(y)) < 2:
            raise DataError(
                f"all rows of {name} are of one class",
                remedy="Give rows of at least two classes",
            )
        if train.classes > len(train):
            raise DataError(
                f"{name} has {train.classes} classes and {len(train)} rows to train on",
                remedy="Give several rows of each class; floats where y holds numbers to predict",
            )
