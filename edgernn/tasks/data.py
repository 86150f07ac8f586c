"""Labelled sequences from one argument of the command line: `digits:test`, a file, or a folder."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Final

from edgernn.errors import DataError
from edgernn.recipe import FrontEndRecipe, SoundRecipe, TextRecipe
from edgernn.tasks.download import Notify, silent
from edgernn.tasks.npz import read_npz
from edgernn.tasks.reading import AS_IT_IS, Reading
from edgernn.tasks.recordings import read_recordings
from edgernn.tasks.registry import TASKS
from edgernn.tasks.samples import Samples, Split
from edgernn.tasks.split import split
from edgernn.tasks.table import read_csv
from edgernn.tasks.task import Task
from edgernn.tasks.texts import read_texts

_KINDS: Final = "a task's part (digits:test), an .npz, a .csv, or a folder of .wav files by class"


def load(
    spec: str,
    *,
    reading: Reading = AS_IT_IS,
    front_end: FrontEndRecipe | None = None,
    notify: Notify = silent,
) -> Samples:
    """The samples that `spec` names: TASK:PART, an .npz, a .csv, or a folder of recordings.

    PATH:PART is a part of a file or folder: train, validation, calibration or test, split in the
    same way every time (edgernn.tasks.split).
    `reading` says how tables are read, `front_end` how recordings become rows or texts tokens;
    `notify` is called when something has to be downloaded.
    Raises DataError (nothing of that name, or damaged), DownloadError, MissingRuntime.
    """
    name, colon, part = spec.partition(":")
    if name in TASKS and (colon or not Path(spec).exists()):
        return TASKS[name].read(notify).part(_split(name, part))
    whole, colon, part = spec.rpartition(":")
    if colon and not Path(spec).exists() and Path(whole).exists():
        samples = load_path(Path(whole), reading, front_end)
        return split(samples, hold_out=reading.hold_out).part(_split(whole, part))
    return load_path(Path(spec), reading, front_end)


def load_path(
    path: Path, reading: Reading = AS_IT_IS, front_end: FrontEndRecipe | None = None
) -> Samples:
    """The samples in a user's file or folder.  Raises DataError or MissingRuntime."""
    if path.exists() and path.suffix.lower() != ".csv":
        reading.require_no_table(str(path))
    if path.is_dir():
        return read_recordings(path, front_end if isinstance(front_end, SoundRecipe) else None)
    if not path.exists():
        near = difflib.get_close_matches(str(path).partition(":")[0], TASKS, n=1)
        hint = f"Did you mean {near[0]}:test? " if near else ""
        raise DataError(f"there are no data named '{path}'", remedy=f"{hint}Give {_KINDS}")
    match path.suffix.lower():
        case ".npz":
            return read_npz(path, reading.kind, front_end)
        case ".csv":
            if isinstance(front_end, TextRecipe):
                return read_texts(path, front_end)
            return read_csv(path, reading)
        case _:
            raise DataError(
                f"{path} is not a kind of file that contains samples", remedy=f"Give {_KINDS}"
            )


def task_named(name: str) -> Task:
    """Raises DataError, with the nearest name that exists."""
    if name in TASKS:
        return TASKS[name]
    near = difflib.get_close_matches(name, TASKS, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise DataError(
        f"there is no task '{name}'",
        remedy=f"{hint}The tasks are {', '.join(TASKS)}; use --data for your own data",
    )


def _split(task: str, part: str) -> Split:
    names = [split.value for split in Split]
    if part in names:
        return Split(part)
    near = difflib.get_close_matches(part, names, n=1)
    hint = f"Did you mean {task}:{near[0]}? " if near else ""
    raise DataError(
        f"{task} has no part '{part}'" if part else f"'{task}' does not name a part",
        remedy=f"{hint}The parts are {', '.join(f'{task}:{name}' for name in names)}",
    )
