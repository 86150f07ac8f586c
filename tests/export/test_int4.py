"""int4 files: their size, their answers, and which layers keep 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgernn
from edgernn.errors import UnsupportedScheme, VerificationError
from edgernn.export.eight_bits import fewest_in_int8
from edgernn.export.keras.file import read_model
from edgernn.export.native import lower
from edgernn.export.pipeline import float_graph
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.export.request import Request
from edgernn.export.rows import Examples
from edgernn.export.study.study import held
from edgernn.graph import LINEAR, Dense
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


@pytest.mark.parametrize(
    ("needed", "kept"),
    [((), ()), (("a",), ("a",)), (("c",), ("c",)), (("a", "c"), ("a", "c"))],
)
def test_the_search_keeps_the_layers_in_int8_that_are_needed(
    needed: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    noise = {"a": 1e-2, "b": 1e-3}
    assert fewest_in_int8(["a", "b", "c"], noise, lambda tried: {*needed} <= {*tried}) == kept


def test_the_search_ends_before_no_layer_has_4_bits() -> None:
    tried: list[tuple[str, ...]] = []

    def fails(kept: tuple[str, ...]) -> bool:
        tried.append(kept)
        return False

    assert fewest_in_int8(["a", "b"], {}, fails) is None
    assert {*tried} == {(), ("a",), ("b",)}


def own_answers(name: str, rows: Any) -> tuple[Any, tuple[Any, Any]]:
    """A trained model, and rows whose labels are its own answers: each change of one is a loss."""
    model = edgernn.load(GOLDEN / "trained" / f"{name}.keras")
    graph = float_graph(model.model.graph)
    (exact,) = run(graph, {graph.inputs[0].name: rows}).values()
    return model, (rows, exact.argmax(-1))


def test_a_file_that_loses_too_much_keeps_layers_in_int8(tmp_path: Path) -> None:
    splits = splits_of("digits")
    model, rows = own_answers("digits_lstm", splits.test.x[:400])
    options = {"to": "native", "scheme": "int4", "calibrate": splits.calibration.x, "data": rows}
    (artefact,) = model.export(tmp_path / "a", max_drop=5, **options).artefacts
    assert "layer lstm_1" not in artefact.details
    (artefact,) = model.export(tmp_path / "b", max_drop=0.5, **options).artefacts
    assert artefact.details["layer lstm_1"].startswith("keeps weights of 8 bits")
    assert "layer probabilities" not in artefact.details


def test_a_file_within_its_limit_also_passes_the_check(tmp_path: Path) -> None:
    """To nearest, the LSTM in 4 bits is within the limit and too noisy for the check."""
    splits = splits_of("counter")
    model, rows = own_answers("counter_lstm", splits.test.x[:100])
    options = {"to": "native", "scheme": "int4", "calibrate": splits.calibration.x, "data": rows}
    (artefact,) = model.export(tmp_path, rounding="nearest", max_drop=30, **options).artefacts
    assert artefact.verification.mean_error < 0.01


def test_a_limit_that_no_choice_of_int8_layers_holds_is_an_error(tmp_path: Path) -> None:
    """Its remedy is a scheme of more bits that was tried."""
    splits = splits_of("counter")
    model, rows = own_answers("counter_lstm", splits.test.x[:300])
    options = {"to": "native", "scheme": "int4", "calibrate": splits.calibration.x, "data": rows}
    with pytest.raises(VerificationError, match="no choice of layers in int8 helps") as error:
        model.export(tmp_path, max_drop=0, **options)
    assert "passes the check on the same inputs" in str(error.value)
    assert not list(tmp_path.iterdir())


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
