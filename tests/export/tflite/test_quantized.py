"""Quantized graphs in LiteRT's interpreter: close to the float reference, and small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgernn.export import tflite
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import AnyArray, Dense, Graph, Lstm
from edgernn.reference import run
from edgernn.scheme import Scheme
from tests.export.tflite.interpreters import run_litert
from tests.export.tflite.models import case, floats, gru, lstm, row, sequence, weights
from tests.export.tflite.quantized_cases import QUANTIZED

#: Largest and mean error that these small, untrained cells may have, in parts of the output's
#: scale.  What counts is the accuracy of trained models; this finds what is wrong, not imprecise.
MAX_ERROR, MEAN_ERROR = 0.08, 0.02


@pytest.mark.parametrize("name", QUANTIZED)
@pytest.mark.parametrize("xnnpack", [True, False], ids=["xnnpack", "builtin"])
def test_a_quantized_file_stays_close_to_the_reference(name: str, xnnpack: bool) -> None:
    quantized = QUANTIZED[name]
    content = tflite.lower(quantized.graph, metadata={}, **quantized.options).content
    found = run_litert(content, quantized.case.inputs, xnnpack=xnnpack)
    assert_close(found, run(quantized.case.graph, quantized.case.inputs))


def assert_close(found: Mapping[str, AnyArray], wanted: Mapping[str, AnyArray]) -> None:
    assert found.keys() == wanted.keys()
    for output, value in wanted.items():
        assert found[output].shape == value.shape
        assert found[output].dtype == value.dtype
        if value.dtype != np.float32:
            np.testing.assert_array_equal(found[output], value, err_msg=output)
            continue
        np.testing.assert_array_equal(np.isnan(found[output]), np.isnan(value), err_msg=output)
        scale = max(1.0, float(np.nanmax(np.abs(value))))
        error = np.abs(np.nan_to_num(found[output]) - np.nan_to_num(value)) / scale
        assert error.max() <= MAX_ERROR, output
        assert error.mean() <= MEAN_ERROR, output


def keyword_spotter(make: Any, layers: int) -> Graph:
    cells = [
        make(f"r{at}", f"r{at - 1}.y" if at else "x", 128 if at else 40, 128,
             return_sequences=at < layers - 1)
        for at in range(layers)
    ]  # fmt: skip
    top = cells[-1].output
    head = Dense(name="d", input=top, output="y", kernel=weights(128, 10), bias=weights(10))
    return case([sequence(features=40)], [*cells, head], "y").graph


def in_int8(graph: Graph, x: AnyArray) -> Graph:
    return quantize(graph, calibrate(graph, {"x": x}), Scheme.INT8)


@pytest.mark.parametrize(
    ("make", "layers", "most_bytes"),
    [(gru, 1, 85_000), (lstm, 1, 108_000), (gru, 2, 200_000), (lstm, 2, 260_000)],
)
def test_int8_files_are_a_third_of_float(make: Any, layers: int, most_bytes: int) -> None:
    graph = in_int8(keyword_spotter(make, layers), floats(8, 20, 40))
    assert len(tflite.lower(graph, metadata={"labels": "[]"}).content) <= most_bytes


@pytest.mark.parametrize("make", [gru, lstm])
def test_a_step_at_a_time_gives_the_bits_of_the_whole_sequence(make: Any) -> None:
    options: dict[str, Any] = {"initial_h": "h0", "return_sequences": True}
    if make is lstm:
        options["initial_c"] = "c0"
    graphs = []
    for steps in (12, 1):
        layer = make("r", "x", **options)
        states = [edge for edge in ("h0", "c0") if edge in layer.reads]
        inputs = [sequence(steps=steps), *(row(name) for name in states)]
        graphs.append(case(inputs, [layer], *layer.writes).graph)
    whole, step = graphs
    layer = whole.layers[0]
    step = Graph(name="step", inputs=step.inputs, layers=(layer,), outputs=step.outputs)
    x = floats(2, 12, 5)
    zeros = {edge: np.zeros((2, 6), np.float32) for edge in states}
    ranges = calibrate(whole, {"x": floats(40, 12, 5), **_zeros_for(states, 40)})
    quantized = quantize(whole, ranges, Scheme.INT8)
    stepwise = Graph(
        name="step",
        inputs=step.inputs,
        layers=quantized.layers,
        outputs=step.outputs,
        quantization=quantized.quantization,
    )
    wanted = run_litert(tflite.lower(quantized, metadata={}).content, {"x": x, **zeros})
    runner: Any = Interpreter(
        model_content=tflite.lower(stepwise, metadata={}).content
    ).get_signature_runner()
    given = zeros
    for at in range(12):
        found = runner(x=x[:, at : at + 1], **given)
        np.testing.assert_array_equal(found["out0"], wanted["out0"][:, at : at + 1])
        after = [found[f"out{position}"] for position in range(1, len(layer.writes))]
        given = dict(zip(states, after, strict=True))
    assert isinstance(layer, Lstm) == ("c0" in given)


def _zeros_for(states: Sequence[str], rows: int) -> dict[str, AnyArray]:
    return {edge: np.zeros((rows, 6), np.float32) for edge in states}


def test_a_long_memory_does_not_leak() -> None:
    """A gate that is shut holds its state for a thousand steps: 1 - z is exactly 0."""
    layer = gru("r", "x", 4, 8, initial_h="h0")
    bias = np.zeros(24, np.float32)
    bias[:8] = 30.0  # z = 1: keep everything
    held = replace(layer, bias=bias, recurrent_bias=np.zeros(24, np.float32))
    graph = case([sequence(features=4), row("h0", 8)], [held], "r.y").graph
    x, h = floats(8, 1000, 4) * 0.1, np.tanh(floats(8, 8))
    quantized = quantize(graph, calibrate(graph, {"x": x, "h0": h}), Scheme.INT8)
    found = run_litert(tflite.lower(quantized, metadata={}).content, {"x": x, "h0": h})
    np.testing.assert_array_equal(found["out0"], h)
