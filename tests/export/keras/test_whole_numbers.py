"""What Keras computes in integers is right in every format, or refused with a tested way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgernn.errors import UnsupportedLayer
from edgernn.export.keras.object import from_keras
from edgernn.export.verify import relative_error
from edgernn.graph import Graph
from tests.formats import RUN
from tests.zoo.runtimes import open_session

STEPS = 7
Network = Callable[[Any, Any], Any]  # (keras.ops, the input) -> numbers for each step

WRAPS: dict[str, tuple[str, Network]] = {
    "product": ("uint8", lambda _, x: x * 100),
    "product_of_two": ("int8", lambda _, x: x * x),
    "square": ("int16", lambda ops, x: ops.square(x)),
    "power": ("uint8", lambda ops, x: ops.power(x, 2)),
    "sum": ("uint8", lambda _, x: x + x),
    "sum_with_array": ("uint8", lambda _, x: x + np.array([200], np.uint8)),
    "difference": ("uint8", lambda _, x: x - 1),
    "negative": ("uint16", lambda _, x: -x),
    "magnitude": ("int8", lambda ops, x: ops.abs(x)),
    "cast": ("int32", lambda ops, x: ops.cast(x, "uint8")),
    "after_a_shape": ("uint8", lambda ops, x: ops.flip(x, 1) * 2),
    "after_relu": ("int8", lambda ops, x: ops.relu(x) * 2),
    "after_where": ("uint8", lambda ops, x: ops.where(x > 3, x, 0) * 2),
}

ROUNDS: dict[str, tuple[str, Network]] = {
    "times": ("int32", lambda _, x: x * 1000),
    "times_between": ("int32", lambda _, x: x[:, 1:] - x[:, :-1]),
    "since": ("int32", lambda _, x: x - 1_700_000_000),
    "same": ("int32", lambda ops, x: ops.where(x > ops.flip(x, 1), 1.0, 0.0)),
    "near": ("int32", lambda ops, x: ops.where(x > 16_777_216, 1.0, 0.0)),
    "very": ("int32", lambda ops, x: ops.where(ops.equal(x, 1_700_000_000), 1.0, 0.0)),
    "apart": ("int32", lambda ops, x: ops.where(ops.not_equal(x, ops.flip(x, 1)), 1.0, 0.0)),
    "total": ("int32", lambda ops, x: x + ops.sum(x, axis=1, keepdims=True)),
}

RIGHT: dict[str, tuple[str, Network]] = {
    "float_factor": ("uint8", lambda _, x: x * 1.5),
    "quotient": ("uint8", lambda _, x: x / 2),
    "cast_first": ("uint8", lambda ops, x: ops.cast(x, "float32") * 100),
    "wide_first": ("uint8", lambda ops, x: ops.cast(x, "int32") * 100),
    "sum_within": ("int8", lambda ops, x: ops.clip(x, -20, 60) + ops.clip(x, 0, 60)),
    "clipped": ("uint8", lambda ops, x: ops.clip(x, 0, 2) * 100),
    "mean": ("uint8", lambda ops, x: x - ops.mean(x, axis=1, keepdims=True)),
    "total": ("uint8", lambda ops, x: x / ops.sum(x + 0.0, axis=1, keepdims=True)),
    "maximum": ("int32", lambda ops, x: ops.maximum(x, 5)),
    "chosen": ("int32", lambda ops, x: ops.where(x > 3, x, 0)),
    "a_little": ("int32", lambda _, x: x + 1),
    "padding": ("int32", lambda ops, x: ops.cast(ops.not_equal(x, 0), "float32") * x),
    "not_padding": ("int64", lambda ops, x: ops.where(ops.equal(x, 0), 1.0, 0.5)),
    "length": (
        "int32",
        lambda ops, x: x / (1 + ops.sum(ops.cast(x != 0, "int32"), axis=1, keepdims=True)),
    ),
    "counted": ("int32", lambda ops, x: x / (1 + ops.sum(x > 0, axis=1, keepdims=True))),
    "kept": ("int32", lambda ops, x: x * ops.cast(x != 3, "int32")),
    "float_of_exact": ("uint8", lambda ops, x: ops.cast(ops.clip(x, 0, 9) * 2, "float32") * 99),
}


def model_of(network: Network, dtype: str) -> Any:
    import keras

    x = keras.Input((STEPS,), dtype=dtype, name="x")
    numbers = keras.ops.expand_dims(network(keras.ops, x), -1)
    return keras.Model(x, keras.layers.Dense(1, use_bias=False, name="y")(numbers))


def graph_of(network: Network, dtype: str) -> Graph:
    return from_keras(model_of(network, dtype)).graph


def rows(dtype: str) -> Any:
    low = 0 if dtype.startswith("u") else -128
    return np.random.default_rng(0).integers(low, low + 256, (6, STEPS)).astype(dtype)


@pytest.mark.parametrize("name", WRAPS)
def test_what_wraps_in_keras_is_refused(name: str) -> None:
    dtype, network = WRAPS[name]
    with pytest.raises(UnsupportedLayer, match="Cast to floats before it"):
        graph_of(network, dtype)


@pytest.mark.parametrize("name", ROUNDS)
def test_what_float32_rounds_is_refused(name: str) -> None:
    dtype, network = ROUNDS[name]
    with pytest.raises(UnsupportedLayer, match="Cast to floats before it"):
        graph_of(network, dtype)


@pytest.mark.parametrize("name", RIGHT)
def test_what_stays_within_its_type_agrees_in_every_format(name: str) -> None:
    dtype, network = RIGHT[name]
    model, x = model_of(network, dtype), rows(dtype)
    expected = np.asarray(model(x))
    graph = from_keras(model).graph
    for target in ("reference", *RUN):
        (answer,) = open_session(target, graph)({"x": x.astype(np.int32)}).values()
        assert relative_error(answer, expected) <= 1e-5, target


@pytest.mark.parametrize("name", [*sorted(WRAPS.keys() - {"cast"}), "times_between", "since"])
def test_the_way_out_works(name: str) -> None:
    """Floats from the start: the sentence of the refusal."""
    _, network = {**WRAPS, **ROUNDS}[name]

    def in_floats(ops: Any, x: Any) -> Any:
        return network(ops, ops.cast(x, "float32"))

    model, x = model_of(in_floats, "int32"), rows("int16").astype(np.int32)
    (answer,) = open_session("reference", from_keras(model).graph)({"x": x}).values()
    assert relative_error(answer, np.asarray(model(x))) <= 1e-5


@pytest.mark.parametrize("kind", ["Add", "Multiply", "Subtract", "Dot"])
def test_layers_that_merge_small_integers_are_refused(kind: str) -> None:
    import keras

    x, y = (keras.Input((STEPS,), dtype="uint8", name=name) for name in "xy")
    options = {"axes": 1} if kind == "Dot" else {}
    merged = getattr(keras.layers, kind)(**options)([x, y])
    model = keras.Model([x, y], keras.layers.Dense(1)(keras.ops.cast(merged, "float32")))
    with pytest.raises(UnsupportedLayer, match="Cast to floats before it"):
        from_keras(model)
