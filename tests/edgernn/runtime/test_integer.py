"""Integer layers give the bits of the integer reference, on every instruction set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgernn.errors import UnsupportedLayer
from edgernn.export.cases import make_cases
from edgernn.export.features import features
from edgernn.export.native import lower
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import Graph
from edgernn.reference import integer
from edgernn.runtime import Model, available_isas
from edgernn.scheme import Scheme
from tests.edgernn.runtime.image_models import random_integer_image
from tests.edgernn.runtime.models import (
    cell,
    graph_of,
    numbers,
    random_integer_cell,
    random_integer_layer,
    random_recurrent_plan,
    with_plans,
)

Make = Callable[[int], tuple[Graph, dict[str, Any]]]


def assert_same_bits(graph: Graph, inputs: dict[str, Any]) -> None:
    expected = integer.run(graph, inputs)
    content = lower(graph, metadata={}).content
    for isa in available_isas():
        actual = Model(content, isa=isa).run(inputs)
        for name, wanted in expected.items():
            np.testing.assert_array_equal(actual[name], wanted, err_msg=f"{name} on {isa}")


@pytest.mark.parametrize("make", [random_integer_cell, random_integer_layer, random_integer_image])
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32 - 1))
def test_any_plan_gives_the_bits_of_the_reference(make: Make, seed: int) -> None:
    assert_same_bits(*make(seed))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_stack_hands_states_on_as_integers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits = int(rng.choice([8, 16]))
    below = cell("lstm", rng, units=37, features=9, name="below", return_sequences=True)
    above = cell("gru", rng, units=21, features=37, name="above", input="below.y")
    plans = {
        "below": random_recurrent_plan(below, rng, bits=16, state_bits=8),
        "above": random_recurrent_plan(above, rng, bits=bits, state_bits=8, from_state=True),
    }
    graph = with_plans(graph_of(below, above, features=9), **plans)
    assert_same_bits(graph, {"x": numbers(rng, 2, 40, 9, gain=3)})


def test_numbers_that_are_not_finite_read_as_the_specification_says() -> None:
    rng = np.random.default_rng(0)
    layer = cell("gru", rng, units=20, features=4, return_sequences=True)
    plan = random_recurrent_plan(layer, rng, bits=16, state_bits=8)
    x = numbers(rng, 1, 6, 4)
    x[0, 1], x[0, 2], x[0, 3] = np.nan, np.inf, -np.inf
    assert_same_bits(with_plans(graph_of(layer, features=4), cell=plan), {"x": x})


def test_quantized_layers_of_every_kind_give_the_bits_of_the_reference() -> None:
    compared = 0
    for feature in features():
        graph = feature.graph
        if feature.section not in ("Recurrent layers", "Convolution and pooling") and (
            "Dense" not in feature.layer
        ):
            continue
        cases = make_cases(graph)
        quantized = quantize(graph, calibrate(graph, _calibration(graph)), Scheme.INT8)
        try:
            content = lower(quantized, metadata={}).content
        except UnsupportedLayer:
            continue
        if quantized.quantization is None or not quantized.quantization.plans:
            continue
        for case in cases:
            expected = integer.run(quantized, case.inputs)
            for isa in available_isas():
                actual = Model(content, isa=isa).run(case.inputs)
                for name, wanted in expected.items():
                    np.testing.assert_allclose(actual[name], wanted, rtol=0, atol=1e-6)
        compared += 1
    assert compared >= 20


def _calibration(graph: Graph) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    drawn: dict[str, Any] = {}
    for entry in graph.inputs:
        shape = (12, *(8 if size is None else size for size in entry.spec.shape[1:]))
        if entry.spec.dtype.value == "float32":
            drawn[entry.name] = numbers(rng, *shape)
        elif entry.spec.dtype.value == "int32":
            drawn[entry.name] = rng.integers(0, 4, shape).astype(np.int32)
        else:
            drawn[entry.name] = np.ones(shape, np.bool_)
    return drawn
