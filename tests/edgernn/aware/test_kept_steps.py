"""Steps of int3, which stay as they were for the first weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import edgernn
from edgernn.tasks.keras_backend import load_keras
from tests.edgernn.aware.models import rows, small


@pytest.fixture(scope="module")
def keras() -> Any:
    return load_keras()


@pytest.mark.parametrize(("scheme", "stay"), [("int4", False), ("int3", True)])
def test_steps_of_int3_are_those_of_the_first_weights(scheme: str, stay: bool, keras: Any) -> None:
    model = edgernn.quantization_aware(small(keras), scheme)

    def steps() -> list[Any]:
        weights = model.inner.weights
        found = [one for one in model.on_grid if "gru" in one.variable]
        grids = [one.grid(np.asarray(weights[one.position])) for one in found]
        return [
            (grid.step.tolist(), grid.least is not None and grid.least.tolist()) for grid in grids
        ]

    before, start = steps(), model.on_the_grid().layers[1].get_weights()
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    model.fit(*rows(), epochs=3, batch_size=16, verbose=0)
    after = steps()
    assert len(before) == 2
    assert (after == before) == stay
    learnt = model.on_the_grid().layers[1].get_weights()
    assert not np.array_equal(learnt[0], start[0])


@pytest.mark.parametrize("gain", [0, 0.01])
def test_int3_follows_columns_of_zeros_and_weights_that_are_loaded(gain: float, keras: Any) -> None:
    given = small(keras)
    wanted = edgernn.quantization_aware(given, "int3").on_the_grid().get_weights()
    weights = given.get_weights()
    given.layers[1].set_weights([gain * one for one in weights[1:4]])
    model = edgernn.quantization_aware(given, "int3")
    model.inner.set_weights(weights)
    for found, one in zip(model.on_the_grid().get_weights(), wanted, strict=True):
        np.testing.assert_array_equal(found, one)
