"""Inputs of integers stay int32, outputs keep their names, and whole-number floats are tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgernn.dtype import whole_numbers
from edgernn.errors import DataError, UnsupportedLayer
from edgernn.export.keras.object import from_keras
from edgernn.export.verify import relative_error
from edgernn.graph import DType, Graph
from edgernn.reference import run
from edgernn.runtime import Model
from tests.formats import RUN
from tests.zoo.runtimes import open_session

STEPS = 7
Network = Callable[[Any], Any]


def _numbers(x: Any) -> Any:
    import keras

    return keras.layers.GRU(4)(keras.ops.expand_dims(keras.ops.cast(x, "float32") / 9.0, -1))


def _tokens(x: Any) -> Any:
    import keras

    return keras.layers.GRU(4)(keras.layers.Embedding(10, 5)(x))


def _both(x: Any) -> Any:
    import keras

    return keras.layers.Concatenate()([_tokens(x), _numbers(x)])


def _counts(x: Any) -> Any:
    """Integers go straight into a layer of numbers, as Keras allows."""
    import keras

    return keras.layers.GRU(4)(keras.ops.expand_dims(x, -1))


def _flags(x: Any) -> Any:
    """A comparison as numbers, and what it chooses."""
    import keras

    big = keras.ops.cast(x > 4, "float32")
    small = keras.ops.where(x > 2, keras.ops.cast(x, "float32"), 0.0)
    return keras.layers.GRU(4)(keras.ops.stack([big, small], axis=-1))


def model_of(network: Network, dtype: str = "int32") -> Any:
    import keras

    x = keras.Input((STEPS,), dtype=dtype, name="words")
    return keras.Model(x, keras.layers.Dense(3, name="scores")(network(x)))


def graph_of(network: Network, dtype: str = "int32") -> Graph:
    return from_keras(model_of(network, dtype)).graph


def rows() -> Any:
    return np.random.default_rng(0).integers(0, 10, (5, STEPS)).astype(np.int32)


@pytest.mark.parametrize("network", [_numbers, _tokens, _both, _counts, _flags])
def test_integers_stay_int32_in_every_format(network: Network) -> None:
    model = model_of(network)
    graph = from_keras(model).graph
    assert graph.specs["words"].dtype is DType.INT32
    expected = np.asarray(model(rows()))
    for target in ("reference", *RUN):
        (name, answer), *others = open_session(target, graph)({"words": rows()}).items()
        assert (name, others) == ("scores", [])
        assert relative_error(answer, expected) <= 1e-5


@pytest.mark.parametrize("dtype", ["int64", "uint8", "int16"])
def test_other_integers_are_int32_too(dtype: str) -> None:
    assert graph_of(_numbers, dtype).specs["words"].dtype is DType.INT32


def test_floats_that_an_embedding_reads_are_tokens() -> None:
    assert graph_of(_tokens, "float32").specs["words"].dtype is DType.INT32


def test_floats_that_are_tokens_and_numbers_are_refused_with_a_way_out() -> None:
    with pytest.raises(UnsupportedLayer, match="dtype='int32'"):
        graph_of(_both, "float32")


def test_whole_floats_are_taken_as_tokens_by_the_reference_and_the_native_model() -> None:
    from edgernn.export.native import lower

    graph = graph_of(_tokens)
    native = Model(lower(graph, metadata={}).content)
    floats = rows().astype(np.float64)
    (exact,) = run(graph, {"words": rows()}).values()
    (answer,) = run(graph, {"words": floats}).values()
    np.testing.assert_array_equal(answer, exact)
    np.testing.assert_array_equal(native(floats), native(rows()))
    with pytest.raises(DataError, match="whole numbers"):
        run(graph, {"words": floats + 0.5})
    with pytest.raises(TypeError, match="whole numbers"):
        native(floats + 0.5)


@pytest.mark.parametrize("odd", [0.5, np.nan, np.inf, 3e9])
def test_what_is_no_int32_is_no_token(odd: float) -> None:
    assert whole_numbers(np.array([1.0, odd])) is None


def test_outputs_keep_the_names_of_keras_in_every_format() -> None:
    import keras

    x = keras.Input((STEPS, 3), name="x")
    y = keras.layers.GRU(4, name="memory")(x)
    heads = {"which": keras.layers.Dense(2, name="a")(y), "state": y}
    graph = from_keras(keras.Model(x, heads)).graph
    given = {"x": np.zeros((1, STEPS, 3), np.float32)}
    for target in ("reference", *RUN):
        assert set(open_session(target, graph)(given)) == {"which", "state"}
