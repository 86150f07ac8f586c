"""How a model came to be: the file `gru.train.json` beside `gru.keras`.

Readable without TensorFlow, so that reports can show what the training cost.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from edgernn import atomic
from edgernn.artefact import sha256_hex
from edgernn.errors import DataError
from edgernn.regular_file import DAMAGE, read_bytes, read_json
from edgernn.tasks.reading import AS_IT_IS, Reading
from edgernn.tasks.samples import Baselines
from edgernn.tasks.score import Score
from edgernn.tasks.target import Target

# History of the format:
#   1  first version
#   2  scores name their metric; settings say how the data were read
#   3  several outputs: what the further ones reach
#   4  fine-tuning on a grid of weights
LOG_VERSION: Final = 4
_FORMAT: Final = "edgernn-training"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What was asked for: equal settings on equal versions give the same model again."""

    task: str  # a task's name, or the name of the user's file or folder
    data_sha256: str  # of all rows, in order: the same name may stand for other data
    reading: Reading
    cell: str  # "gru", "lstm", "gru-lstm": the notation of edgernn.tasks.notation
    units: int
    layers: int
    epochs: int  # the most there may be
    patience: int
    batch_size: int
    learning_rate: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One pass over the training rows."""

    number: int  # from 1
    seconds: float  # its own; the first includes the tracing of the model
    loss: float
    validation_loss: float
    validation_accuracy: float | None  # of classes


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherReached:
    """What a further output of the model reaches."""

    output: str
    validation: Score
    test: Score
    baselines: Baselines


@dataclass(frozen=True, slots=True, kw_only=True)
class OnGrid:
    """Fine-tuning of a trained model with weights on a grid, and its control."""

    scheme: str  # "int8", "int4", "int3", "ternary"
    start: str  # file name of the model that it started from
    start_sha256: str
    before: Score  # of that model on the test rows
    control: Score  # after the same fine-tuning in float, on the test rows
    left_in_float: tuple[str, ...]  # matrices that are on no grid


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLog:
    """One training.  Seconds are wall time of this machine, without imports and evaluation."""

    settings: Settings
    model: str  # file name
    model_sha256: str
    parameters: int  # as `inspect` and `profile` count them: statistics of inputs included
    labels: tuple[str, ...]
    features: str  # what the model's input is and how to compute it
    epochs_to_best: (
        int  # the epoch whose weights were kept: of the lowest validation loss, or the last
    )
    seconds_to_best: float
    seconds: float
    validation: Score
    test: Score
    baselines: Baselines  # on the test rows, in the metric of `test`
    epochs: tuple[Epoch, ...]
    versions: dict[str, str]  # edgernn, python, numpy, keras, tensorflow
    output: str = ""  # that `validation`, `test` and `labels` are of; "": the only one
    others: tuple[OtherReached, ...] = ()
    on_grid: OnGrid | None = None  # None: trained in float


def log_path(model: Path) -> Path:
    """Where the log of a model lies: gru.keras -> gru.train.json."""
    return model.with_suffix(".train.json")


def write_log(path: Path, log: TrainingLog) -> None:
    """Raises OutputError."""
    entry = {"format": _FORMAT, "version": LOG_VERSION, **asdict(log)}
    atomic.write_bytes(path, json.dumps(entry, indent=1, allow_nan=False).encode() + b"\n")


def read_log(path: Path) -> TrainingLog:
    """Raises FileNotFoundError, or DataError where the file is not a training log we know."""
    try:
        entry = read_json(path)
        version = entry.pop("version")
        if entry.pop("format") != _FORMAT or version > LOG_VERSION:
            raise DataError(
                f"{path} is not a training log that this edgernn reads",
                remedy="Update edgernn, or train again with this one",
            )
        return _log(_second_version(entry) if version == 1 else entry)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except DAMAGE as error:
        raise DataError(
            f"{path} is not a training log ({error})", remedy="Train the model again"
        ) from error


def log_of_same(model: Path, settings: Settings) -> TrainingLog | None:
    """The log of `model` if that is a whole file and was trained with just these settings."""
    try:
        log = read_log(log_path(model))
        content = read_bytes(model)
    except (OSError, DataError):
        return None
    same = log.settings == settings and log.model_sha256 == sha256_hex(content)
    return log if same else None


def _second_version(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of version 1, whose scores were accuracies."""
    settings = dict(entry["settings"])
    reading = asdict(replace(AS_IT_IS, hold_out=settings.pop("hold_out")))
    scores = {}
    for part in ("validation", "test"):
        one = dict(entry[part])
        scores[part] = {"metric": "accuracy", "value": one.pop("accuracy"), **one}
    kept = {name: value for name, value in entry.items() if name != "perplexity"}
    return {**kept, **scores, "settings": {**settings, "reading": reading}}


def _log(entry: dict[str, Any]) -> TrainingLog:
    settings = entry["settings"]
    rebuilt = {
        "settings": Settings(**{**settings, "reading": _reading(settings["reading"])}),
        "labels": tuple(entry["labels"]),
        "validation": Score(**entry["validation"]),
        "test": Score(**entry["test"]),
        "baselines": Baselines(**entry["baselines"]),
        "epochs": tuple(Epoch(**epoch) for epoch in entry["epochs"]),
        "others": tuple(_other(one) for one in entry.get("others", ())),
        "on_grid": _on_grid(entry.get("on_grid")),
    }
    return TrainingLog(**{**entry, **rebuilt})


def _on_grid(entry: dict[str, Any] | None) -> OnGrid | None:
    if entry is None:
        return None
    scores = {name: Score(**entry[name]) for name in ("before", "control")}
    return OnGrid(**{**entry, **scores, "left_in_float": tuple(entry["left_in_float"])})


def _other(entry: dict[str, Any]) -> OtherReached:
    return OtherReached(
        output=str(entry["output"]),
        validation=Score(**entry["validation"]),
        test=Score(**entry["test"]),
        baselines=Baselines(**entry["baselines"]),
    )


def _reading(entry: dict[str, Any]) -> Reading:
    kind = entry["kind"]
    named = {"target": tuple(entry["target"]), "kind": None if kind is None else Target(kind)}
    return Reading(**{**entry, **named})
