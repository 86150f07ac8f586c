"""`edgernn.quantization_aware`: a Keras model whose weights are on the grid of an export."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgernn import atomic
from edgernn.aware.weights import Choice, OnGrid, chosen_weights
from edgernn.errors import ModelFileError, WrongOption
from edgernn.export.keras.grids import as_json, with_grids
from edgernn.export.keras.object import from_keras
from edgernn.export.source_model import SourceModel
from edgernn.recipe import RowRecipe
from edgernn.recipe.keras_file import keep_member
from edgernn.tasks.keras_backend import load_keras


def quantization_aware(model: Any, scheme: str) -> Any:
    """A Keras model that learns, in fit(), to answer with weights of few bits.

    model: a keras.Model, best a trained one; it stays as it is.
    scheme: "int4" (15 numbers), "int3" (7) or "ternary" (3) for kernels of Dense, convolutions,
        GRU, LSTM and SimpleRNN, wrapped or not; tables of Embeddings and convolutions of groups
        have 255 numbers then.  "int8": 255 for all.

    Each call rounds the weights as an export does, with a scale for each column that is chosen for
    the least squared error; gradients go to the weights behind them as if nothing was rounded.
    States stay float, and an exported file rounds them to 8 bits: score that file.
    compile(), fit(), evaluate() and predict() are those of Keras.  `left_in_float` names the
    matrices that no grid holds.  `on_the_grid()` gives the plain Keras model with rounded weights,
    and save("gru4.keras") writes it: Keras loads that file without edgernn, and
    `edgernn export --scheme int4` (int8 for "int8") stores its weights bit for bit.

    Needs the Keras 3 package on TensorFlow (MissingRuntime).  Raises WrongOption for another
    scheme, a model without such weights, or one whose class has a train_step() of its own;
    ModelFileError or UnsupportedLayer for one that an export refuses, too.

    >>> model = edgernn.quantization_aware(keras.models.load_model("gru.keras"), "int4")
    >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    >>> model.fit(x, y, epochs=5)
    >>> model.save("gru4.keras")
    """
    keras = load_keras()
    if not isinstance(model, keras.Model):
        raise ModelFileError(
            f"an object of type {type(model).__name__} is not a model of Keras 3",
            remedy="Load it with keras.models.load_model('model.keras')",
        )
    _require_steps_of_keras(model)
    choice = chosen_weights(model, scheme)
    return _model_class()(copied(model), scheme, choice)


def _require_steps_of_keras(model: Any) -> None:
    """fit() of the model that learns would leave out what the class of another does in a step."""
    keras, own = load_keras(), type(model)
    for name in ("train_step", "test_step", "compute_loss", "compute_metrics"):
        if getattr(own, name) is not getattr(keras.Model, name):
            raise WrongOption(
                f"the class {own.__name__} has a {name}() of its own, which would not be called",
                remedy="Pass keras.Model(model.inputs, model.outputs), and train the result with "
                "a loop of your own",
            )


def copied(model: Any) -> Any:
    """Another model of the same layers and weights.  Never compiled: a file has no moments."""
    copy = load_keras().models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deployed:
    """A plain Keras model with its weights on their grids."""

    model: Any
    grids: tuple[Mapping[str, Any], ...]  # as `edgernn.json` has them

    def save(self, path: Path, recipe: RowRecipe | None = None) -> None:
        """Writes a .keras file that Keras loads without edgernn, the grids inside."""
        self.model.save(path)
        keep_member(path, recipe, list(self.grids))


def deployed(model: Any, weights: Sequence[OnGrid]) -> Deployed:
    """A copy of a plain model, its weights rounded to their grids."""
    copy = copied(model)
    grids = []
    for one in weights:
        variable = copy.weights[one.position]
        exact = np.asarray(variable, np.float32)
        grid = one.grid(exact)
        rounded = grid.values(grid.numbers(exact))
        variable.assign(rounded)
        grids.append(as_json(one.variable, rounded, grid))
    return Deployed(model=copy, grids=tuple(grids))


def source_of(model: Any) -> SourceModel | None:
    """What an export reads of a model of `quantization_aware` in memory; None for other objects."""
    if type(model).__module__ != __name__:
        return None
    rounded = deployed(model.inner, model.on_grid)
    source = from_keras(rounded.model)
    graph = with_grids(source.graph, rounded.grids, where=source.source.file)
    return replace(source, graph=graph)


@functools.cache
def _model_class() -> type:
    """Made when Keras is loaded: a class cannot wait for the module of its base."""
    keras = load_keras()

    class QuantizationAware(keras.Model):  # type: ignore[misc, name-defined]
        """See `quantization_aware`."""

        def __init__(self, inner: Any, scheme: str, choice: Choice) -> None:
            super().__init__(name=f"{inner.name}_{scheme}")
            self.inner = inner
            self.scheme = scheme
            self.left_in_float = choice.left
            self.supports_jit = False  # the quantizer is numpy
            self.built = True
            self.on_grid = choice.weights
            if hasattr(inner, "output_names"):  # losses and metrics may be given by output
                self.output_names = inner.output_names

        def call(self, inputs: Any, training: bool | None = None) -> Any:
            as_tensor = sys.modules["tensorflow"].convert_to_tensor  # load_keras has imported it
            fed = {id(one): as_tensor(one.value) for one in self.inner.variables}
            places = [id(self.inner.weights[one.position]) for one in self.on_grid]
            exact = [fed[place] for place in places]
            fed |= zip(places, _straight_through(self.on_grid, exact), strict=True)
            others = self.inner.non_trainable_variables
            outputs, after, losses = self.inner.stateless_call(
                [fed[id(one)] for one in self.inner.trainable_variables],
                [fed[id(one)] for one in others],
                inputs,
                training=training,
                return_losses=True,
            )
            # Behind what layers add come the regularizers of weights: Keras adds those itself.
            of_weights = sum(one.regularizer is not None for one in self.inner.trainable_weights)
            for loss in losses[: len(losses) - of_weights]:
                self.add_loss(loss)
            for variable, value in zip(others, after, strict=True):
                is_frozen = id(variable) in places  # a kernel that keeps its exact weights
                if value is not fed[id(variable)] and not is_frozen:
                    variable.assign(value)  # a seed of dropout, a moving mean
            return outputs

        def on_the_grid(self) -> Any:
            """The plain Keras model with the weights that calls use."""
            return deployed(self.inner, self.on_grid).model

        def save(self, filepath: Any, overwrite: bool = True, **_options: Any) -> None:
            """Writes the plain model, its weights on their grids: a .keras file."""
            path = Path(filepath)
            if path.suffix != ".keras":
                raise WrongOption(
                    f"'{path}' does not end in .keras, and only such a file keeps the grids",
                    remedy="Call save('model.keras')",
                )
            if path.exists() and not overwrite:
                raise WrongOption(f"'{path}' is there already", remedy="Pass overwrite=True")
            with atomic.staged_together((path,)) as (staged,):
                deployed(self.inner, self.on_grid).save(staged)

    return QuantizationAware


def _straight_through(weights: Sequence[OnGrid], tensors: Sequence[Any]) -> Sequence[Any]:
    """The tensors on their grids; gradients pass unchanged."""
    tensorflow = sys.modules["tensorflow"]

    def rounded(*arrays: Any) -> list[Any]:
        return [one.rounded(array) for one, array in zip(weights, arrays, strict=True)]

    @tensorflow.custom_gradient  # type: ignore[untyped-decorator]
    def forward(*exact: Any) -> tuple[Any, Any]:
        given = tensorflow.numpy_function(rounded, exact, [one.dtype for one in exact])
        for value, one in zip(given, exact, strict=True):
            value.set_shape(one.shape)
        return tuple(given), lambda *gradients: gradients

    return list(forward(*tensors))
