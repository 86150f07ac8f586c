"""The trained model from which a fine-tuning starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgernn.aware.deployed import copied
from edgernn.errors import DataError, ModelFileError
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import training_log_of
from edgernn.graph import Graph, Gru, Lstm
from edgernn.tasks.architectures import STANDARDIZE, number_heads
from edgernn.tasks.goal import Goal, goal_of
from edgernn.tasks.keras_backend import load_keras
from edgernn.tasks.notation import Architecture, architecture_named
from edgernn.tasks.samples import Splits
from edgernn.tasks.target import Target
from edgernn.tasks.task import Recipe
from edgernn.tasks.training import built, deployable

#: What a model that `edgernn train` did not make can be fitted to as it is.
_PLAIN: Final = (Target.CLASS, Target.LABELS, Target.NUMBERS, Target.STEPS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Start:
    """A trained model, as often as it is asked for.

    architecture: of a model that `edgernn train` made, which is built again around its weights;
        None for others, which are fitted as they are.
    """

    path: Path
    sha256: str
    model: Any
    goal: Goal
    recipe: Recipe
    cell: str
    splits: Splits
    architecture: Architecture | None

    def to_fit(self) -> Any:
        """A model with these weights that is fitted to the goal."""
        if self.architecture is None:
            return copied(self.model)
        train = self.splits.train
        model = built(
            train,
            self.architecture,
            self.recipe,
            dropout=self.recipe.dropout,
            every_step=train.target is Target.TOKEN,
            decoder_steps=self.goal.decoder_steps,
        )
        given, wanted = self.model.get_weights(), model.get_weights()
        if [one.shape for one in given] != [one.shape for one in wanted]:
            raise self.misfit("its weights have other shapes than these data ask for")
        model = self._standardized(model)
        model.set_weights(given)
        for place, one in enumerate(self.goal.each):
            for head in number_heads(model, place if self.goal.others else None):
                kernel, bias = head.get_weights()
                head.set_weights([kernel / one.deviation, (bias - one.mean) / one.deviation])
        return model

    def as_deployed(self, fitted: Any) -> Any:
        """The model that answers in the unit of y."""
        if self.architecture is None:
            return fitted
        return self._standardized(deployable(fitted, self.goal, self.architecture, self.recipe))

    def _standardized(self, model: Any) -> Any:
        """The model with the mean and variance that its weights were trained for: those of the
        start's rows, which these need not be."""
        trained = {layer.name: layer for layer in self.model.layers if layer.name == STANDARDIZE}

        def cloned(layer: Any) -> Any:
            layer = trained.get(layer.name, layer)
            return type(layer).from_config(layer.get_config())

        same = load_keras().models.clone_model(model, clone_function=cloned)
        same.set_weights(model.get_weights())
        return same

    def misfit(self, why: str) -> DataError:
        return DataError(
            f"{self.path.name} does not fit {self.splits.train.name}: {why}",
            remedy="Give the data that it was trained on, or train without --from",
        )


def start_from(path: Path, splits: Splits, recipe: Recipe) -> Start:
    """Raises ModelFileError, UnsupportedLayer, DataError or MissingRuntime."""
    source = read_model(path)  # its errors say more than those of Keras
    log = training_log_of(path, source.source.sha256)
    if log is None:
        cell, units = _cell_of(source.graph, path)
        architecture = None
        recipe = replace(recipe, units=units, layers=1)
        _require_plain(path, splits)
    else:
        cell = log.settings.cell
        architecture = architecture_named(cell)
        recipe = replace(recipe, units=log.settings.units, layers=log.settings.layers)
    goal = goal_of(splits, architecture or architecture_named(cell), recipe)
    if architecture is None:  # its answers are in the unit of y
        goal = replace(goal, mean=np.zeros_like(goal.mean), deviation=np.ones_like(goal.deviation))
    start = Start(
        path=path,
        sha256=source.source.sha256,
        model=_loaded(path),
        goal=goal,
        recipe=recipe,
        cell=cell,
        splits=splits,
        architecture=architecture,
    )
    if architecture is None:
        _require_fit(start)
    return start


def _loaded(path: Path) -> Any:
    keras = load_keras()
    try:
        return keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise ModelFileError(
            f"Keras {keras.__version__} does not load {path.name} "
            f"({str(error).partition(chr(10))[0]})",
            remedy="Load it in the Keras that saved it, and train it there with "
            "edgernn.quantization_aware",
        ) from error


def _cell_of(graph: Graph, path: Path) -> tuple[str, int]:
    for layer in graph.layers:
        if isinstance(layer, Gru | Lstm):
            return ("gru" if isinstance(layer, Gru) else "lstm"), layer.units
    raise DataError(
        f"{path.name} has no GRU or LSTM",
        remedy="Train it in Python: model = edgernn.quantization_aware(keras_model, 'int4')",
    )


def _require_plain(path: Path, splits: Splits) -> None:
    train = splits.train
    if train.target not in _PLAIN or train.others:
        raise DataError(
            f"{path.name} was not made by `edgernn train`, or its log is not beside it, and "
            f"{train.name} asks for more than one answer for a row",
            remedy="Train it in Python: model = edgernn.quantization_aware(keras_model, 'int4')",
        )


def _require_fit(start: Start) -> None:
    """Inputs and outputs of a model of others are those of the data."""
    train, model = start.splits.train, start.model
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise start.misfit(f"it has {len(model.inputs)} inputs and {len(model.outputs)} outputs")
    for wanted, size in zip(model.input_shape[1:], train.x.shape[1:], strict=False):
        if wanted not in (None, size) or len(model.input_shape) != train.x.ndim:
            raise start.misfit(
                f"it takes the shape {model.input_shape}, the rows have {train.x.shape[1:]}"
            )
    answers = model.output_shape[-1]
    counts = {Target.CLASS: train.classes, Target.STEPS: train.classes}
    values = np.asarray(train.y).reshape(len(train), -1).shape[1]
    if answers != counts.get(train.target or Target.CLASS, values):
        raise start.misfit(f"it has {answers} outputs")
