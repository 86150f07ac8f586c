"""Weights of 4 bits: a grid, clipped where that is more exact, in the arithmetic of int8."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.grid import INT4_GRID, best_scales, clips
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import (
    LINEAR,
    AnyArray,
    Dense,
    Graph,
    Input,
    Merge,
    MergeKind,
    Output,
    QTensor,
    Ranges,
    RecurrentPlan,
    TensorSpec,
)
from edgernn.reference import integer, run
from edgernn.scheme import Scheme
from tests.edgernn.runtime.models import cell, graph_of, numbers


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def gru_graph(rng: np.random.Generator) -> tuple[Graph, Ranges]:
    layer = cell("gru", rng, units=24, features=10, return_sequences=True)
    head = Dense(
        name="head",
        input=layer.output,
        output="y",
        kernel=numbers(rng, 24, 5, gain=0.2),
        bias=numbers(rng, 5),
        activation=LINEAR,
    )
    graph = graph_of(layer, head, features=10)
    return graph, calibrate(graph, {"x": numbers(rng, 64, 20, 10)})


def two_heads(rng: np.random.Generator) -> tuple[Graph, dict[str, np.ndarray]]:
    """A sum to which `loud` contributes a hundred times as much as `quiet`."""

    def head(name: str, gain: float) -> Dense:
        return Dense(
            name=name,
            input="x",
            output=f"{name}.y",
            kernel=numbers(rng, 40, 1, gain=gain),
            bias=None,
            activation=LINEAR,
        )

    both = Merge(name="sum", inputs=("loud.y", "quiet.y"), output="y", kind=MergeKind.ADD)
    graph = Graph(
        name="two",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, 40))),),
        layers=(head("loud", 1.0), head("quiet", 0.01), both),
        outputs=(Output(name="y", edge="y"),),
    )
    return graph, {"x": numbers(rng, 200, 40)}


def test_every_weight_is_sixteen_times_a_number_of_seven(rng: np.random.Generator) -> None:
    quantized = quantize(*gru_graph(rng), Scheme.INT4)
    assert quantized.quantization is not None
    plan = quantized.quantization.plans["cell"]
    assert isinstance(plan, RecurrentPlan)
    head = quantized.quantization.plans["head"].product  # type: ignore[union-attr]
    for product in (plan.input, plan.recurrent, head):
        assert product.bits == 4
        assert not (product.weights % 16).any()
        assert np.abs(product.weights).max() == 112
    stored = quantized.layers[0].weights["kernel"]
    assert isinstance(stored, QTensor)
    assert stored.bits == 4
    assert stored.nbytes == stored.size // 2 + stored.scale.nbytes


def test_states_keep_8_bits_however_large_the_weights(rng: np.random.Generator) -> None:
    """A step of the grid is coarse, but its sums have the range of int8."""
    layer = cell("lstm", rng, units=24, features=10, return_sequences=True)
    layer = replace(layer, recurrent_kernel=4 * layer.recurrent_kernel)
    graph = graph_of(layer, features=10)
    ranges = calibrate(graph, {"x": numbers(rng, 32, 20, 10)})
    for scheme in (Scheme.INT8, Scheme.INT4):
        quantized = quantize(graph, ranges, scheme)
        assert quantized.quantization is not None
        plan = quantized.quantization.plans["cell"]
        assert isinstance(plan, RecurrentPlan)
        assert plan.state_bits == 8


def test_a_clip_is_chosen_where_it_has_the_smaller_error(rng: np.random.Generator) -> None:
    matrix = rng.normal(size=(400, 6))
    matrix[0] = 6.0  # one weight far from all others
    candidates = clips(np.abs(matrix).max(axis=0), INT4_GRID)
    chosen = best_scales(matrix, candidates, INT4_GRID, np.ones(matrix.shape))

    def error(scales: AnyArray) -> AnyArray:
        off: AnyArray = INT4_GRID.nearest(matrix, scales) * scales - matrix
        return np.asarray(np.square(off).sum(axis=0))

    assert (error(chosen) == np.min([error(one) for one in candidates], axis=0)).all()
    assert (error(chosen) < 0.7 * error(candidates[0])).all()


def test_roundings_make_up_for_each_other(rng: np.random.Generator) -> None:
    """On fresh rows, beside each weight to the nearest of the same grid."""
    graph, ranges = gru_graph(rng)
    x = {"x": numbers(rng, 64, 20, 10)}
    exact = run(graph, x)["y"]

    def power(used: Ranges) -> float:
        given = integer.run(quantize(graph, used, Scheme.INT4), x)["y"]
        return float(np.square(given - exact).mean())

    assert power(ranges) < 0.8 * power(replace(ranges, moments={}, candidates={}))


def test_a_layer_may_keep_8_bits(rng: np.random.Generator) -> None:
    graph, ranges = gru_graph(rng)
    quantized = quantize(graph, ranges, Scheme.INT4, per_layer={"head": Scheme.INT8})
    assert quantized.quantization is not None
    plans = quantized.quantization.plans
    assert plans["head"].product.bits == 8  # type: ignore[union-attr]
    assert plans["cell"].input.bits == 4  # type: ignore[union-attr]
