"""float16 halves what is stored and keeps what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgernn.export.quantization.quantize import to_float16
from edgernn.graph import (
    Dense,
    Graph,
    Input,
    Output,
    TensorSpec,
    as_float32,
)
from edgernn.reference import run

RNG = np.random.default_rng(3)


def weight(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def is_half(stored: object) -> bool:
    return isinstance(stored, np.ndarray) and stored.dtype == np.float16


def two_dense(first: np.ndarray, second: np.ndarray) -> Graph:
    return Graph(
        name="model",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, 4))),),
        layers=(
            Dense(name="a", input="x", output="h", kernel=first, bias=weight(4)),
            Dense(name="b", input="h", output="y", kernel=second, bias=None),
        ),
        outputs=(Output(name="y", edge="y"),),
    )


def test_float16_halves_matrices_and_leaves_biases() -> None:
    graph = two_dense(weight(4, 4), weight(4, 4))
    first, _ = to_float16(graph).layers
    assert is_half(first.weights["kernel"])
    assert first.weights["bias"] is graph.layers[0].weights["bias"]
    x = weight(5, 4)
    exact, halved = run(graph, {"x": x})["y"], run(to_float16(graph), {"x": x})["y"]
    np.testing.assert_allclose(halved, exact, rtol=0, atol=4e-3 * np.abs(exact).max())
    assert (halved != exact).any()


def test_float16_keeps_what_is_beyond_its_range() -> None:
    huge = weight(4, 4)
    huge[1, 2] = 70_000
    first, second = to_float16(two_dense(huge, weight(4, 4))).layers
    assert first.weights["kernel"] is huge
    assert is_half(second.weights["kernel"])


def test_layers_that_share_a_matrix_share_its_halves() -> None:
    shared = weight(4, 4)
    first, second = to_float16(two_dense(shared, shared)).layers
    assert first.weights["kernel"] is second.weights["kernel"]
    np.testing.assert_array_equal(
        as_float32(first.weights["kernel"]), shared.astype(np.float16).astype(np.float32)
    )


def test_float16_takes_its_largest_number() -> None:
    largest = weight(4, 4)
    largest[1, 2] = 65504
    first, _ = to_float16(two_dense(largest, weight(4, 4))).layers
    assert is_half(first.weights["kernel"])
