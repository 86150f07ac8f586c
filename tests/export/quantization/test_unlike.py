"""Features of unlike scale: made-up inputs do not pass for a check of them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgernn.artefact import Source, VerificationStatus
from edgernn.errors import VerificationError
from edgernn.export.quantization.unlike import unlike_features
from edgernn.export.source_model import SourceModel
from edgernn.formats import FORMATS
from edgernn.front.loaded import Loaded
from edgernn.graph import RELU, Conv1D, Dense, Graph, Gru, Input, Layer, Output, TensorSpec

RNG = np.random.default_rng(8)
MEAN = np.array([101325, 0.5, 20], np.float32)
SPREAD = np.array([300, 0.1, 5], np.float32)


def weight(*shape: int, size: float = 0.4) -> Any:
    return (size * RNG.normal(size=shape)).astype(np.float32)


def gru(kernel: Any, bias: Any) -> Gru:
    return Gru(
        name="gru", input="x", output="h", state_h="s", kernel=kernel, bias=bias,
        recurrent_kernel=weight(4, 12), recurrent_bias=weight(12),
    )  # fmt: skip


def head(source: str, *, read: int) -> Dense:
    return Dense(name="head", input=source, output="y", kernel=weight(read, 2), bias=weight(2))


def model(*layers: Layer, features: int = 3) -> Graph:
    return Graph(
        name="m",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, None, features))),),
        layers=layers,
        outputs=(Output(name="y", edge="y"),),
    )


ALIKE = gru(weight(3, 12), weight(12))


def test_rows_of_a_kernel_that_differ_by_orders_of_magnitude_are_named():
    sensors = gru(weight(3, 12) / SPREAD[:, None], weight(12))
    (sentence,) = unlike_features(model(sensors, head("s", read=4)))
    assert "feature 0 of 'x'" in sentence
    assert "--calibrate" in sentence
    assert list(unlike_features(model(ALIKE, head("s", read=4)))) == []


def test_a_layer_that_stays_in_float32_is_left_out():
    sensors = gru(weight(3, 12) / SPREAD[:, None], weight(12))
    graph = model(sensors, head("s", read=4))
    assert list(unlike_features(graph, leave=["gru"])) == []


def test_a_bias_beyond_all_gates_takes_back_an_offset():
    kelvin = gru(weight(1, 12) / 5, -293 * weight(1, 12)[0] / 5)
    (sentence,) = unlike_features(model(kelvin, head("s", read=4), features=1))
    assert "offset" in sentence
    celsius = replace(kelvin, bias=weight(12))
    assert list(unlike_features(model(celsius, head("s", read=4), features=1))) == []


def test_an_offset_shows_in_a_convolution_and_not_in_a_target():
    kernel = weight(3, 1, 18) / 5
    bias = -293 * kernel.sum(axis=(0, 1))
    conv = Conv1D(name="c", input="x", output="y", kernel=kernel, bias=bias, activation=RELU)
    assert len(list(unlike_features(model(conv, features=1)))) == 1
    target = Dense(name="d", input="x", output="y", kernel=weight(3, 2), bias=weight(2) + 5000)
    assert list(unlike_features(model(target))) == []


def sensors() -> Loaded:
    """A GRU whose kernel takes back scale and offset of three sensors."""
    random = np.random.default_rng(2)
    raw = random.normal(size=(3, 12)).astype(np.float32) / SPREAD[:, None]
    bias = -(raw.astype(np.float64) * MEAN[:, None]).sum(axis=0)
    graph = model(gru(raw, bias.astype(np.float32)), head("s", read=4))
    source = Source(
        file="sensors.keras",
        sha256="0" * 64,
        bytes=0,
        keras_version="3",
        parameters=graph.parameters,
    )
    return Loaded(model=SourceModel(graph=graph, source=source, warnings=()))


def readings() -> Any:
    return (MEAN + SPREAD * RNG.normal(size=(64, 20, 3))).astype(np.float32)


SCHEMES = pytest.mark.parametrize("scheme", ["dynamic", "float16"])


def test_noise_on_made_up_inputs_advises_rows(tmp_path):
    with pytest.raises(VerificationError, match="of their spread") as failed:
        sensors().export(tmp_path, scheme="dynamic", to="native")
    assert failed.value.made is None
    assert failed.value.remedy.startswith("Give typical rows with --calibrate")


@SCHEMES
def test_agreement_on_made_up_inputs_is_no_check(tmp_path, scheme):
    # Of one step: from states of zeros, all that is made up stays small.
    made = sensors().export(tmp_path / "a", scheme=scheme, streaming=True)
    assert [one.backend for one in made.artefacts] == list(FORMATS)
    assert {one.verification.status for one in made.artefacts} == {VerificationStatus.UNDECIDED}
    assert re.search(r"NOT CHECKED: .*Give typical rows with --calibrate", made.outcome)
    assert "Passed" not in made.outcome


def test_a_required_check_asks_for_rows(tmp_path):
    with pytest.raises(VerificationError, match=r"cannot be checked.*--calibrate"):
        sensors().export(
            tmp_path, scheme="float16", to="native", streaming=True, require_verify=True
        )


@SCHEMES
@pytest.mark.parametrize("streaming", [False, True])
def test_with_the_advised_rows_every_format_passes(tmp_path, scheme, streaming):
    made = sensors().export(
        tmp_path, scheme=scheme, streaming=streaming, calibrate=readings(), require_verify=True
    )
    assert [one.backend for one in made.artefacts] == list(FORMATS)
    assert {one.verification.checked_on for one in made.artefacts} == {"kept-back rows"}


def test_rows_of_the_data_are_a_check_too(tmp_path):
    rows = readings()
    with pytest.raises(VerificationError, match="of their spread"):
        sensors().export(tmp_path, scheme="dynamic", to="native", data=(rows, rows[:, 0, :2]))


def test_float32_passes_on_made_up_inputs(tmp_path):
    made = sensors().export(tmp_path, to="onnx")
    assert made.outcome.endswith("Passed the check: sensors.onnx.")
