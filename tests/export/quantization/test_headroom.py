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
    Activate,
    Activation,
    ActivationKind,
    CalibrationMethod,
    Dense,
    Graph,
    Input,
    Output,
    Range,
    Reverse,
    Slice,
    TensorSpec,
    is_bounded,
)

RNG = np.random.default_rng(4)


@pytest.fixture(autouse=True)
def _rows_do_not_depend_on_other_tests(monkeypatch):
    monkeypatch.setitem(globals(), "RNG", np.random.default_rng(4))


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
    relu = seen.edges["r"]
    assert relu.mean is not None
    assert wide.edges["r"].high == pytest.approx(relu.high + 0.25 * (relu.high - relu.mean))
    assert wide.edges["t"].high == seen.edges["t"].high
    np.testing.assert_array_equal(wide.edges["r"].channel_high, seen.edges["r"].channel_high)


def test_a_range_far_from_zero_gets_room_in_its_own_unit():
    model = graph()
    wide = with_headroom(model, calibrate(model, {"x": 1000 + weight(24, 4)}))
    assert 993 < wide.edges["x"].low < wide.edges["x"].high < 1007


def widened(kind: ActivationKind, low: float, mean: float, high: float) -> Range:
    """The range of an activation of which 24 rows gave low to high."""
    activation = Activation(kind=kind, alpha=1.0 if kind is ActivationKind.ELU else 0.0)
    model = Graph(
        name="m",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, 2))),),
        layers=(Activate(name="a", input="x", output="y", activation=activation),),
        outputs=(Output(name="y", edge="y"),),
    )
    seen = calibrate(model, {"x": weight(24, 2)})
    given = replace(seen.edges["y"], low=low, high=high, mean=mean)
    return with_headroom(model, replace(seen, edges={"y": given})).edges["y"]


@pytest.mark.parametrize(
    ("kind", "low", "mean", "high", "wide_low", "wide_high"),
    [
        (ActivationKind.LINEAR, -4.0, 0.0, 4.0, -5.0, 5.0),
        (ActivationKind.LINEAR, -0.01, 1.99, 8.0, -0.51, 9.5025),  # near zero is no end
        (ActivationKind.LINEAR, 2.0, 6.0, 10.0, 1.0, 11.0),
        (ActivationKind.LINEAR, 0.0, 1.0, 9.0, 0.0, 11.0),  # exactly zero is one
        (ActivationKind.RELU, 0.2, 2.0, 8.0, 0.0, 9.5),  # never below what the function gives
        (ActivationKind.ELU, -0.9, 1.1, 7.1, -1.0, 8.6),
        (ActivationKind.GELU, -0.17, 0.2, 4.2, -0.1701, 5.2),
        (ActivationKind.LOG_SOFTMAX, -8.0, -4.0, -0.5, -9.0, 0.0),
    ],
)
def test_each_end_gets_room_by_its_distance_from_the_mean(
    kind, low, mean, high, wide_low, wide_high
):
    wide = widened(kind, low, mean, high)
    assert (wide.low, wide.high) == pytest.approx((wide_low, wide_high))


@pytest.mark.parametrize(
    "draw",
    [
        lambda size: RNG.normal(size=size),
        lambda size: RNG.normal(size=size) - 2.5,  # one end near zero
        lambda size: -RNG.gamma(4.0, size=size),
        lambda size: RNG.normal(size=size) + 293,
    ],
    ids=["centred", "one-sided", "skewed", "offset"],
)
def test_fresh_rows_stay_within_the_room(draw):
    model = Graph(
        name="m",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, 10, 4))),),
        layers=(Reverse(name="r", input="x", output="y"),),
        outputs=(Output(name="y", edge="y"),),
    )
    outside, widths = [], []
    for _ in range(40):
        seen = calibrate(model, {"x": draw((24, 10, 4)).astype(np.float32)})
        wide, fresh = with_headroom(model, seen).edges["x"], draw((200, 10, 4))
        outside.append(((fresh < wide.low) | (fresh > wide.high)).mean())
        widths.append((wide.high - wide.low) / (seen.edges["x"].high - seen.edges["x"].low))
    assert np.mean(outside) < 5e-4  # of 960 numbers seen, a plain range leaves out 2e-3
    assert max(widths) == pytest.approx(1.25)  # a third of a bit


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
