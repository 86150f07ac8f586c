"""Reads a model in memory: keras.Model or tf_keras.Model, by its config and its weights.

Neither package is imported: the model brings its own.
"""

from __future__ import annotations

import hashlib
import sys
from typing import Any

import numpy as np

from edgernn.artefact import OBJECT, Source
from edgernn.errors import ModelFileError
from edgernn.export.keras.call import LayerWeights
from edgernn.export.keras.config import LayerConfig, model_tree, parse_json
from edgernn.export.keras.model import config_errors, translate
from edgernn.export.keras.translations import refuse_unknown
from edgernn.export.keras.variables import variables
from edgernn.export.keras.version import KerasVersion, keras_version
from edgernn.export.keras.weights import require_finite
from edgernn.export.source_model import SourceModel

__all__ = ["SourceModel", "from_keras"]


def from_keras(model: Any) -> SourceModel:
    """The graph of a keras.Model or tf_keras.Model.

    Raises ModelFileError if it is no model, was never built or is subclassed, UnsupportedLayer
    if edgernn does not support a layer or one of its options.
    """
    version = _version(model)
    try:
        text = model.to_json()
    except NotImplementedError as error:  # raised by Keras for a model that consists of Python code
        raise ModelFileError(
            f"the model is of the class '{type(model).__name__}', "
            "whose layers only its Python code knows",
            remedy="Build it with keras.Sequential or keras.Model(inputs, outputs)",
        ) from error
    weights = _LiveWeights(model)
    with config_errors():
        tree = model_tree(parse_json(text, "the model's config"))
        refuse_unknown(tree)
        translated = translate(tree, version, weights, weights.vocabulary)
    content = _digest(text, weights)
    return SourceModel(
        graph=translated.graph,
        source=Source(
            file=OBJECT,
            sha256=content,
            bytes=weights.read_bytes,
            keras_version=version.text,
            parameters=translated.graph.parameters,
        ),
        warnings=translated.warnings,
    )


def _version(model: Any) -> KerasVersion:
    """The version of the package that the model's class comes from."""
    for base in type(model).__mro__:
        package = base.__module__.partition(".")[0]
        if package in ("keras", "tf_keras"):
            return keras_version(str(sys.modules[package].__version__))
        if base.__module__.startswith("tensorflow.python.keras"):  # TensorFlow before 2.6
            return keras_version(f"{sys.modules['tensorflow'].__version__}-tf")
    raise ModelFileError(
        f"an object of type {type(model).__name__} is not a Keras model",
        remedy="Give a keras.Model, or the path of a saved one",
    )


class _LiveWeights:
    """Weights of the model's layers, fetched when they are first used."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._known: dict[tuple[str, ...], LayerWeights] = {}

    def __call__(self, layer: LayerConfig) -> LayerWeights:
        if layer.path not in self._known:
            self._known[layer.path] = self._fetched(layer)
        return self._known[layer.path]

    @property
    def arrays(self) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
        """All arrays fetched so far, in the order of their layers' paths."""
        return [array for path in sorted(self._known) for array in self._known[path].values()]

    @property
    def read_bytes(self) -> int:
        return sum(array.nbytes for array in self.arrays)

    def _fetched(self, layer: LayerConfig) -> LayerWeights:
        expected = variables(layer)
        if not expected:
            return {}
        stored = self._owner(layer.path).get_weights()
        if len(stored) < len(expected):
            raise ModelFileError(
                f"layer '{layer.name}' ({layer.kind}, in {layer.where}) has no weights yet",
                remedy="Call the model once, or build it, before exporting it",
            )
        fetched = {
            variable.name: np.asarray(array, np.float32)
            for variable, array in zip(expected, stored, strict=False)
        }
        for name, array in fetched.items():
            require_finite(array, layer, name)
        return fetched

    def vocabulary(self, layer: LayerConfig) -> list[str] | None:
        """The words that a layer of text has learnt; None where it has learnt none."""
        words = self._owner(layer.path).get_vocabulary()
        return [str(word) for word in words]

    def _owner(self, path: tuple[str, ...]) -> Any:
        """The live layer at a path of names and attributes."""
        found = self._model
        for step in path:
            if step.startswith("cells/"):
                found = found.cells[int(step.removeprefix("cells/"))]
            elif hasattr(found, "layers"):
                found = found.get_layer(step)
            else:
                found = getattr(found, step)
        return found


def _digest(text: str, weights: _LiveWeights) -> str:
    """A hash of the config and the weights, which differs between two models in memory."""
    digest = hashlib.sha256(text.encode())
    for array in weights.arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
