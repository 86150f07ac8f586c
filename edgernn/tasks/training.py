"""Trains one reference model and writes it down: the model, its data's splits, its log."""

from __future__ import annotations

import hashlib
import math
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from edgernn import atomic
from edgernn.artefact import sha256_hex
from edgernn.errors import DataError
from edgernn.recipe import keep_recipe
from edgernn.tasks.architectures import build, number_heads, standardized
from edgernn.tasks.augmentation import augmented
from edgernn.tasks.baselines import baselines
from edgernn.tasks.goal import Goal, goal_of
from edgernn.tasks.kept_models import KeptModels
from edgernn.tasks.keras_backend import load_keras
from edgernn.tasks.notation import Architecture, architecture_named
from edgernn.tasks.npz import write_npz
from edgernn.tasks.reading import AS_IT_IS, Reading
from edgernn.tasks.samples import AnyArray, Baselines, Samples, Splits
from edgernn.tasks.schedule import rate_at
from edgernn.tasks.score import score
from edgernn.tasks.sequences import greedy
from edgernn.tasks.target import Target
from edgernn.tasks.task import Recipe
from edgernn.tasks.training_log import (
    Epoch,
    OnGrid,
    OtherReached,
    Settings,
    TrainingLog,
    log_path,
    write_log,
)
from edgernn.version import __version__

#: Called at the end of each epoch.
OnEpoch: TypeAlias = Callable[[Epoch], None]
Answers: TypeAlias = Callable[[Path, AnyArray], AnyArray]  # the first output of a file, for rows

PREDICTION_BATCH: Final = 256


class Diverged(DataError):
    """The loss left the range of numbers: the recipe is at fault, or a few rows are."""


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
    splits: Splits,
    *,
    task: str,
    cell: str,
    recipe: Recipe,
    seed: int,
    reading: Reading = AS_IT_IS,
) -> Settings:
    """What a training is asked for, to record it or to recognize a model made the same way.

    `cell` is an architecture in the notation of edgernn.tasks.notation.
    """
    return Settings(
        task=task,
        data_sha256=_fingerprint(splits),
        reading=reading,
        cell=architecture_named(cell).name,
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
    cell: str,
    recipe: Recipe,
    seed: int = 0,
    reading: Reading = AS_IT_IS,
    count_parameters: Callable[[Path], int],
    on_epoch: OnEpoch = lambda _epoch: None,
    kept: KeptModels | None = None,
    answers: Answers | None = None,
) -> Trained:
    """Trains as the recipe says, and keeps the weights of the least validation loss.

    `out` is a .keras file; beside it come the calibration and test rows (.npz) and the log
    (.train.json).  0 epochs write the untrained model.  An output that cannot be written is
    reported before the training, and all four files are written or none.  `count_parameters` gets
    the model file; `edgernn.export.keras.file.parameters_of` counts as exports and profiles do.
    `kept` has models of earlier trainings, which save the seconds of tracing; results are the same.
    `answers` computes what the log says of a model with one output, where Keras would trace it.
    Raises MissingRuntime, DataError or OutputError.
    """
    settings = settings_of(splits, task=task, cell=cell, recipe=recipe, seed=seed, reading=reading)
    architecture = architecture_named(cell)
    goal = goal_of(splits, architecture, recipe)
    files = (out, *trained_files(out), log_path(out))
    for file in files:
        atomic.require_writable(file)  # before the seconds that Keras takes
    # Ctrl-C in the import of its C++ code may end the process: nothing is on the disk yet.
    keras = load_keras()
    with atomic.staged_together(files) as (model_file, calibration_file, test_file, log_file):
        keras.utils.set_random_seed(seed)
        every_step = splits.train.target is Target.TOKEN
        model = built(
            splits.train,
            architecture,
            recipe,
            dropout=recipe.dropout,
            every_step=every_step,
            decoder_steps=goal.decoder_steps,
            standardizes=False,
        )
        compile_for(model, goal, recipe)
        if kept is not None:
            model = kept.like(model, (goal.targets, recipe.learning_rate))
        seen = partial(standardized, train=splits.train)
        epochs = fit(model, augmented(splits, seed), goal, recipe, on_epoch, seen)
        model = deployable(model, goal, architecture, recipe)
        model.save(model_file)
        if splits.train.front_end is not None:
            keep_recipe(model_file, splits.train.front_end)
        log = training_log(
            *(model, splits, goal, settings, epochs, out.name),
            content=model_file.read_bytes(),
            parameters=count_parameters(model_file),
            answers=None if answers is None else partial(answers, model_file),
        )
        write_npz(calibration_file, splits.calibration)
        write_npz(test_file, splits.test)
        write_log(log_file, log)
    return Trained(model=out, calibration=files[1], test=files[2], log=log)


def training_log(
    model: Any,
    splits: Splits,
    goal: Goal,
    settings: Settings,
    epochs: list[Epoch],
    name: str,
    *,
    content: bytes,
    parameters: int,
    on_grid: OnGrid | None = None,
    answers: Callable[[AnyArray], AnyArray] | None = None,
    keeps_best: bool = True,
) -> TrainingLog:
    """What a training gave: `model` is the one whose file has this name and content."""
    best = min(range(len(epochs)), key=lambda index: epochs[index].validation_loss, default=-1)
    if not keeps_best:
        best = len(epochs) - 1
    first, *others = reached(model, goal, splits, answers)
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
        validation=first.validation,
        test=first.test,
        baselines=first.baselines,
        epochs=tuple(epochs),
        versions=_versions(),
        output=first.output,
        others=tuple(others),
        on_grid=on_grid,
    )


