"""Features of unlike scale are brought to one scale in front of the first kernels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgernn.export.noise import spread
from edgernn.export.pipeline import float_graph, quantized
from edgernn.export.quantization.absorb import absorbed
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.request import Request
from edgernn.graph import (
    Affine,
    AnyNotEqual,
    ApplyMask,
    Conv1D,
    Dense,
    Graph,
    Gru,
    Input,
    Layer,
    Lstm,
    Output,
    Padding,
    Ranges,
    Reverse,
    TensorSpec,
    without_dead_layers,
)
from edgernn.reference import integer, run
from edgernn.scheme import Scheme
from edgernn.streaming import to_streaming
from tests.zoo.runtimes import open_session

RNG = np.random.default_rng(8)
MEAN = np.array([101325, 0.5, 20], np.float32)
SPREAD = np.array([300, 0.1, 5], np.float32)
ROWS, STEPS = 48, 20


def weight(*shape: int, size: float = 0.4) -> Any:
    return (size * RNG.normal(size=shape)).astype(np.float32)


def taking_back(kernel: Any) -> tuple[Any, Any]:
    """(kernel, bias) of a kernel [..., 3, N] that reads the raw sensors."""
    raw = (kernel / SPREAD[:, None]).astype(np.float32)
    moved = (raw.astype(np.float64) * MEAN[:, None]).sum(axis=tuple(range(raw.ndim - 1)))
    return raw, (-moved).astype(np.float32)


def readings(rows: int = ROWS) -> Any:
    """Slow and fast changes."""
    noise = RNG.normal(size=(rows, STEPS, 3)) * 0.6 + RNG.normal(size=(rows, 1, 3)) * 0.8
    return (MEAN + SPREAD * noise).astype(np.float32)


def gru(source: str = "x", **options: Any) -> Gru:
    kernel, bias = taking_back(weight(3, 48))
    return Gru(
        **{
            "name": "gru", "input": source, "output": "h", "state_h": "s", "kernel": kernel,
            "recurrent_kernel": weight(16, 48, size=0.3), "bias": bias,
            "recurrent_bias": weight(48),
        }
        | options,
    )  # fmt: skip


def head(source: str = "s") -> Dense:
    return Dense(name="head", input=source, output="y", kernel=weight(16, 2), bias=weight(2))


def model(*layers: Layer, batch: int | None = None) -> Graph:
    return Graph(
        name="sensors",
        inputs=(Input(name="x", spec=TensorSpec(shape=(batch, None, 3))),),
        layers=layers,
        outputs=(Output(name="y", edge="y"),),
    )


def padded(rows: int) -> Any:
    x = readings(rows)
    for row in range(rows):
        x[row, STEPS - row % 8 :] = 0
    return x


def conv(padding: Padding, groups: int = 1) -> Conv1D:
    kernel = weight(3, 3, 18) if groups == 1 else weight(3, 1, 18)
    bias: Any
    if groups == 1:
        kernel, bias = taking_back(kernel)
    else:
        kernel = kernel / np.repeat(SPREAD, 6)
        bias = -(kernel.astype(np.float64) * np.repeat(MEAN, 6)).sum(axis=(0, 1))
    return Conv1D(
        name="conv", input="x", output="c", kernel=kernel.astype(np.float32),
        bias=np.asarray(bias, np.float32), padding=padding, groups=groups,
    )  # fmt: skip


def behind(source: str, size: int) -> Gru:
    return gru(source, kernel=weight(size, 48, size=0.1), bias=weight(48))


MODELS = {
    "gru": (model(gru(), head()), readings),
    "masked": (
        model(
            AnyNotEqual(name="padding", input="x", output="mask"),
            ApplyMask(name="masking", input="x", mask="mask", output="kept"),
            gru("kept", mask="mask"),
            head(),
        ),
        padded,
    ),
    "both_ways": (
        model(
            gru(),
            Reverse(name="flip", input="x", output="r"),
            gru("r", name="back", output="h2", state_h="s2"),
            head("s2"),
        ),
        readings,
    ),
    "conv_valid": (model(conv(Padding.VALID), behind("c", 18), head()), readings),
    "conv_groups": (model(conv(Padding.VALID, groups=3), behind("c", 18), head()), readings),
}


def calibrated(name: str) -> tuple[Graph, Ranges, Any]:
    graph, data = MODELS[name]
    graph = without_dead_layers(graph)
    return graph, calibrate(graph, {"x": data(ROWS)}), data(40)


@pytest.mark.parametrize("name", MODELS)
def test_the_function_stays_the_same(name):
    graph, ranges, x = calibrated(name)
    changed, _ = absorbed(graph, ranges)
    assert any(isinstance(layer, Affine) for layer in changed.layers)
    expected, given = run(graph, {"x": x})["y"], run(changed, {"x": x})["y"]
    assert spread([expected], shared=False).noise([expected], [given]).mean < 1e-3  # float32's own


@pytest.mark.parametrize(
    ("scheme", "most"), [(Scheme.INT8, 0.016), (Scheme.DYNAMIC, 0.012), (Scheme.FLOAT16, 0.001)]
)
@pytest.mark.parametrize("backend", ["reference", "onnx", "tflite", "native"])
@pytest.mark.parametrize("name", ["gru", "masked"])
def test_sensors_keep_what_they_say(name, scheme, most, backend, record_property):
    graph, ranges, x = calibrated(name)
    small = quantized(graph, Request(scheme=scheme, ranges=ranges))
    expected = run(graph, {"x": x})["y"]
    if backend == "reference":
        given = integer.run(small, {"x": x})["y"]
    else:
        session = open_session(backend, small)
        given = np.concatenate([session({"x": row[None]})["y"] for row in x])
    error = spread([expected], shared=False).noise([expected], [given]).mean
    record_property("figure", f"sensors, {name}, {scheme.value} in {backend}: {error:.2%}")
    limit = 0.04 if (backend, scheme) == ("tflite", Scheme.INT8) else most
    assert error <= limit


@pytest.mark.parametrize("padding", [Padding.SAME, Padding.CAUSAL])
def test_zeros_beside_a_sequence_stay_zeros(padding):
    kernel, _ = taking_back(weight(3, 3, 18))
    layer = replace(conv(padding), kernel=kernel)
    graph = model(layer, behind("c", 18), head())
    x = readings() - MEAN  # no offset: what can be absorbed here is the scale
    changed, _ = absorbed(graph, calibrate(graph, {"x": x}))
    (affine,) = (one for one in changed.layers if isinstance(one, Affine))
    assert not np.asarray(affine.offset).any()
    np.testing.assert_allclose(run(changed, {"x": x})["y"], run(graph, {"x": x})["y"], atol=1e-4)


def test_consumers_of_one_input_share_what_is_scaled():
    second = gru(name="gru_2", output="h2", state_h="s2")
    joined = replace(head("s2"), name="other", output="z")
    graph = model(gru(), second, head(), joined)
    graph = replace(graph, outputs=(*graph.outputs, Output(name="z", edge="z")))
    x = readings()
    changed, _ = absorbed(graph, calibrate(graph, {"x": x}))
    assert sum(isinstance(layer, Affine) for layer in changed.layers) == 1


def test_layers_that_share_a_kernel_go_on_sharing_it():
    first = gru()
    second = replace(first, name="gru_2", input="r", output="h2", state_h="s2")
    graph = model(first, Reverse(name="flip", input="x", output="r"), second, head("s2"))
    changed, _ = absorbed(graph, calibrate(graph, {"x": readings()}))
    cells = [layer for layer in changed.layers if isinstance(layer, Gru)]
    assert cells[0].kernel is cells[1].kernel
    assert cells[0].bias is cells[1].bias


def test_alike_features_are_left_alone():
    graph = model(replace(gru(), kernel=weight(3, 48), bias=weight(48)), head())
    ranges = calibrate(graph, {"x": weight(20, STEPS, 3, size=1)})
    assert absorbed(graph, ranges) == (graph, ranges)


def test_layers_kept_in_float_are_left_alone():
    graph, ranges, _ = calibrated("gru")
    assert absorbed(graph, ranges, leave={"gru"}) == (graph, ranges)


def test_a_constant_feature_is_folded_into_the_bias():
    graph = model(gru(), head())
    x = readings()
    x[..., 0] = 101325
    changed, ranges = absorbed(graph, calibrate(graph, {"x": x}))
    assert all(np.isfinite(np.asarray(one)).all() for one in changed.layers[0].weights.values())
    small = quantized(graph, Request(scheme=Scheme.INT8, ranges=calibrate(graph, {"x": x})))
    expected, given = run(graph, {"x": x})["y"], integer.run(small, {"x": x})["y"]
    assert spread([expected], shared=False).noise([expected], [given]).mean < 0.02
    assert ranges.edges["x_scaled"].magnitude < 10


def test_a_step_at_a_time_equals_the_whole_sequence():
    graph, ranges, x = calibrated("gru")
    small = quantized(float_graph(graph), Request(scheme=Scheme.INT8, ranges=ranges))
    step = to_streaming(small)
    (state,) = step.states
    given = {state.input: np.zeros((len(x), 16), np.float32)}
    answer: dict[str, Any] = {}
    for time in range(STEPS):
        answer = integer.run(step, {"x": x[:, time : time + 1], **given})
        given = {state.input: answer[state.output]}
    np.testing.assert_array_equal(answer["y"], integer.run(small, {"x": x})["y"])


def test_an_lstm_is_served_too():
    kernel, bias = taking_back(weight(3, 64))
    lstm = Lstm(
        name="lstm", input="x", output="h", state_h="s", state_c="c", kernel=kernel, bias=bias,
        recurrent_kernel=weight(16, 64, size=0.3),
    )  # fmt: skip
    graph = without_dead_layers(model(lstm, head()))
    small = quantized(
        graph, Request(scheme=Scheme.DYNAMIC, ranges=calibrate(graph, {"x": readings()}))
    )
    x = readings(40)
    expected, given = run(graph, {"x": x})["y"], run(small, {"x": x})["y"]
    assert spread([expected], shared=False).noise([expected], [given]).mean < 0.012
