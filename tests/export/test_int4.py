"""int4 files: their size, their answers, and which layers keep 8 bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import edgernn
from edgernn.errors import CalibrationError, UnsupportedScheme
from edgernn.export.keras.file import read_model
from edgernn.export.native import lower
from edgernn.export.pipeline import float_graph
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.export.request import Request
from edgernn.export.rows import Examples
from edgernn.export.study.sensitivity import (
    fewest_float_layers,
    has_four_bits,
    sensitivity,
)
from edgernn.export.study.study import held
from edgernn.graph import LINEAR, Dense, Graph
from edgernn.reference import integer, run
from edgernn.runtime import Model
from edgernn.scheme import Scheme
from tests.edgernn.runtime.models import cell, graph_of, numbers
from tests.edgernn.tasks.reference_data import splits_of
from tests.export.quantization.test_int4 import two_heads
from tests.golden import GOLDEN

TRAINED = {
    "digits_gru": "digits",
    "digits_lstm": "digits",
    "counter_lstm": "counter",
    "vowels_gru": "japanese-vowels",
}
MODEL = GOLDEN / "trained" / "digits_gru.keras"


@pytest.mark.parametrize(("units", "features", "share"), [(128, 40, 0.6), (256, 64, 0.55)])
def test_a_file_has_little_more_than_half_of_the_bytes_of_int8(
    units: int, features: int, share: float
) -> None:
    rng = np.random.default_rng(0)
    layer = cell("gru", rng, units=units, features=features, return_sequences=True)
    head = Dense(
        name="head",
        input=layer.output,
        output="y",
        kernel=numbers(rng, units, 10, gain=units**-0.5),
        bias=numbers(rng, 10),
        activation=LINEAR,
    )
    graph = graph_of(layer, head, features=features)
    ranges = calibrate(graph, {"x": numbers(rng, 8, 3, features)})
    int8, int4 = (
        len(lower(quantize(graph, ranges, scheme), metadata={}).content)
        for scheme in (Scheme.INT8, Scheme.INT4)
    )
    assert int4 <= share * int8


@pytest.mark.parametrize("name", TRAINED)
def test_trained_models_decide_as_before_on_fresh_data(name: str) -> None:
    """Trained without the grid: the counter, with 16 units, loses most."""
    splits = splits_of(TRAINED[name])
    graph = float_graph(read_model(GOLDEN / "trained" / f"{name}.keras").graph)
    (entry,) = graph.inputs
    quantized = quantize(graph, calibrate(graph, {entry.name: splits.calibration.x}), Scheme.INT4)
    inputs, classes = {entry.name: splits.test.x}, splits.test.y
    (exact,) = run(graph, inputs).values()
    (given,) = integer.run(quantized, inputs).values()
    right = [float((one.argmax(-1) == classes).mean()) for one in (exact, given)]
    assert right[1] >= right[0] - (0.02 if name == "counter_lstm" else 0.005)
    assert (exact.argmax(-1) == given.argmax(-1)).mean() >= 0.97
    (in_c,) = Model(lower(quantized, metadata={}).content).run(inputs).values()
    assert (in_c.argmax(-1) == given.argmax(-1)).all()


def test_only_the_layers_that_need_them_keep_8_bits() -> None:
    graph, rows = two_heads(np.random.default_rng(3))
    request = Request(
        scheme=Scheme.INT4, ranges=calibrate(graph, rows), examples=Examples(inputs=rows), fine={}
    )
    assert held(graph, request).per_layer == {"loud": Scheme.INT8}


def test_a_model_that_4_bits_suit_keeps_none() -> None:
    splits = splits_of("digits")
    graph = float_graph(read_model(MODEL).graph)
    rows = {graph.inputs[0].name: splits.calibration.x}
    request = Request(
        scheme=Scheme.INT4, ranges=calibrate(graph, rows), examples=Examples(inputs=rows), fine={}
    )
    assert held(graph, request) is request


def test_a_limit_of_the_loss_keeps_the_layers_in_int8_that_it_needs() -> None:
    graph, rows = two_heads(np.random.default_rng(3))
    ranges = calibrate(graph, rows)
    costs = sensitivity(graph, quantize(graph, ranges, Scheme.INT4), rows).layers

    def lost_while(*names: str) -> Callable[[Graph], float]:
        """A point for each of these layers that has 4 bits."""

        def drop(candidate: Graph) -> float:
            return sum(has_four_bits(one) for one in candidate.layers if one.name in names)

        return drop

    def kept(drop: Callable[[Graph], float]) -> tuple[str, ...] | None:
        return fewest_float_layers(graph, ranges, costs, drop, max_drop=0.5, scheme=Scheme.INT4)

    assert kept(lost_while()) == ()
    assert kept(lost_while("loud")) == ("loud",)
    assert kept(lost_while("quiet")) == ("quiet",)
    assert kept(lost_while("loud", "quiet")) is None


def test_a_limit_that_only_int8_holds_is_an_error_that_names_int8(tmp_path: Path) -> None:
    """Every answer is right in float; labels from the float model itself show each change."""
    splits = splits_of("counter")
    model = edgernn.load(GOLDEN / "trained" / "counter_lstm.keras")
    (exact,) = run(model.model.graph, {model.model.graph.inputs[0].name: splits.test.x}).values()
    rows = (splits.test.x, exact.argmax(-1))
    options = {"to": "native", "scheme": "int4", "calibrate": splits.calibration.x, "data": rows}
    with pytest.raises(CalibrationError, match="no choice of int8 layers") as error:
        model.export(tmp_path, max_drop=0, **options)
    assert "choose scheme int8" in str(error.value.remedy)
    made = model.export(tmp_path, max_drop=5, **options)
    assert made.study.kept_int8 == ()


def test_formats_that_lack_it_say_why(tmp_path: Path) -> None:
    x = splits_of("digits").calibration.x
    model = edgernn.load(MODEL)
    with pytest.raises(UnsupportedScheme, match="no GRU or LSTM with weights of 4 bits"):
        model.export(tmp_path, to="tflite", scheme="int4", calibrate=x)
    made = model.export(tmp_path, scheme="int4", calibrate=x)
    assert [one.name for one in made.artefacts] == ["digits_gru.int4.ernn"]
    assert {one.backend for one in made.refusals} == {"onnx", "tflite"}
    assert all("weights of 4 bits" in one.reason for one in made.refusals)


def test_of_several_schemes_a_format_gets_those_that_it_has(tmp_path: Path) -> None:
    x = splits_of("digits").calibration.x
    made = edgernn.load(MODEL).export(
        tmp_path, to=["native", "tflite"], scheme=["int8", "int4"], calibrate=x, verify=False
    )
    assert sorted(one.name for one in made.artefacts) == [
        "digits_gru.int4.ernn",
        "digits_gru.int8.ernn",
        "digits_gru.int8.tflite",
    ]
