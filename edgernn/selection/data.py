"""The rows of a comparison, as files in its folder: every worker reads the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from edgernn.selection.contender import Job, Role
from edgernn.tasks.data import task_named
from edgernn.tasks.download import Notify, silent
from edgernn.tasks.given import Given, as_samples
from edgernn.tasks.npz import read_npz, write_npz
from edgernn.tasks.registry import TASKS
from edgernn.tasks.samples import AnyArray, IntArray, Samples, Split, Splits
from edgernn.tasks.split import CALIBRATION_ROWS, SPLIT_SEED, order_by_origin, split
from edgernn.tasks.task import Recipe

#: Each leaves five sixths of the rows, less those that end the training.
_MOST_FOLDS: Final = 6


def splits_of(
    given: Given,
    *,
    target: str | None = None,
    hold_out: str | None = None,
    notify: Notify = silent,
) -> tuple[str, Splits, Recipe]:
    """Name, parts and recipe of a task ("digits"), or of data as `as_samples` takes them.

    Raises DataError or DownloadError.
    """
    if isinstance(given, str) and given in TASKS and not Path(given).exists():
        task = task_named(given)
        return task.name, task.read(notify), task.recipe
    samples = as_samples(given, target=target, notify=notify)
    return samples.name, split(samples, hold_out=hold_out), Recipe()


def write_splits(folder: Path, splits: Splits) -> None:
    """Raises OutputError."""
    for part in Split:
        write_npz(_file(folder, part), splits.part(part))


def read_splits(folder: Path) -> Splits:
    """Raises DataError."""
    return Splits(**{part.value: read_npz(_file(folder, part)) for part in Split})


def split_files(folder: Path) -> tuple[Path, ...]:
    """What `write_splits` wrote."""
    return tuple(_file(folder, part) for part in Split)


def parts_of(splits: Splits, job: Job) -> Splits:
    """The rows that train, end the training and are scored, by the job's role."""
    if job.role is Role.FINAL:
        return splits
    return fold(splits, job) if job.role is Role.CONFIRMED else drawn_again(splits, job)


def drawn_again(splits: Splits, job: Job) -> Splits:
    """The training and validation rows mixed and divided anew by the training's seed.

    Which rows happen to validate is a part of the luck of a training, as its first weights are
    (Bouthillier et al., MLSys 2021).  Rows of one origin (a speaker) stay together.  Of the
    training rows, the share that the job wants is left.  The test rows stay.
    """
    both, apart = _mixed(splits)
    order, ends = order_by_origin(apart, len(both), seed=job.seed)
    wanted = int(ends[:-1][np.abs(ends[:-1] - len(splits.validation)).argmin()])
    first, rest = np.split(order, [wanted])
    rest = np.random.default_rng(job.seed).permutation(rest)  # calibration: of many origins
    rest = rest[: max(1, round(job.share * len(rest)))]
    return _divided(splits, both, train=rest, validation=first)


def fold_count(splits: Splits) -> int:
    """How many trainings score every row of training and validation once."""
    return min(_MOST_FOLDS, len(_groups(*_mixed(splits))))


def fold(splits: Splits, job: Job) -> Splits:
    """The test is one of `fold_count` folds of the training and validation rows; the job's
    repetition is its number.

    The folds are the same for every job.  Of the other rows, the job's seed draws those that end
    the training: half as many as a fold has.  Rows of one origin stay together.
    """
    both, apart = _mixed(splits)
    groups, count = _groups(both, apart), fold_count(splits)
    scored = np.concatenate(groups[job.repetition :: count])
    others = [one for place, one in enumerate(groups) if place % count != job.repetition]
    random = np.random.default_rng(job.seed)
    others = [others[place] for place in random.permutation(len(others))]
    ends = np.cumsum([len(one) for one in others])
    first = 1 + int(np.abs(ends[:-1] - len(both) / count / 2).argmin())
    rest = random.permutation(np.concatenate(others[first:]))
    divided = _divided(splits, both, train=rest, validation=np.concatenate(others[:first]))
    return replace(divided, test=both.rows(scored, name=splits.validation.name))


def _mixed(splits: Splits) -> tuple[Samples, Sequence[str]]:
    """Training and validation rows, and the origins that must stay together."""
    train, validation = splits.train, splits.validation
    both = replace(
        train,
        x=np.concatenate([train.x, validation.x]),
        y=_joined(train.y, validation.y),
        lengths=_joined(train.lengths, validation.lengths),
        origins=train.origins + validation.origins,
    )
    # Where validation rows were of the training's speakers from the start, they still are.
    return both, () if set(train.origins) & set(validation.origins) else both.origins


def _groups(both: Samples, apart: Sequence[str]) -> list[IntArray]:
    """Rows that stay together, in an order that is always the same."""
    order, ends = order_by_origin(apart, len(both), seed=SPLIT_SEED)
    return np.split(order, ends[:-1])


def _divided(splits: Splits, both: Samples, *, train: IntArray, validation: IntArray) -> Splits:
    return replace(
        splits,
        train=both.rows(train, name=splits.train.name),
        validation=both.rows(validation, name=splits.validation.name),
        calibration=both.rows(train[:CALIBRATION_ROWS], name=splits.calibration.name),
    )


def _joined(first: AnyArray | None, second: AnyArray | None) -> AnyArray | None:
    return None if first is None or second is None else np.concatenate([first, second])


def _file(folder: Path, part: Split) -> Path:
    return folder / "data" / f"{part.value}.npz"
