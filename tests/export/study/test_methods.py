"""Methods of calibration beside minmax, on rows that calibration did not see."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from edgernn.export.in_scheme import with_fine_layers
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.request import Request
from edgernn.export.rows import Examples, Origin
from edgernn.export.study.study import Study, studied
from edgernn.graph import CalibrationMethod, Dense, Graph, Gru, Input, Output, TensorSpec
from edgernn.scheme import Scheme

RNG = np.random.default_rng(5)


def weight(*shape: int) -> Any:
    return (0.4 * RNG.normal(size=shape)).astype(np.float32)


GRAPH = Graph(
    name="model",
    inputs=(Input(name="x", spec=TensorSpec(shape=(None, None, 3))),),
    layers=(
        Gru(
            name="gru",
            input="x",
            output="h",
            state_h="s",
            kernel=weight(3, 24),
            recurrent_kernel=weight(8, 24),
            bias=weight(24),
            recurrent_bias=weight(24),
        ),
        Dense(name="head", input="h", output="y", kernel=weight(8, 2), bias=None),
    ),
    outputs=(Output(name="y", edge="y"),),
)


def study(method: CalibrationMethod) -> Study:
    """Of inputs with rare peaks, which carry much of what the outputs say."""
    x = RNG.normal(size=(96, 12, 3)).astype(np.float32)
    x[RNG.random(x.shape) < 0.0005] *= 20
    x[64::4, -2:] *= 6
    request = Request(
        scheme=Scheme.INT8,
        backends=("tflite",),
        ranges=calibrate(GRAPH, {"x": x[:64]}, method=method),
        examples=Examples(inputs={"x": x[64:]}, origin=Origin.KEPT_BACK),
    )
    return studied(GRAPH, with_fine_layers(GRAPH, request), (), Path(), None)


def test_a_percentile_that_cuts_off_fresh_numbers_is_said_beside_minmax() -> None:
    text = study(CalibrationMethod.PERCENTILE).headroom
    found = re.search(r"percentile have an SNR of (-?\d+) dB instead of (-?\d+) dB in tflite", text)
    assert found is not None, text
    assert int(found[1]) < int(found[2])


def test_minmax_is_compared_with_nothing() -> None:
    assert "minmax" not in study(CalibrationMethod.MINMAX).headroom
