"""Models in memory: the same graph as from their file, of Keras 3 and of tf_keras."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edgernn import reference
from edgernn.errors import ModelFileError, UnsupportedLayer
from edgernn.export.keras.file import read_model
from edgernn.export.keras.object import from_keras

#: Keras 3.15 hands numpy 2 a tensor in the old way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def keras(request: pytest.FixtureRequest) -> ModuleType:
    return pytest.importorskip(request.param)  # type: ignore[no-any-return]


def nested_model(keras: Any) -> Any:
    """Wrappers, cells, a nested model: every way down to a live layer's weights."""
    layers = keras.layers
    head = keras.Sequential(
        [keras.Input((None, 6)), layers.Dense(3), layers.BatchNormalization()], name="head"
    )
    x = keras.Input((None, 4), name="x")
    both = layers.Bidirectional(layers.GRU(3, return_sequences=True), name="both")(x)
    steps = layers.TimeDistributed(head, name="steps")(
        layers.Reshape((-1, 2, 6), name="pairs")(both)
    )
    cells = [layers.LSTMCell(2), layers.GRUCell(2)]
    last = layers.RNN(cells, name="cells")(both)
    return keras.Model(x, [steps, last], name="nested")


@pytest.fixture(scope="module")
def model(keras: ModuleType) -> Any:
    made = nested_model(keras)
    rng = np.random.default_rng(5)
    made.set_weights([rng.uniform(0.1, 0.9, w.shape).astype("f4") for w in made.get_weights()])
    return made


def test_an_object_gives_the_same_graph_as_its_file(model, tmp_path):
    path = tmp_path / "m.keras"
    model.save(path)
    held, stored = from_keras(model), read_model(path)
    assert [entry.name for entry in held.graph.layers] == [e.name for e in stored.graph.layers]
    for left, right in zip(held.graph.layers, stored.graph.layers, strict=True):
        assert left.weights.keys() == right.weights.keys()
        for name, weight in left.weights.items():
            np.testing.assert_array_equal(weight, right.weights[name])


def test_an_object_gives_what_it_predicts_itself(model):
    graph = from_keras(model).graph
    x = np.random.default_rng(6).normal(size=(2, 6, 4)).astype("f4")
    expected = model(x)
    results = reference.run(graph, {"x": x})
    for result, answer in zip(results.values(), expected, strict=True):
        np.testing.assert_allclose(result, np.asarray(answer), atol=1e-5)


def test_weights_that_are_no_numbers_are_refused_by_their_layer(model):
    weights = model.get_weights()
    model.set_weights([weights[0] * np.nan, *weights[1:]])
    try:
        with pytest.raises(ModelFileError, match=r"layer '\w+' \(.*has NaN or infinity in its"):
            from_keras(model)
    finally:
        model.set_weights(weights)


def test_the_source_of_an_object_tells_two_models_apart(model):
    first = from_keras(model).source
    assert first.file == "<object>"
    assert first == from_keras(model).source
    weights = model.get_weights()
    model.set_weights([weights[0] + 1, *weights[1:]])
    try:
        assert from_keras(model).source.sha256 != first.sha256
    finally:
        model.set_weights(weights)


def test_a_subclassed_object_is_refused(keras):
    class Mine(keras.Model):  # type: ignore[misc, name-defined]
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    with pytest.raises(ModelFileError, match="only its Python code knows"):
        from_keras(Mine())


def test_an_object_that_was_never_built_is_refused(keras):
    with pytest.raises(ModelFileError, match=r"never called or built|no weights yet"):
        from_keras(keras.Sequential([keras.layers.Dense(2)]))


def test_a_lambda_in_an_object_is_refused(keras):
    code = keras.layers.Lambda(abs, name="code")
    with pytest.raises(UnsupportedLayer, match="never runs"):
        from_keras(keras.Sequential([keras.Input((3,)), code]))


@pytest.mark.parametrize("thing", [None, 3, "model.keras", object()])
def test_what_is_no_model_is_refused(thing):
    with pytest.raises(ModelFileError, match="not a Keras model"):
        from_keras(thing)
