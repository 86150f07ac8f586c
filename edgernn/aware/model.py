"""`edgernn.quantization_aware`: a Keras model whose weights are on the grid of an export."""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgernn import atomic
from edgernn.aware.deployed import Deployed, copied, deployed
from edgernn.aware.distillation import MASK, Distillation, distillation_from
from edgernn.aware.integers import InIntegers, in_integers
from edgernn.aware.weights import Choice, OnGrid, chosen_weights
from edgernn.errors import ModelFileError, WrongOption
from edgernn.export.keras.grids import with_grids
from edgernn.export.keras.object import from_keras
from edgernn.export.source_model import SourceModel
from edgernn.tasks.keras_backend import load_keras


def quantization_aware(
    model: Any, scheme: str, *, calibrate: Any = None, teacher: Any = None
) -> Any:
    """A Keras model that learns, in fit(), to answer with weights of few bits.

    model: a keras.Model, best a trained one; it stays as it is.
    scheme: "int4" (15 numbers), "int3" (8) or "ternary" (3) for kernels of Dense, convolutions,
        GRU, LSTM and SimpleRNN, wrapped or not; tables of Embeddings and convolutions of groups
        have 255 numbers then.  With "int3" and "ternary", kernels that read the inputs have 15, and
        so have those of Dense layers that give the answers.  "int8": 255 for all.
    calibrate: rows of the model's one input, as for an export; then evaluate(), predict() and the
        validation in fit() answer in the integers of the exported file.
    teacher: a trained keras.Model with the same inputs and outputs, best the same model after the
        same training in float.  Then half of the loss in fit() is against its answers, which take
        the place of labels; masks, weights of rows and ignored classes count there, too.

    Each call rounds the weights as an export does, with a scale for each column that is chosen for
    the least squared error; gradients go to the weights behind them as if nothing was rounded.
    The 8 numbers of a column of "int3" are n from -4 to 3 or from -3 to 4 times its scale, and both
    stay as this call found them for the weights of `model`, so that should be trained; a column of
    zeros, or whose weights are loaded later, gets others (docs/int4.md).
    States stay float, and an exported file rounds them to 8 bits.  With `calibrate`, calls outside
    of training do so, too, and an export with the same rows answers as they do.
    compile(), fit(), evaluate() and predict() are those of Keras.  `left_in_float` names the
    matrices that no grid holds.  `on_the_grid()` gives the plain Keras model with rounded weights,
    and save("gru4.keras") writes it: Keras loads that file without edgernn, and
    `edgernn export --scheme int4` (int8 for "int8") stores its weights bit for bit.

    Needs the Keras 3 package on TensorFlow (MissingRuntime).  Raises WrongOption for another
    scheme, a model without such weights, one whose class has a train_step() of its own, or
    `calibrate` for one of several inputs, of states that stay between calls, or of sound or text,
    or a teacher of other shapes (compile() and fit() raise it for a loss
    that is not of keras.losses, or takes no answers);
    CalibrationError or DataError for rows that do not fit; ModelFileError or UnsupportedLayer for
    one that an export refuses, too.

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
    learnt = None if teacher is None else distillation_from(teacher, model)
    made = _model_class()(copied(model), scheme, choice, calibrate, learnt)
    if calibrate is not None:
        made.round_activations()
    return made


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

        def __init__(
            self,
            inner: Any,
            scheme: str,
            choice: Choice,
            calibrate: Any,
            distillation: Distillation | None,
        ) -> None:
            super().__init__(name=f"{inner.name}_{scheme}")
            self.inner = inner
            self.scheme = scheme
            self.left_in_float = choice.left
            self.supports_jit = False  # the quantizer is numpy
            self.built = True
            self.on_grid = choice.weights
            self.calibrate = calibrate
            self.distillation = distillation
            self.rounded_weights = b""  # of which `answering` computes
            self.answering: InIntegers  # with `calibrate`, from round_activations() on
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
            if self.calibrate is None or training:
                return outputs
            if sys.modules["tensorflow"].executing_eagerly():
                self.round_activations()
                return _in_place_of(outputs, inputs, self._answers)
            return _in_place_of(outputs, inputs, self._answers_in_graph)

        def compile(
            self,
            optimizer: Any = "rmsprop",
            loss: Any = None,
            loss_weights: Any = None,
            *others: Any,
            **options: Any,
        ) -> None:
            super().compile(optimizer, loss, loss_weights, *others, **options)
            if self.distillation is not None:
                names = getattr(self, "output_names", None)
                self.distillation.compile(loss, loss_weights, names)

        def compute_loss(
            self,
            x: Any = None,
            y: Any = None,
            y_pred: Any = None,
            sample_weight: Any = None,
            training: bool = True,
        ) -> Any:
            loss = super().compute_loss(x, y, y_pred, sample_weight, training)
            if self.distillation is None or not training:
                return loss
            return loss + self.distillation.more_loss(x, y, y_pred, sample_weight)

        def _answers_in_graph(self, inputs: Any) -> Any:
            self.round_activations()  # the graph was made before: weights may be others now
            return self._answers(inputs)

        def _answers(self, inputs: Any) -> Any:
            return self.answering.predict(inputs, batch_size=len(inputs))

        def round_activations(self) -> None:
            """Calls outside of training compute in integers now, with the weights as they are."""
            if self.calibrate is None:
                return
            weights = b"".join(np.asarray(one).tobytes() for one in self.inner.weights)
            digest = hashlib.sha256(weights).digest()
            if digest != self.rounded_weights:
                rounded = deployed(self.inner, self.on_grid)
                self.answering = _integers_of(rounded, self.calibrate, self.scheme)
                self.rounded_weights = digest

        def evaluate(self, *arguments: Any, **options: Any) -> Any:
            self.round_activations()
            return super().evaluate(*arguments, **options)

        def predict(self, *arguments: Any, **options: Any) -> Any:
            self.round_activations()
            return super().predict(*arguments, **options)

        def test_on_batch(self, *arguments: Any, **options: Any) -> Any:
            self.round_activations()
            return super().test_on_batch(*arguments, **options)

        def predict_on_batch(self, *arguments: Any, **options: Any) -> Any:
            self.round_activations()
            return super().predict_on_batch(*arguments, **options)

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
        return _in_numpy(rounded, exact, exact), lambda *gradients: gradients

    return list(forward(*tensors))


def _integers_of(rounded: Deployed, calibrate: Any, scheme: str) -> InIntegers:
    inputs = len(rounded.model.inputs)
    made = in_integers(rounded, calibrate, scheme) if inputs == 1 else None
    if made is None:
        what = "keeps its states between calls, or makes its features of sound or text"
        if inputs > 1:
            what = f"takes {inputs} inputs"
        raise WrongOption(
            f"a model that {what} is not scored in integers",
            remedy="Leave out calibrate, and score the exported file: `edgernn export --data`",
        )
    return made


def _in_place_of(outputs: Any, inputs: Any, answers: Callable[[Any], Any]) -> Any:
    """What `answers` gives for the one input, in the structure of outputs.

    With their gradients, and with their masks, which losses and metrics read.
    """
    tensorflow, tree = sys.modules["tensorflow"], load_keras().tree
    flat = tree.flatten(outputs)

    def computed(array: Any) -> list[Any]:
        given = answers(array)
        arrays = given if isinstance(given, list) else [given]
        return [
            np.asarray(one, like.dtype.as_numpy_dtype)
            for one, like in zip(arrays, flat, strict=True)
        ]

    @tensorflow.custom_gradient  # type: ignore[untyped-decorator]
    def forward(*exact: Any) -> tuple[Any, Any]:
        return _in_numpy(computed, tree.flatten(inputs), exact), lambda *gradients: gradients

    given = list(forward(*flat))
    for value, exact in zip(given, flat, strict=True):
        setattr(value, MASK, getattr(exact, MASK, None))
    return tree.pack_sequence_as(outputs, given)


def _in_numpy(
    function: Callable[..., list[Any]], given: Sequence[Any], like: Sequence[Any]
) -> tuple[Any, ...]:
    """What the function gives for arrays, as tensors of these types and shapes."""
    tensorflow = sys.modules["tensorflow"]
    made = tensorflow.numpy_function(function, given, [one.dtype for one in like])
    values = made if isinstance(made, list | tuple) else [made]  # a single one outside of a graph
    for value, one in zip(values, like, strict=True):
        value.set_shape(one.shape)
    return tuple(values)
