"""What the study of int8 layers computes for native files, beside what the C library does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgernn.export.native import lower
from edgernn.export.native.simulated import simulated
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import LINEAR, RELU, Activation, ActivationKind, Dense, Graph, Quantization
from edgernn.reference import execute, run
from edgernn.runtime import Model
from edgernn.scheme import Scheme
from tests.edgernn.runtime.models import cell, graph_of, numbers

UNITS, FEATURES = 37, 20


def layer_of(kind: str) -> Any:
    rng = np.random.default_rng(3)
    match kind:
        case "dense":
            return Dense(
                name="dense",
                input="x",
                output="y",
                kernel=numbers(rng, FEATURES, UNITS),
                bias=numbers(rng, UNITS),
                activation=LINEAR,
            )
        case "gru_before" | "gru_relu":
            made = cell("gru", rng, units=UNITS, features=FEATURES)
            if kind == "gru_relu":
                return replace(made, activation=RELU)
            return replace(made, reset_after=False, recurrent_bias=None)
        case _:
            return cell(kind, rng, units=UNITS, features=FEATURES)


def without_plan(graph: Graph, *, in_float: bool) -> Graph:
    """int8 weights, and no integers of the specification."""
    small = quantize(graph, None, Scheme.DYNAMIC)
    ranges = calibrate(graph, {"x": rows()})
    names = frozenset(layer.name for layer in graph.layers)
    plain = Quantization(plans={}, ranges=ranges, in_float=names if in_float else frozenset())
    return replace(small, quantization=plain)


def rows() -> Any:
    return np.random.default_rng(8).normal(0, 1, (16, 11, FEATURES)).astype(np.float32)


@pytest.mark.parametrize("in_float", [False, True], ids=["by_row", "in_float"])
@pytest.mark.parametrize("kind", ["dense", "gru", "gru_before", "gru_relu", "lstm", "rnn"])
def test_a_layer_without_a_plan_rounds_as_the_library_does(kind: str, in_float: bool) -> None:
    graph = without_plan(graph_of(layer_of(kind), features=FEATURES), in_float=in_float)
    (layer,) = graph.layers
    exact = execute(graph, {"x": rows()})
    edge = graph.outputs[0].edge
    said = dict(zip(layer.writes, simulated(graph, layer, exact), strict=True))[edge]
    (given,) = Model(lower(graph, metadata={}).content).run({"x": rows()}).values()
    noise = np.abs(exact[edge] - given).mean()
    assert np.abs(said - given).mean() <= max(0.05 * noise, 1e-6)  # ties may round otherwise
    if in_float:
        assert noise <= 1e-6
    else:
        assert noise >= 5e-6


def test_integers_of_a_layer_in_float_are_not_compared_bit_by_bit() -> None:
    from edgernn.export.integer_bits import Certainty, certainties

    layer = layer_of("gru")
    for in_float, wanted in ((False, Certainty.OPEN), (True, Certainty.ROUNDING)):
        graph = without_plan(graph_of(layer, features=FEATURES), in_float=in_float)
        assert certainties(graph)[layer.output] is wanted


def test_softsign_states_are_bytes_too() -> None:
    softsign = Activation(kind=ActivationKind.SOFTSIGN)
    graph = without_plan(
        graph_of(replace(layer_of("gru"), activation=softsign), features=FEATURES), in_float=False
    )
    (given,) = Model(lower(graph, metadata={}).content).run({"x": rows()}).values()
    (exact,) = run(graph, {"x": rows()}).values()
    assert np.abs(exact - given).max() >= 1e-5
