"""A case made real: the Keras model, its files, its inputs, and what Keras answers."""

from __future__ import annotations

import tempfile
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest

from tests.zoo.case import Case, Generation, Keras
from tests.zoo.inputs import draw
from tests.zoo.weights import randomize


class Route(str, Enum):
    """The way a Keras model takes into edgernn."""

    OBJECT = "object"
    KERAS = "keras"
    H5 = "h5"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """A built model; `inputs[call][port]` and `expected[call][port]`, ports in Keras' order."""

    model: Any
    files: dict[Route, bytes]
    inputs: list[list[npt.NDArray[Any]]]
    expected: list[list[npt.NDArray[Any]]]

    @property
    def is_telling(self) -> bool:
        """Whether the expected outputs are numbers of a size worth comparing."""
        outputs = [output for call in self.expected for output in call]
        return all(bool((np.abs(output) < 1e4).all()) for output in outputs)


@cache
def keras_of(generation: Generation) -> Keras:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if generation is Generation.KERAS2:
            import tf_keras

            return tf_keras
        import keras

        return keras


@lru_cache(maxsize=3)
def prepared(case: Case, generation: Generation) -> Prepared:
    """With all files, kept for the next tests of the case: see tests/export/conftest.py."""
    return prepare(case, generation)


def prepare(
    case: Case, generation: Generation, *, routes: Sequence[Route] = (Route.KERAS, Route.H5)
) -> Prepared:
    """Builds and calls the model, and saves it for each of the `routes` that are files.

    Warnings of Keras about masks and old formats are not ours to act on.
    """
    seed = zlib.crc32(case.name.encode())
    k = keras_of(generation)
    _forget_names(k, generation)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _traced_once(generation):
            model = case.build(k)
        randomize(model, seed)
        files = _files(model, routes)
        specs = [(tuple(entry.shape), _dtype_name(entry)) for entry in model.inputs]
        inputs = [draw(case, specs, seed + call) for call in range(case.calls)]
        expected = [_predict(model, arrays) for arrays in inputs]
    return Prepared(model=model, files=files, inputs=inputs, expected=expected)


def _forget_names(k: Keras, generation: Generation) -> None:
    """Layer names start at 0 again, whatever was built before."""
    match generation:
        case Generation.KERAS3:
            k.backend.clear_session(free_memory=False)  # freeing takes longer than all the rest
        case Generation.KERAS2:
            k.backend.reset_uids()


@contextmanager
def _traced_once(generation: Generation) -> Iterator[None]:
    """tf_keras traces a GRU or an LSTM for shapes only, and not once more for graphics processors.

    What the model answers is computed later and eagerly: that asks for no choice between the two.
    """
    if generation is Generation.KERAS3:
        yield
        return
    from tf_keras.src.layers.rnn import gru, lstm

    with (
        mock.patch.object(gru, "gru_with_backend_selection", gru.standard_gru),
        mock.patch.object(lstm, "lstm_with_backend_selection", lstm.standard_lstm),
    ):
        yield


def _dtype_name(entry: Any) -> str:
    return str(getattr(entry.dtype, "name", entry.dtype))


def _files(model: Any, routes: Sequence[Route]) -> dict[Route, bytes]:
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for route in routes:
            path = Path(folder) / f"model.{route.value}"
            model.save(path)
            files[route] = path.read_bytes()
    return files


def _predict(model: Any, arrays: list[npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    try:
        outputs = model(arrays[0] if len(arrays) == 1 else arrays, training=False)
    except Exception as error:
        # TensorFlow computes it with oneDNN only, which it leaves out on processors of AVX2 alone.
        if "do not yet support dilation rates larger than 1" in str(error):
            pytest.skip("Keras has no dilated Conv1DTranspose on this processor")
        raise
    flat = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    return [np.asarray(output) for output in flat]
