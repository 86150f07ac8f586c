"""Inputs and outputs as integers: the type and the scales are in the file, the numbers stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgernn.devices import open_device
from edgernn.devices.runners import run_cases
from edgernn.devices.runners.outcome import Outputs
from edgernn.errors import UnsupportedLayer, WrongOption
from edgernn.export import tflite
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.front.options import require_use
from edgernn.graph import SOFTMAX, Dense, Embedding, Graph
from edgernn.scheme import Scheme
from tests.export.tflite.models import Case, case, floats, gru, lstm, row, sequence, tokens, weights

STEPS = 7
KINDS = {"int8": np.int8, "uint8": np.uint8}


def classifier(make: Any) -> Case:
    head = Dense(
        name="d", input="r.y", output="y", kernel=weights(6, 4), bias=floats(4), activation=SOFTMAX
    )
    return case([sequence(steps=STEPS)], [make("r", "x"), head], "y")


def words() -> Case:
    embedding = Embedding(name="e", input="t", output="x", table=weights(9, 5))
    return case([tokens(steps=STEPS)], [embedding, gru("r", "x")], "r.y")


def with_state() -> Case:
    return case([sequence(steps=STEPS), row("h")], [gru("r", "x", initial_h="h")], "r.y")


def in_int8(made: Case) -> Graph:
    samples = {name: np.repeat(array, 4, axis=0) for name, array in made.inputs.items()}
    return quantize(made.graph, calibrate(made.graph, samples), Scheme.INT8)


def details(content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    runner = Interpreter(model_content=content).get_signature_runner()
    return runner.get_input_details(), runner.get_output_details()


@pytest.mark.parametrize(
    ("make", "io", "profile"),
    [
        (gru, "int8", "default"),
        (gru, "uint8", "integer-only"),
        (lstm, "uint8", "default"),
        (lstm, "int8", "micro"),
    ],
)
def test_an_app_that_converts_gets_what_floats_give(
    make: Any, io: str, profile: str, tmp_path: Path
) -> None:
    """The runners convert as an app does: by the scales in the file."""
    made = classifier(make)
    graph = in_int8(made)
    found: list[Any] = []
    for kind in ("float32", io):
        content = tflite.lower(graph, metadata={}, profile=profile, io=kind).content
        inputs, outputs = details(content)
        wanted = KINDS.get(kind, np.float32)
        for entry in (*inputs.values(), *outputs.values()):
            assert entry["dtype"] is wanted
            assert (entry["quantization"][0] > 0) is (kind != "float32")
        path = tmp_path / f"{kind}.tflite"
        path.write_bytes(content)
        rows = [{"x": one[None]} for one in made.inputs["x"]]
        with open_device("cpu") as device:
            answer = run_cases(device, path, "tflite", rows)
        assert isinstance(answer, Outputs)
        found.append(np.concatenate([one["out0"] for one in answer.cases]))
    assert found[1].dtype == np.float32
    assert np.abs(found[1] - found[0]).max() <= 0.02  # steps of 1/256, and of the input


def test_tokens_stay_tokens() -> None:
    inputs, outputs = details(tflite.lower(in_int8(words()), metadata={}, io="int8").content)
    assert inputs["t"]["dtype"] is np.int32
    assert outputs["out0"]["dtype"] is np.int8


def test_a_state_stays_exact() -> None:
    inputs, _ = details(tflite.lower(in_int8(with_state()), metadata={}, io="int8").content)
    assert inputs["h"]["dtype"] is np.float32
    assert inputs["x"]["dtype"] is np.int8


def test_an_input_without_a_range_is_refused_by_name() -> None:
    graph = in_int8(classifier(gru))
    assert graph.quantization is not None
    known = graph.quantization.ranges
    edges = {name: found for name, found in known.edges.items() if name != "x"}
    bare = replace(graph.quantization, ranges=replace(known, edges=MappingProxyType(edges)))
    with pytest.raises(UnsupportedLayer) as refused:
        tflite.lower(replace(graph, quantization=bare), metadata={}, io="int8")
    assert refused.value.layer == "x"
    assert "--io" in refused.value.remedy


def test_a_float_model_keeps_its_floats_and_asking_for_them_alone_is_refused() -> None:
    inputs, _ = details(tflite.lower(classifier(gru).graph, metadata={}, io="int8").content)
    assert inputs["x"]["dtype"] is np.float32
    with pytest.raises(WrongOption, match="int8 file"):
        require_use({Scheme.FLOAT32}, (), None, None, None, "int8")
