"""Fine-tunes a trained model in float, and from there on a grid and, as a control, in float."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from edgernn import atomic
from edgernn.aware.deployed import deployed
from edgernn.aware.integers import in_integers
from edgernn.aware.model import quantization_aware
from edgernn.aware.start import Start, start_from
from edgernn.aware.weights import chosen_weights, levels_of
from edgernn.errors import OutputError
from edgernn.tasks.augmentation import augmented
from edgernn.tasks.keras_backend import load_keras
from edgernn.tasks.npz import write_npz
from edgernn.tasks.reading import AS_IT_IS, Reading
from edgernn.tasks.samples import Splits
from edgernn.tasks.task import Recipe
from edgernn.tasks.training import (
    OnEpoch,
    Trained,
    fitted,
    reached,
    settings_of,
    trained_files,
    training_log,
)
from edgernn.tasks.training_log import Epoch, OnGrid, log_path, write_log

#: Opens the display of one of the three trainings, by its name.
Shown: TypeAlias = Callable[[str], AbstractContextManager[OnEpoch]]

#: That a fine-tuning has at most, unless the user says otherwise.
_EPOCHS: Final = 30
#: Grids that learn half of the loss from the answers of the model in float (docs/int4.md).
_TAUGHT: Final = ("int4",)


def gentler(recipe: Recipe) -> Recipe:
    """Of fine-tuning: smaller and fewer steps, whose rate falls to 0.

    Weights between two numbers of a grid come to rest so.
    """
    epochs = min(recipe.epochs, _EPOCHS)
    return replace(recipe, learning_rate=recipe.learning_rate / 2, epochs=epochs, patience=0)


def on_the_grid_of(in_float: Any, scheme: str) -> Any:
    """A model on a grid, with the weights of one that was fine-tuned in float.

    Where the scheme learns from answers, they are those of that one.
    """
    teacher = in_float if scheme in _TAUGHT else None
    return quantization_aware(in_float, scheme, teacher=teacher)


def tuned(model: Any, begin: Start, splits: Splits, seed: int, on_epoch: OnEpoch) -> list[Epoch]:
    """Fits a model in place; gives the epochs."""
    load_keras().utils.set_random_seed(seed)
    kept = _keeps_best(begin.recipe)
    return fitted(model, splits, begin.goal, begin.recipe, on_epoch, keeps_best=kept)


def _keeps_best(recipe: Recipe) -> bool:
    """Without patience the last weights count, not those of an epoch that few validation rows would
    choose while the rate is still high.
    """
    return recipe.patience > 0


def fine_tune(
    splits: Splits,
    start: Path,
    out: Path,
    *,
    scheme: str,
    task: str,
    recipe: Recipe,
    seed: int = 0,
    reading: Reading = AS_IT_IS,
    count_parameters: Callable[[Path], int],
    shown: Shown,
) -> Trained:
    """A training in float, and from its weights two more: on the grid, and in float as a control.

    The two are alike but for the grid and its teacher.  Writes the model on the grid.

    start: a .keras or .h5 file; units and layers are its own.  scheme: "int8", "int4", "int3" or
    "ternary".  The files are those of `edgernn.tasks.training.train`; the log has the score of the
    control and that before them.  The score of the training on the grid is that of its exported
    file, in integers; Keras scores models that write a sequence by themselves, that make rows of
    text or sound, or whose states stay between calls.
    Raises WrongOption, ModelFileError, UnsupportedLayer, MissingRuntime, DataError, OutputError.
    """
    levels_of(scheme)
    # It takes the predictions of several models for one model that is traced again and again.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    files = (out, *trained_files(out), log_path(out))
    if out.exists() and start.exists() and out.samefile(start):
        raise OutputError(f"{out} is the model to start from", remedy="Give -o another name")
    for file in files:
        atomic.require_writable(file)
    begin = start_from(start, splits, recipe)
    goal, recipe = begin.goal, begin.recipe
    louder = augmented(splits, seed)
    before = next(reached(begin.as_deployed(begin.to_fit()), goal, splits))

    load_keras().utils.set_random_seed(seed)
    in_float = begin.to_fit()
    chosen_weights(in_float, scheme)  # refused before the first training
    with shown("in float") as on_epoch:
        tuned(in_float, begin, louder, seed, on_epoch)
    aware = on_the_grid_of(in_float, scheme)
    with shown(f"on the grid of {scheme}") as on_epoch:
        epochs = tuned(aware, begin, louder, seed, on_epoch)
    with shown("in float once more") as on_epoch:  # last: until here it may teach
        tuned(in_float, begin, louder, seed, on_epoch)
    control = next(reached(begin.as_deployed(in_float), goal, splits))

    answering = deployed(begin.as_deployed(aware.inner), aware.on_grid)
    scored: Any = None
    if not goal.decoder_steps:
        scored = in_integers(answering, splits.calibration.x, scheme)
    with atomic.staged_together(files) as (model_file, calibration_file, test_file, log_file):
        answering.save(model_file, splits.train.front_end)
        settings = settings_of(
            splits, task=task, cell=begin.cell, recipe=recipe, seed=seed, reading=reading
        )
        log = training_log(
            *(scored or answering.model, splits, goal, settings, epochs, out.name),
            content=model_file.read_bytes(),
            parameters=count_parameters(model_file),
            on_grid=OnGrid(
                scheme=scheme,
                start=start.name,
                start_sha256=begin.sha256,
                before=before.test,
                control=control.test,
                left_in_float=aware.left_in_float,
            ),
            keeps_best=_keeps_best(recipe),
        )
        write_npz(calibration_file, splits.calibration)
        write_npz(test_file, splits.test)
        write_log(log_file, log)
    return Trained(model=out, calibration=files[1], test=files[2], log=log)
