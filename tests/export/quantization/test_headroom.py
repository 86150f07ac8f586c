"""Room beyond the rows of a calibration, and rows that leave it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.headroom import beyond, headroom, with_headroom
from edgernn.graph import (
    RELU,
    TANH,
    CalibrationMethod,
    Dense,
    Graph,
    Input,
    Output,
    Slice,
    TensorSpec,
    is_bounded,
)

RNG = np.random.default_rng(4)


def weight(*shape: int) -> Any:
    return RNG.normal(size=shape).astype(np.float32)


def graph() -> Graph:
    return Graph(
        name="m",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, 4))),),
        layers=(
            Dense(name="a", input="x", output="r", kernel=weight(4, 8), bias=None, activation=RELU),
            Dense(name="b", input="r", output="t", kernel=weight(8, 8), bias=None, activation=TANH),
            Slice(name="c", input="t", output="s", axis=1, stop=3),
            Dense(name="d", input="s", output="y", kernel=weight(3, 1), bias=None),
        ),
        outputs=(Output(name="y", edge="y"),),
    )


def test_fewer_rows_get_more_room():
    assert headroom(8) == headroom(24) == 0.25
    assert headroom(24) > headroom(100) > headroom(1000) > 0.05


def test_only_edges_without_an_end_get_room_and_zero_stays_zero():
    model = graph()
    found = {edge: is_bounded(model, edge) for edge in model.specs}
    assert found == {"x": False, "r": False, "t": True, "s": True, "y": False}
    seen = calibrate(model, {"x": weight(24, 4)})
    wide = with_headroom(model, seen)
    assert wide.edges["r"].low == seen.edges["r"].low == 0
    assert wide.edges["r"].high == pytest.approx(1.25 * seen.edges["r"].high)
    assert wide.edges["t"].high == seen.edges["t"].high
    np.testing.assert_array_equal(wide.edges["r"].channel_high, seen.edges["r"].channel_high)


def test_a_range_far_from_zero_gets_room_in_its_own_unit():
    model = graph()
    wide = with_headroom(model, calibrate(model, {"x": 1000 + weight(24, 4)}))
    assert 993 < wide.edges["x"].low < wide.edges["x"].high < 1007


def test_methods_that_cut_numbers_off_are_left_alone():
    model = graph()
    seen = calibrate(model, {"x": weight(24, 4)}, method=CalibrationMethod.PERCENTILE)
    assert with_headroom(model, seen) is seen


def test_rows_beyond_the_room_are_reported_and_others_are_not():
    model, x = graph(), weight(400, 4)
    seen = calibrate(model, {"x": x[:300]})
    assert list(beyond(model, seen, {"x": x[300:]})) == []
    sentences = list(beyond(model, seen, {"x": 3 * x[300:]}))
    assert 1 < len(sentences) <= 3
    assert sentences[0].startswith("input 'x' holds ")
    assert "layer 'a' gives" in sentences[1]
    assert "headroom of 11 %" in sentences[1]
    narrow = replace(model, inputs=(Input(name="x", spec=TensorSpec(shape=(4, 4))),))
    assert list(beyond(narrow, calibrate(narrow, {"x": x}), {"x": x})) == []
