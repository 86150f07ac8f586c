"""Inputs of floats that are compared with a number, or scaled step by step, stay floats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgernn.errors import UnsupportedLayer
from edgernn.export.keras.object import from_keras
from edgernn.export.verify import relative_error
from edgernn.graph import DType
from tests.formats import RUN
from tests.zoo.runtimes import open_session

STEPS = 6


def numbers(*shape: int) -> Any:
    return np.random.default_rng(4).normal(size=shape).astype(np.float32)


def agree(model: Any, inputs: dict[str, Any], *, refused_by: tuple[str, ...] = ()) -> None:
    given = list(inputs.values())
    expected = np.asarray(model(given if len(given) > 1 else given[0]))
    graph = from_keras(model).graph
    assert all(entry.spec.dtype is DType.FLOAT32 for entry in graph.inputs)
    for target in ("reference", *RUN):
        if target in refused_by:
            with pytest.raises(UnsupportedLayer):
                open_session(target, graph)
            continue
        (answer,) = open_session(target, graph)(inputs).values()
        assert relative_error(answer, expected) <= 1e-5, target


def test_a_float_input_that_only_makes_a_mask_is_no_token() -> None:
    import keras

    x, y = keras.Input((STEPS, 3), name="x"), keras.Input((STEPS,), name="y")
    mask = keras.ops.not_equal(y, 0.0)
    model = keras.Model([x, y], keras.layers.LSTM(4)(x, mask=mask))
    marks = 0.3 * numbers(5, STEPS)  # all would be 0 as integers
    marks[:, 4:] = 0
    agree(model, {"x": numbers(5, STEPS, 3), "y": marks})


def test_a_normalization_of_each_step_is_read() -> None:
    import keras

    x = keras.Input((STEPS, 3), name="x")
    mean, variance = numbers(STEPS), 1 + np.abs(numbers(STEPS))
    scaled = keras.layers.Normalization(axis=1, mean=mean, variance=variance)(x)
    model = keras.Model(x, keras.layers.GRU(4)(scaled))
    agree(model, {"x": numbers(5, STEPS, 3)}, refused_by=("native",))
