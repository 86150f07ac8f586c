"""Trains one reference model and writes it down: the model, its data's splits, its log."""

from __future__ import annotations

import hashlib
import math
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgernn import atomic
from edgernn.artefact import sha256_hex
from edgernn.errors import DataError
from edgernn.tasks.architectures import Cell, build
from edgernn.tasks.baselines import baselines, perplexity, token_perplexities
from edgernn.tasks.keras_backend import load_keras
from edgernn.tasks.npz import write_npz
from edgernn.tasks.samples import AnyArray, Samples, Splits
from edgernn.tasks.score import Score, score
from edgernn.tasks.task import Recipe
from edgernn.tasks.training_log import Epoch, Perplexity, Settings, TrainingLog, log_path, write_log
from edgernn.version import __version__

#: Told each epoch when it is over.
OnEpoch: TypeAlias = Callable[[Epoch], None]

_PREDICTION_BATCH: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The files of one training, and what its log says."""

    model: Path
    calibration: Path
    test: Path
    log: TrainingLog


def trained_files(model: Path) -> tuple[Path, Path]:
    """Where the calibration and test rows of a model lie: gru.calibration.npz, gru.test.npz."""
    return model.with_suffix(".calibration.npz"), model.with_suffix(".test.npz")


def settings_of(
    splits: Splits, *, task: str, cell: Cell, recipe: Recipe, seed: int, hold_out: str | None
) -> Settings:
    """The settings of a training: for its log, or to recognize a model trained in the same way."""
    return Settings(
        task=task,
        data_sha256=_fingerprint(splits),
        hold_out=hold_out,
        cell=cell.value,
        units=recipe.units,
        layers=recipe.layers,
        epochs=recipe.epochs,
        patience=recipe.patience,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        seed=seed,
    )


def train(
    splits: Splits,
    out: Path,
    *,
    task: str,
    cell: Cell,
    recipe: Recipe,
    seed: int = 0,
    hold_out: str | None = None,
    count_parameters: Callable[[Path], int],
    on_epoch: OnEpoch = lambda _epoch: None,
) -> Trained:
    """Trains until the validation loss stops falling, and keeps the weights of its minimum.

    `out` is a .keras file; beside it come the calibration and test rows (.npz) and the log
    (.train.json).  0 epochs write the untrained model.  An output that cannot be written is
    reported before the training, and all four files are written or none.  `count_parameters` gets
    the model file; `edgernn.export.keras.file.parameters_of` counts as exports and profiles do.
    Raises MissingRuntime, DataError or OutputError.
    """
    settings = settings_of(
        splits, task=task, cell=cell, recipe=recipe, seed=seed, hold_out=hold_out
    )
    files = (out, *trained_files(out), log_path(out))
    for file in files:
        atomic.require_writable(file)  # before the seconds that Keras takes
    # Ctrl-C in the import of its C++ code may end the process: nothing is on the disk yet.
    keras = load_keras()
    with atomic.staged_together(files) as (model_file, calibration_file, test_file, log_file):
        keras.utils.set_random_seed(seed)
        model = _built(splits.train, cell, recipe, every_step=recipe.every_step)
        epochs = _fitted(model, splits, recipe, on_epoch)
        model = _deployable(model, splits.train, cell, recipe)
        model.save(model_file)
        log = _log(
            *(model, splits, settings, epochs, recipe, out.name),
            content=model_file.read_bytes(),
            parameters=count_parameters(model_file),
        )
        write_npz(calibration_file, splits.calibration)
        write_npz(test_file, splits.test)
        write_log(log_file, log)
    return Trained(model=out, calibration=files[1], test=files[2], log=log)


def _log(
    model: Any,
    splits: Splits,
    settings: Settings,
    epochs: list[Epoch],
    recipe: Recipe,
    name: str,
    *,
    content: bytes,
    parameters: int,
) -> TrainingLog:
    best = min(range(len(epochs)), key=lambda index: epochs[index].validation_loss, default=-1)
    test_probabilities = _probabilities(model, splits.test)
    return TrainingLog(
        settings=settings,
        model=name,
        model_sha256=sha256_hex(content),
        parameters=parameters,
        labels=splits.train.labels,
        features=splits.train.features,
        epochs_to_best=best + 1,
        seconds_to_best=sum(epoch.seconds for epoch in epochs[: best + 1]),
        seconds=sum(epoch.seconds for epoch in epochs),
        validation=_score(_probabilities(model, splits.validation), splits.validation),
        test=_score(test_probabilities, splits.test),
        baselines=splits.test.baselines or baselines(splits),
        perplexity=_perplexity(test_probabilities, splits) if recipe.every_step else None,
        epochs=tuple(epochs),
        versions=_versions(),
    )


def _built(train_rows: Samples, cell: Cell, recipe: Recipe, *, every_step: bool) -> Any:
    return build(
        train_rows,
        cell,
        units=recipe.units,
        layers=recipe.layers,
        classes=train_rows.classes,
        every_step=every_step,
    )


def _deployable(model: Any, train_rows: Samples, cell: Cell, recipe: Recipe) -> Any:
    """The model that answers once, after the last step, with the weights of `model`.

    It has never been compiled: Adam's moments would make its file three times as large.
    """
    deployed = _built(train_rows, cell, recipe, every_step=False)
    deployed.set_weights(model.get_weights())
    return deployed


def _fitted(model: Any, splits: Splits, recipe: Recipe, on_epoch: OnEpoch) -> list[Epoch]:
    """Fits `model` in place, ending with its best weights."""
    if recipe.epochs == 0:
        return []
    keras = load_keras()
    model.compile(
        keras.optimizers.Adam(recipe.learning_rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    epochs: list[Epoch] = []
    began = time.perf_counter()

    def record(number: int, logs: dict[str, float]) -> None:
        if not math.isfinite(logs["loss"]):
            raise DataError(
                f"the training diverged in epoch {number + 1} (the loss is {logs['loss']})",
                remedy="Lower --learning-rate",
            )
        epochs.append(
            Epoch(
                number=number + 1,
                seconds=time.perf_counter() - began - sum(epoch.seconds for epoch in epochs),
                loss=float(logs["loss"]),
                validation_loss=float(logs["val_loss"]),
                validation_accuracy=float(logs["val_accuracy"]),
            )
        )
        on_epoch(epochs[-1])

    model.fit(
        splits.train.x,
        _targets(splits.train, recipe),
        validation_data=(splits.validation.x, _targets(splits.validation, recipe)),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping(
                monitor="val_loss", patience=recipe.patience, restore_best_weights=True
            ),
            keras.callbacks.LambdaCallback(on_epoch_end=record),
        ],
    )
    return epochs


def _targets(samples: Samples, recipe: Recipe) -> npt.NDArray[np.int64]:
    """Classes [N]; for a language model the token after each token, [N, T]."""
    y = samples.classified
    if not recipe.every_step:
        return y
    return np.concatenate([samples.x[:, 1:], y[:, None]], axis=1, dtype=np.int64)


def _probabilities(model: Any, samples: Samples) -> AnyArray:
    """[N, classes]"""
    return np.asarray(model.predict(samples.x, batch_size=_PREDICTION_BATCH, verbose=0))


def _score(probabilities: AnyArray, samples: Samples) -> Score:
    return score(probabilities.argmax(axis=1), samples.classified)


def _perplexity(probabilities: AnyArray, splits: Splits) -> Perplexity:
    y = splits.test.classified
    unigram, bigram = token_perplexities(splits)
    network = perplexity(probabilities[np.arange(len(y)), y])
    return Perplexity(network=network, unigram=unigram, bigram=bigram)


def _fingerprint(splits: Splits) -> str:
    digest = hashlib.sha256()
    for part in (splits.train, splits.validation, splits.test):
        for array in (part.x, part.y, part.lengths):
            if array is not None:
                digest.update(str((array.shape, array.dtype)).encode())
                digest.update(array.tobytes())
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    return {
        "edgernn": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "keras": load_keras().__version__,
        "tensorflow": sys.modules["tensorflow"].__version__,
    }
