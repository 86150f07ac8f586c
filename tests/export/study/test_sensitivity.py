"""Costs of layers, the advice drawn from them, and the search for layers to keep in float."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest

from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.export.study.sensitivity import sensitivity, snr_db
from edgernn.graph import Dense, Graph, Gru, Input, Output, TensorSpec
from edgernn.reference import integer, run
from edgernn.scheme import Scheme

RNG = np.random.default_rng(5)


def weight(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def model() -> Graph:
    """A GRU, a Dense whose columns hide small weights behind a large one, and a head."""
    spoiled = 0.01 * weight(8, 6)
    spoiled[0] = 5.0  # meets a unit that is always about zero
    kernel, recurrent, bias = weight(5, 24), 0.3 * weight(8, 24), weight(24)
    for gate in range(3):
        kernel[:, 8 * gate] = recurrent[:, 8 * gate] = bias[8 * gate] = 0
    return Graph(
        name="model",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, None, 5))),),
        layers=(
            Gru(
                name="gru",
                input="x",
                output="h",
                state_h="s",
                kernel=kernel,
                recurrent_kernel=recurrent,
                bias=bias,
                recurrent_bias=None,
            ),
            Dense(name="spoiled", input="h", output="d", kernel=spoiled, bias=None),
            Dense(name="head", input="d", output="y", kernel=weight(6, 4), bias=None),
        ),
        outputs=(Output(name="y", edge="y"),),
    )


@pytest.fixture(scope="module")
def setting() -> Any:
    graph, data = model(), {"x": weight(60, 9, 5)}
    ranges = calibrate(graph, data)
    return graph, ranges, data, quantize(graph, ranges, Scheme.INT8)


def test_the_costliest_layer_is_the_spoiled_one(setting) -> None:
    graph, _, data, quantized = setting
    costs = sensitivity(graph, quantized, data)
    assert [cost.layer for cost in costs.layers] == ["gru", "spoiled", "head"]
    assert costs.costliest is not None
    assert costs.costliest.layer == "spoiled"
    gru, spoiled, head = costs.layers
    assert spoiled.output_snr_db < 15 < min(gru.output_snr_db, head.output_snr_db)
    assert gru.arithmetic == "int8, 16-bit input, 8-bit state"
    assert spoiled.arithmetic == "int8, 8-bit states"
    assert set(costs.remedies) == {"--keep-float spoiled", "--scheme dynamic"}
    exact = run(graph, data)["y"]
    dynamic = run(quantize(graph, None, Scheme.DYNAMIC), data)["y"]
    assert costs.remedies["--scheme dynamic"] == pytest.approx(snr_db(graph, "y", exact, dynamic))
    for option, reached in costs.remedies.items():  # an option is named where it helped, with dB
        said = f"{option} reaches {reached:.0f} dB at the outputs"
        assert (said in costs.advice[0]) == (reached > costs.output_snr_db + 1)
    assert costs.samples == 60


def test_a_layers_own_ratio_is_that_of_its_output(setting) -> None:
    graph, _, data, quantized = setting
    costs = sensitivity(graph, quantized, data)
    exact = run(graph, data)["y"]
    assert costs.output_snr_db == snr_db(graph, "y", exact, integer.run(quantized, data)["y"])
    assert costs.layers[2].layer_snr_db == costs.layers[2].output_snr_db


def test_agreement_is_the_share_of_equal_decisions(setting) -> None:
    graph, _, data, quantized = setting
    same = run(graph, data)["y"].argmax(-1) == integer.run(quantized, data)["y"].argmax(-1)
    assert sensitivity(graph, quantized, data).agreement == same.mean()


def test_what_is_clamped_is_advised_on(setting) -> None:
    graph, _, data, quantized = setting
    costs = sensitivity(graph, quantized, {"x": 30 * data["x"]})
    assert costs.layers[0].clamped["input"] > 0.1
    assert any("outside of its calibrated range" in sentence for sentence in costs.advice)
    assert sensitivity(graph, quantized, data).layers[0].clamped["input"] == 0


def test_an_untouched_graph_costs_nothing(setting) -> None:
    graph, _, data, _ = setting
    costs = sensitivity(graph, graph, data)
    assert (costs.output_snr_db, costs.agreement, costs.layers) == (inf, 1.0, ())
    assert costs.costliest is None
    assert costs.advice == ()


def test_dynamic_graphs_have_costs_too(setting) -> None:
    graph, _, data, _ = setting
    costs = sensitivity(graph, quantize(graph, None, Scheme.DYNAMIC), data)
    assert {cost.arithmetic for cost in costs.layers} == {"float32, int8 weights"}
    assert "--scheme dynamic" not in costs.remedies
    assert not any("dynamic" in sentence for sentence in costs.advice)


def test_an_offset_of_the_output_hides_no_noise(setting) -> None:
    """A target of 293 ± 0.5 is as hard as one of 0 ± 0.5."""
    graph, _, data, _ = setting
    head = graph.layers[-1]
    bias = np.full(4, 293, np.float32)
    shifted = replace(graph, layers=(*graph.layers[:-1], replace(head, bias=bias)))
    both = [
        sensitivity(one, quantize(one, calibrate(one, data), Scheme.INT8), data).output_snr_db
        for one in (graph, shifted)
    ]
    assert both[1] == pytest.approx(both[0], abs=1)
