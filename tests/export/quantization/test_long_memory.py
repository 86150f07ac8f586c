"""An LSTM that has to remember: a cell beyond ±40 needs the exponents that calibration gives it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import (
    Dense,
    Graph,
    Input,
    Lstm,
    Output,
    RecurrentPlan,
    TensorSpec,
)
from edgernn.reference import integer, run
from edgernn.scheme import Scheme

UNITS, STEPS = 8, 160


def majority() -> Graph:
    """Says whether a sequence of events and pauses holds more events: c counts the difference.

    The gates are open but for small weights, half of the units count the other way.
    """
    rng = np.random.default_rng(3)
    way = np.where(np.arange(UNITS) % 2, -1.0, 1.0)
    kernel = 0.05 * rng.normal(size=(2, 4 * UNITS))
    kernel[0, 2 * UNITS : 3 * UNITS] = 3.0 * way
    bias = np.concatenate(
        [np.full(UNITS, 4.0), np.full(UNITS, 7.0), -1.5 * way, np.full(UNITS, 2.0)]
    )
    lstm = Lstm(
        name="lstm",
        input="x",
        output="h",
        state_h="s",
        state_c="c",
        kernel=kernel.astype(np.float32),
        recurrent_kernel=(0.01 * rng.normal(size=(UNITS, 4 * UNITS))).astype(np.float32),
        bias=bias.astype(np.float32),
    )
    head = Dense(
        name="head",
        input="h",
        output="y",
        kernel=np.stack([-way, way], axis=1).astype(np.float32),
        bias=None,
    )
    return Graph(
        name="majority",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, None, 2))),),
        layers=(lstm, head),
        outputs=(Output(name="y", edge="y"), Output(name="c", edge="c")),
    )


def sequences(rows: int, seed: int) -> Any:
    """Events come in two runs of different density, so that the count turns on its way."""
    rng = np.random.default_rng(seed)
    first, second = rng.uniform(0.1, 0.9, (2, rows, 1))
    share = np.where(np.arange(STEPS) < STEPS // 2, first, second)
    events = (rng.random((rows, STEPS)) < share).astype(np.float32)
    return np.stack([events, rng.normal(size=events.shape).astype(np.float32)], axis=-1)


@pytest.fixture(scope="module")
def setting() -> Any:
    graph, x = majority(), sequences(1000, seed=1)
    ranges = calibrate(graph, {"x": sequences(128, seed=0)})
    return graph, ranges, x, run(graph, {"x": x})


def decisions_that_agree(graph: Graph, x: Any, exact: Any) -> float:
    given = integer.run(graph, {"x": x})["y"]
    return float((given.argmax(-1) == exact["y"].argmax(-1)).mean())


def test_the_float_model_counts_far_and_decides_right(setting) -> None:
    _, _, x, exact = setting
    count = 2 * x[:, :, 0].sum(axis=1) - STEPS
    clear = count != 0
    assert np.abs(exact["c"]).max() > 40
    assert ((exact["y"].argmax(-1) == (count > 0)) | ~clear).mean() > 0.98


@pytest.mark.parametrize("accurate", [[], ["lstm"]])
def test_int8_decides_as_float_does(setting, accurate) -> None:
    graph, ranges, x, exact = setting
    quantized = quantize(graph, ranges, Scheme.INT8, accurate=accurate)
    assert decisions_that_agree(quantized, x, exact) >= 0.99


def test_dynamic_decides_as_float_does(setting) -> None:
    graph, _, x, exact = setting
    assert decisions_that_agree(quantize(graph, None, Scheme.DYNAMIC), x, exact) >= 0.99


def test_a_cell_that_ends_at_eight_would_not(setting) -> None:
    graph, ranges, x, exact = setting
    quantized = quantize(graph, ranges, Scheme.INT8)
    assert quantized.quantization is not None
    plan = quantized.quantization.plans["lstm"]
    assert isinstance(plan, RecurrentPlan)
    short = replace(plan, cell_exponent=np.full(UNITS, 3, np.int8))
    plans = {**quantized.quantization.plans, "lstm": short}
    broken = replace(quantized, quantization=replace(quantized.quantization, plans=plans))
    assert decisions_that_agree(broken, x, exact) < 0.95
