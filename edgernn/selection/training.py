"""The result of one training, as one JSON file that is whole or absent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from edgernn import atomic
from edgernn.errors import DataError
from edgernn.selection.crossed import RowScores

# History of the format:
#   1  first version
_VERSION: Final = 1
_FORMAT: Final = "edgernn-comparison-training"

#: The trained model itself, beside the files made from it.
ORIGINAL: Final = "original"


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """Losses after one pass over the training rows."""

    loss: float
    validation_loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One contender trained with one seed, and its scores on the test rows.

    scores: by form ("original", "native int8"): a number for each test row, 1 or 0 for right or
        wrong, else the row's error.
    bytes: by form, the size of the file.
    """

    key: str  # of its Job
    name: str  # of its Contender
    repetition: int
    seed: int
    parameters: int
    seconds: float  # of training, without the start of TensorFlow
    seconds_to_best: float
    epochs_to_best: int
    peak_bytes: int  # of the process while it trained
    curve: tuple[Epoch, ...]
    scores: Mapping[str, tuple[float, ...]]
    bytes: Mapping[str, int] = field(default_factory=dict)

    def score(self, form: str) -> float:
        """The mean over the test rows."""
        return float(np.mean(self.scores[form]))


def row_scores(trainings: list[Training], form: str) -> RowScores:
    """[seeds, rows] of the trainings of one contender."""
    return np.array([one.scores[form] for one in trainings], np.float64)


def median_training(trainings: Sequence[Training]) -> Training:
    """The one whose score is the median: neither lucky nor unlucky."""
    return sorted(trainings, key=lambda run: run.score(ORIGINAL))[len(trainings) // 2]


def training_file(folder: Path, key: str) -> Path:
    """Where the result of a training lies in the folder of its comparison."""
    return folder / "trainings" / f"{key}.json"


def model_file(folder: Path, key: str) -> Path:
    """Where its trained model lies (.keras), with its log beside it."""
    return training_file(folder, key).with_suffix(".keras")


def write_training(folder: Path, training: Training) -> None:
    """Raises OutputError."""
    entry = {"format": _FORMAT, "version": _VERSION, **asdict(training)}
    content = json.dumps(entry, allow_nan=False).encode() + b"\n"
    atomic.write_bytes(training_file(folder, training.key), content)


def read_training(folder: Path, key: str) -> Training | None:
    """The result of a training that has ended; None where there is none yet.

    Raises DataError for a file that is no such result.
    """
    path = training_file(folder, key)
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise _damaged(path, error) from error
    try:
        if entry.pop("format") != _FORMAT or entry.pop("version") > _VERSION:
            raise DataError(f"{path} is of another version", remedy="Update edgernn, or remove it")
        parts = {
            "curve": tuple(Epoch(**epoch) for epoch in entry["curve"]),
            "scores": {form: tuple(values) for form, values in entry["scores"].items()},
        }
        return Training(**{**entry, **parts})
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} is not the result of a training ({error})",
        remedy="Remove it and run the command again with --resume: it is trained again",
    )
