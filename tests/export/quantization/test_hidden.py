"""What a mask hides costs no bits: padding of -999 beside numbers around one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgernn.export.onnx.model import lower
from edgernn.export.pipeline import quantized
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.headroom import beyond
from edgernn.export.quantization.hidden import hidden_steps, without_hidden_steps
from edgernn.export.request import Request
from edgernn.graph import (
    RELU,
    AnyNotEqual,
    ApplyMask,
    Concatenate,
    Dense,
    DType,
    Graph,
    Gru,
    Input,
    Layer,
    Lstm,
    Output,
    Reverse,
    TensorSpec,
    without_dead_layers,
)
from edgernn.reference import run
from edgernn.scheme import Scheme
from tests.formats import RUN
from tests.zoo.runtimes import open_file, open_session

RNG = np.random.default_rng(5)
FILL, STEPS, UNITS = -999.0, 12, 48


def weight(*shape: int, size: float = 0.4) -> Any:
    return (size * RNG.normal(size=shape)).astype(np.float32)


def gru(source: str, mask: str, name: str = "gru", reads: int = 3) -> Gru:
    return Gru(
        name=name, input=source, output=f"{name}_h", state_h=f"{name}_s", mask=mask,
        kernel=weight(reads, 3 * UNITS), bias=weight(3 * UNITS), recurrent_bias=None,
        recurrent_kernel=weight(UNITS, 3 * UNITS, size=0.1), reset_after=False,
    )  # fmt: skip


def lstm(source: str, mask: str) -> Lstm:
    return Lstm(
        name="lstm", input=source, output="lstm_h", state_h="lstm_s", state_c="c", mask=mask,
        kernel=weight(3, 4 * UNITS), bias=weight(4 * UNITS),
        recurrent_kernel=weight(UNITS, 4 * UNITS, size=0.1),
    )  # fmt: skip


def head(source: str, reads: int = UNITS) -> Dense:
    return Dense(
        name="head", input=source, output="y", kernel=weight(reads, 3, size=0.2), bias=None
    )


VALID = Input(name="valid", spec=TensorSpec(shape=(None, None), dtype=DType.BOOL))


def model(*layers: Layer, own_mask: bool = True) -> Graph:
    x = Input(name="x", spec=TensorSpec(shape=(None, None, 3)))
    return Graph(
        name="m",
        inputs=(x, VALID) if own_mask else (x,),
        layers=layers,
        outputs=(Output(name="y", edge="y"),),
    )


def both_ways() -> Graph:
    return model(
        gru("x", "valid"),
        Reverse(name="flip", input="x", output="r"),
        Reverse(name="flip_mask", input="valid", output="r_valid"),
        gru("r", "r_valid", "back"),
        Concatenate(name="both", inputs=("gru_s", "back_s"), output="b"),
        head("b", 2 * UNITS),
    )


def behind_a_dense() -> Graph:
    first = Dense(
        name="first", input="x", output="d", kernel=weight(3, 8), bias=None, activation=RELU
    )
    return model(first, gru("d", "valid", reads=8), head("gru_s"))


def masking() -> Graph:
    return model(
        AnyNotEqual(name="ask", input="x", output="m", value=FILL),
        ApplyMask(name="masking", input="x", mask="m", output="kept"),
        gru("kept", "m"),
        head("gru_s"),
        own_mask=False,
    )


MODELS = {
    "gru": model(gru("x", "valid"), head("gru_s")),
    "lstm": model(lstm("x", "valid"), head("lstm_s")),
    "both_ways": both_ways(),
    "behind_a_dense": behind_a_dense(),
    "masking": masking(),
}
each_model = pytest.mark.parametrize("name", MODELS)


def rows(count: int) -> dict[str, Any]:
    x = RNG.normal(size=(count, STEPS, 3)).astype(np.float32)
    valid = np.arange(STEPS) < RNG.integers(2, STEPS + 1, count)[:, None]
    x[~valid] = FILL
    return {"x": x, "valid": valid}


def prepared(name: str, count: int = 40) -> tuple[Graph, dict[str, Any]]:
    graph = without_dead_layers(MODELS[name])
    names = {entry.name for entry in graph.inputs}
    return graph, {key: array for key, array in rows(count).items() if key in names}


@each_model
def test_the_mask_is_found_and_the_function_stays_the_same(name):
    graph, x = prepared(name)
    assert hidden_steps(graph) == {"x": "m" if name == "masking" else "valid"}
    changed = without_hidden_steps(graph)
    assert (changed is graph) == (name == "masking")  # there Keras' own layer does it
    np.testing.assert_array_equal(run(changed, x)["y"], run(graph, x)["y"])


@each_model
def test_no_range_reaches_to_the_padding(name):
    graph, x = prepared(name)
    ranges = calibrate(graph, x)
    assert max(entry.magnitude for entry in ranges.edges.values()) < 50
    assert "999" not in " ".join(beyond(graph, ranges, prepared(name)[1]))


@each_model
@pytest.mark.parametrize("scheme", [Scheme.INT8, Scheme.DYNAMIC])
def test_few_bits_do_not_notice_the_padding(name, scheme):
    graph, seen = prepared(name)
    ranges = calibrate(graph, seen) if scheme is Scheme.INT8 else None
    small = quantized(graph, Request(scheme=scheme, ranges=ranges))
    _, x = prepared(name, 30)
    expected = run(graph, x)["y"]
    for backend in RUN:
        given = open_session(backend, small)(x)["y"]
        assert np.abs(given - expected).mean() < 0.03 * expected.std(), backend


@each_model
def test_the_pairs_for_an_accelerator_leave_the_padding_out(name):
    graph, seen = prepared(name)
    small = quantized(graph, Request(scheme=Scheme.INT8, ranges=calibrate(graph, seen)))
    content = lower(small, metadata={}, profile="qnn").content
    _, x = prepared(name, 30)
    expected = run(graph, x)["y"]
    given = open_file("onnx", content)(x)["y"]
    assert np.abs(given - expected).mean() < 0.1 * expected.std()


def test_steps_that_another_layer_reads_are_not_hidden():
    graph = MODELS["gru"]
    two = replace(graph, outputs=(*graph.outputs, Output(name="all", edge="x")))
    assert hidden_steps(two) == {}
    assert without_hidden_steps(two) is two
    other = Input(name="other", spec=VALID.spec)
    layers = (gru("x", "valid"), gru("x", "other", "b"), head("gru_s"))
    assert hidden_steps(replace(graph, inputs=(*graph.inputs, other), layers=layers)) == {}