def reached(
    model: Any, goal: Goal, splits: Splits, answers: Callable[[AnyArray], AnyArray] | None = None
) -> Iterator[OtherReached]:
    """Of each output, the first one first."""
    parts = (splits.validation, splits.test)
    if answers is None or goal.others or goal.decoder_steps:
        said = [_outputs(model, goal, part) for part in parts]
    else:
        said = [[answers(part.x)] for part in parts]
    for seen, validation, test in zip(splits.outputs, *said, strict=True):
        yield OtherReached(
            output=seen.train.output,
            validation=score(validation, seen.validation),
            test=score(test, seen.test),
            baselines=_baselines(seen),
        )


def _baselines(splits: Splits) -> Baselines:
    found = splits.test.baselines or baselines(splits)
    if found is None:
        raise ValueError(f"nothing is trained on the target {splits.train.target}")
    return found


def built(
    train_rows: Samples,
    architecture: Architecture,
    recipe: Recipe,
    *,
    dropout: float = 0.0,
    every_step: bool = False,
    seasonal_steps: int = 0,
    decoder_steps: int = 0,
    standardizes: bool = True,
) -> Any:
    return build(
        train_rows,
        architecture,
        units=recipe.units,
        layers=recipe.layers,
        dropout=dropout,
        every_step=every_step,
        seasonal_steps=seasonal_steps,
        decoder_steps=decoder_steps,
        standardizes=standardizes,
    )


def deployable(model: Any, goal: Goal, architecture: Architecture, recipe: Recipe) -> Any:
    """The model that answers once, in the unit of y, with the weights of `model`.

    It has never been compiled: Adam's moments would make its file three times as large.
    """
    deployed = built(
        goal.train,
        architecture,
        recipe,
        seasonal_steps=recipe.seasonal_steps,
        decoder_steps=goal.decoder_steps,
    )
    deployed.set_weights(model.get_weights())
    for place, one in enumerate(goal.each):
        for head in number_heads(deployed, place if goal.others else None):
            kernel, bias = head.get_weights()
            head.set_weights([kernel * one.deviation, bias * one.deviation + one.mean])
    return deployed


def fitted(
    model: Any,
    splits: Splits,
    goal: Goal,
    recipe: Recipe,
    on_epoch: OnEpoch,
    *,
    keeps_best: bool = True,
) -> list[Epoch]:
    """Fits `model` in place, ending with its best weights or its last ones; gives the epochs."""
    compile_for(model, goal, recipe)
    return fit(model, splits, goal, recipe, on_epoch, keeps_best=keeps_best)


def compile_for(model: Any, goal: Goal, recipe: Recipe) -> None:
    """Gives the model its optimizer and its loss."""
    model.compile(
        load_keras().optimizers.Adam(recipe.learning_rate),
        goal.loss,
        metrics=["accuracy"] if goal.train.target is Target.CLASS and not goal.others else [],
    )


def fit(
    model: Any,
    splits: Splits,
    goal: Goal,
    recipe: Recipe,
    on_epoch: OnEpoch,
    seen: Callable[[AnyArray], AnyArray] = lambda x: x,
    *,
    keeps_best: bool = True,
) -> list[Epoch]:
    """As `fitted`, of a model that is compiled.  It is given `seen` of the features."""
    if recipe.epochs == 0:
        return []
    keras = load_keras()

    def inputs(samples: Samples) -> AnyArray | list[AnyArray]:
        return goal.inputs(replace(samples, x=seen(samples.x)))

    epochs: list[Epoch] = []
    began = time.perf_counter()
    batches = recipe.epochs * -(-len(splits.train) // recipe.batch_size)
    place = iter(range(batches))

    def slow_down(_batch: int, **_logs: object) -> None:
        model.optimizer.learning_rate.assign(rate_at(next(place) / batches, recipe.learning_rate))

    def record(number: int, logs: dict[str, float]) -> None:
        if not math.isfinite(logs["loss"]):
            raise Diverged(
                f"the training diverged in epoch {number + 1} (the loss is {logs['loss']})",
                remedy="Lower --learning-rate",
            )
        accuracy = logs.get("val_accuracy")
        epochs.append(
            Epoch(
                number=number + 1,
                seconds=time.perf_counter() - began - sum(epoch.seconds for epoch in epochs),
                loss=float(logs["loss"]),
                validation_loss=float(logs["val_loss"]),
                validation_accuracy=None if accuracy is None else float(accuracy),
            )
        )
        on_epoch(epochs[-1])

    model.fit(
        inputs(splits.train),
        goal.of(splits.train),
        validation_data=(inputs(splits.validation), goal.of(splits.validation)),
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping(
                monitor="val_loss",
                patience=recipe.patience or recipe.epochs,
                restore_best_weights=keeps_best,
            ),
            keras.callbacks.LambdaCallback(
                on_epoch_end=record, on_train_batch_begin=None if recipe.patience else slow_down
            ),
        ],
    )
    return epochs


def _outputs(model: Any, goal: Goal, samples: Samples) -> list[AnyArray]:
    """[N, ...] of each output; of a decoder, the tokens that it writes by itself [N, U], -1 behind
    the last.
    """

    def predicted(inputs: Any) -> list[AnyArray]:
        found = model.predict(inputs, batch_size=PREDICTION_BATCH, verbose=0)
        return [np.asarray(one) for one in (found if goal.others else [found])]

    if not goal.decoder_steps:
        return predicted(samples.x)
    steps = goal.decoder_steps
    return [greedy(lambda fed, step: predicted([samples.x, fed])[0][:, step], len(samples), steps)]


def _fingerprint(splits: Splits) -> str:
    digest = hashlib.sha256()
    for part in (splits.train, splits.validation, splits.test):
        for array in (part.x, part.y, part.lengths, *(one.y for one in part.others)):
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
