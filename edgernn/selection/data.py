"""The rows of a comparison, as files in its folder: every worker reads the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edgernn.selection.contender import Job
from edgernn.tasks.data import task_named
from edgernn.tasks.download import Notify, silent
from edgernn.tasks.given import Given, as_samples
from edgernn.tasks.npz import read_npz, write_npz
from edgernn.tasks.registry import TASKS
from edgernn.tasks.samples import AnyArray, Split, Splits
from edgernn.tasks.split import CALIBRATION_ROWS, order_by_origin, split
from edgernn.tasks.task import Recipe


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


def drawn_again(splits: Splits, job: Job) -> Splits:
    """The training and validation rows mixed and divided anew by the training's seed.

    Which rows happen to validate is a part of the luck of a training, as its first weights are
    (Bouthillier et al., MLSys 2021).  Rows of one origin (a speaker) stay together.  Of the
    training rows, the share that the job wants is left.  The test rows stay.
    """
    train, validation = splits.train, splits.validation
    rows = np.concatenate([train.x, validation.x])
    both = replace(
        train,
        x=rows,
        y=_joined(train.y, validation.y),
        lengths=_joined(train.lengths, validation.lengths),
        origins=train.origins + validation.origins,
    )
    # Where validation rows were of the training's speakers from the start, they still are.
    apart = () if set(train.origins) & set(validation.origins) else both.origins
    order, ends = order_by_origin(apart, len(both), seed=job.seed)
    wanted = int(ends[:-1][np.abs(ends[:-1] - len(validation)).argmin()])
    first, rest = np.split(order, [wanted])
    rest = np.random.default_rng(job.seed).permutation(rest)  # calibration: of many origins
    rest = rest[: max(1, round(job.share * len(rest)))]
    drawn = both.rows(rest, name=train.name)
    return replace(
        splits,
        train=drawn,
        validation=both.rows(first, name=validation.name),
        calibration=both.rows(rest[:CALIBRATION_ROWS], name=splits.calibration.name),
    )


def _joined(first: AnyArray | None, second: AnyArray | None) -> AnyArray | None:
    return None if first is None or second is None else np.concatenate([first, second])


def _file(folder: Path, part: Split) -> Path:
    return folder / "data" / f"{part.value}.npz"
