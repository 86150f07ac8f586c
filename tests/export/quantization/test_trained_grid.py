"""Weights that were trained on a grid keep its numbers in every scheme of integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgernn.export.native import lower
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.export.quantization.trained_grid import LEVELS, THREE_BITS, trained_grid
from edgernn.graph import (
    LINEAR,
    SIGMOID,
    Dense,
    Embedding,
    Graph,
    QTensor,
    Ranges,
    WeightGrid,
    as_float32,
    content_key,
    with_weights,
)
from edgernn.reference import integer, run
from edgernn.runtime import Model
from edgernn.scheme import Scheme
from tests.edgernn.runtime.models import cell, graph_of, numbers

_MATRICES = ("kernel", "recurrent_kernel", "table")


def trained_graph(kind: str, scheme: str, gain: float = 0.3) -> tuple[Graph, Ranges]:
    """A cell and two heads whose weights are on the grid of a scheme."""
    rng = np.random.default_rng(5)
    layer = cell(kind, rng, units=24, features=10, return_sequences=True)
    heads = [
        Dense(
            name=name,
            input=edge,
            output=out,
            kernel=numbers(rng, width, 6, gain=gain),
            bias=numbers(rng, 6),
            activation=activation,
        )
        for name, edge, out, width, activation in (
            ("hidden", layer.output, "hidden.y", 24, SIGMOID),
            ("head", "hidden.y", "y", 6, LINEAR),
        )
    ]
    graph = on_the_grid(graph_of(layer, *heads, features=10), LEVELS[scheme])
    return graph, calibrate(graph, {"x": numbers(rng, 64, 20, 10)})


def on_the_grid(graph: Graph, most: int) -> Graph:
    grids: dict[str, WeightGrid] = {}
    layers = []
    for layer in graph.layers:
        changed: dict[str, Any] = {}
        for name, weight in layer.weights.items():
            if name in _MATRICES:
                by_row = name == "table"
                exact = as_float32(weight)
                grid = trained_grid(exact, most, by_row=by_row)
                changed[name] = grid.values(grid.numbers(exact))
                grids[content_key(changed[name])] = replace(grid, least=None)  # as in a file
        layers.append(with_weights(layer, changed))
    return replace(graph, layers=tuple(layers), grids=grids)


def matrices(graph: Graph) -> Mapping[tuple[str, str], Any]:
    return {
        (layer.name, name): weight
        for layer in graph.layers
        for name, weight in layer.weights.items()
        if name in _MATRICES
    }


@pytest.mark.parametrize("kind", ["gru", "lstm"])
@pytest.mark.parametrize(
    ("trained", "scheme"),
    [
        *(("int4", scheme) for scheme in (Scheme.INT4, Scheme.INT8, Scheme.DYNAMIC)),
        *(
            ("int3", Scheme.INT4),
            ("int3", Scheme.INT8),
            ("ternary", Scheme.INT4),
            ("ternary", Scheme.INT8),
        ),
        *(("int8", Scheme.INT8), ("int8", Scheme.DYNAMIC)),
    ],
)
def test_every_weight_is_bit_for_bit_that_of_the_training(
    kind: str, trained: str, scheme: Scheme
) -> None:
    graph, ranges = trained_graph(kind, trained)
    quantized = quantize(graph, ranges, scheme)
    for place, weight in matrices(quantized).items():
        assert isinstance(weight, QTensor)
        assert weight.bits == (4 if scheme is Scheme.INT4 else 8)
        np.testing.assert_array_equal(as_float32(weight), matrices(graph)[place])
    for before, after in zip(graph.layers, quantized.layers, strict=True):  # nor are biases moved
        if before.weights.get("bias") is not None:
            np.testing.assert_array_equal(after.weights["bias"], before.weights["bias"])


@pytest.mark.parametrize("trained", ["int4", "int3", "ternary", "int8"])
def test_the_native_file_answers_as_the_float_model(trained: str) -> None:
    """What is left is the rounding of activations."""
    graph, ranges = trained_graph("gru", trained)
    x = numbers(np.random.default_rng(9), 40, 20, 10)
    scheme = Scheme.INT8 if trained == "int8" else Scheme.INT4
    quantized = quantize(graph, ranges, scheme)
    (exact,) = run(graph, {"x": x}).values()
    (in_c,) = Model(lower(quantized, metadata={}).content).run({"x": x}).values()
    (given,) = integer.run(quantized, {"x": x}).values()
    np.testing.assert_array_equal(in_c, given)
    assert np.abs(in_c - exact).mean() < 0.004 * exact.std()


def test_a_scheme_with_fewer_numbers_rounds_again() -> None:
    graph, ranges = trained_graph("gru", "int8")
    kernel = matrices(quantize(graph, ranges, Scheme.INT4))[("head", "kernel")]
    assert kernel.bits == 4
    assert not np.array_equal(as_float32(kernel), matrices(graph)[("head", "kernel")])


def test_a_changed_weight_has_no_grid() -> None:
    graph, _ = trained_graph("gru", "int4")
    head = graph.layers[-1]
    changed = with_weights(head, {"kernel": as_float32(head.weights["kernel"]) * np.float32(1.1)})
    graph = replace(graph, layers=(*graph.layers[:-1], changed))
    ranges = calibrate(graph, {"x": numbers(np.random.default_rng(1), 8, 20, 10)})
    kernel = matrices(quantize(graph, ranges, Scheme.INT4))[("head", "kernel")]
    assert not np.array_equal(as_float32(kernel), as_float32(changed.weights["kernel"]))


def test_steps_that_the_arithmetic_lacks_are_computed_in_float_and_said() -> None:
    graph, ranges = trained_graph("gru", "int4", gain=1e4)
    quantized = quantize(graph, ranges, Scheme.INT4)
    assert quantized.quantization is not None
    assert any("'hidden' computes in float32" in note for note in quantized.quantization.notes)
    for place, weight in matrices(quantized).items():
        np.testing.assert_array_equal(as_float32(weight), matrices(graph)[place])


def test_a_column_of_zeros_keeps_its_bias() -> None:
    graph, _ = trained_graph("gru", "int4")
    head = graph.layers[-1]
    kernel = as_float32(head.weights["kernel"]).copy()
    kernel[:, 2] = 0
    graph = replace(
        graph, grids={}, layers=(*graph.layers[:-1], with_weights(head, {"kernel": kernel}))
    )
    graph = on_the_grid(graph, LEVELS["int4"])
    x = numbers(np.random.default_rng(2), 8, 20, 10)
    given = integer.run(quantize(graph, calibrate(graph, {"x": x}), Scheme.INT4), {"x": x})["y"]
    np.testing.assert_allclose(given[..., 2], as_float32(head.weights["bias"])[2], rtol=1e-5)


def test_rows_of_a_table_have_grids_of_their_own() -> None:
    table = numbers(np.random.default_rng(3), 12, 7)
    grid = trained_grid(table, LEVELS["int8"], by_row=True)
    rounded = grid.values(grid.numbers(table))
    layer = Embedding(name="table", input="t", output="e", table=rounded)
    assert grid.step.shape == (12,)
    assert grid.holds(as_float32(layer.table))


@pytest.mark.parametrize("scheme", LEVELS)
def test_columns_are_clipped_where_that_is_more_exact(scheme: str) -> None:
    weight = np.random.default_rng(4).standard_t(3, (200, 8)).astype(np.float32)
    most = LEVELS[scheme]
    grid = trained_grid(weight, most)
    ends = np.abs(weight).max(axis=0)
    error = np.square(grid.values(grid.numbers(weight)) - weight).sum(axis=0)
    unclipped = WeightGrid(step=(ends / most).astype(np.float32), most=most)
    plain = np.square(unclipped.values(unclipped.numbers(weight)) - weight).sum(axis=0)
    if scheme != "int8":  # whose pairs must be safe
        assert (error <= plain).all()
        assert (grid.step * most < ends).any()
    assert np.abs(grid.numbers(weight)).max() <= most


def test_a_column_of_three_bits_has_an_eighth_number_on_its_longer_side() -> None:
    up = np.array([4, 3, 2, 1, 0, -1, -2, -3], np.int8)
    wanted = np.stack([up, -up], axis=1)
    weight = wanted.astype(np.float32) / np.float32(8)
    grid = trained_grid(weight, THREE_BITS)
    assert grid.least is not None
    np.testing.assert_array_equal(grid.least, [-3, -4])
    np.testing.assert_array_equal(grid.numbers(weight), wanted)
    np.testing.assert_array_equal(grid.numbers(np.full((1, 2), 9, np.float32)), [[4, 3]])
    np.testing.assert_array_equal(grid.numbers(np.full((1, 2), -9, np.float32)), [[-3, -4]])


def test_eight_numbers_are_nearer_than_seven() -> None:
    weight = np.random.default_rng(8).normal(size=(200, 8)).astype(np.float32)
    seven, eight = trained_grid(weight, 3), trained_grid(weight, THREE_BITS)
    errors = [np.square(one.values(one.numbers(weight)) - weight).sum(0) for one in (seven, eight)]
    assert (errors[1] < 0.9 * errors[0]).all()
    assert all(len(np.unique(column)) == 8 for column in eight.numbers(weight).T)
