"""Mean and covariance of what matrices multiply, compared with numpy's of hand-made inputs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgernn.errors import CalibrationError
from edgernn.export.quantization.absorb import absorbed
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.export.quantization.ranges_file import read_ranges, write_ranges
from edgernn.graph import (
    AnyNotEqual,
    Conv1D,
    Dense,
    Graph,
    Gru,
    Input,
    Layer,
    Lstm,
    Moments,
    Output,
    Padding,
    QTensor,
    SimpleRnn,
    TensorSpec,
    as_float32,
)
from edgernn.reference import execute, integer, run
from edgernn.scheme import Scheme

RNG = np.random.default_rng(8)
FEATURES, UNITS, STEPS = 4, 6, 9


def weight(*shape: int) -> Any:
    """The same in every test, whatever ran before."""
    return np.random.default_rng(shape).normal(0, 0.5, shape).astype(np.float32)


def cell(kind: str, name: str = "rnn", *, source: str = "x", **options: Any) -> Layer:
    forms = {"gru": (3, Gru), "gru-before": (3, Gru), "lstm": (4, Lstm), "rnn": (1, SimpleRnn)}
    gates, form = forms[kind]
    fields: dict[str, Any] = {
        "name": name,
        "input": source,
        "output": f"{name}_y",
        "state_h": f"{name}_h",
        "kernel": weight(FEATURES, gates * UNITS),
        "recurrent_kernel": weight(UNITS, gates * UNITS),
        "bias": weight(gates * UNITS),
        "return_sequences": True,
        **options,
    }
    if form is Lstm:
        fields["state_c"] = f"{name}_c"
    if form is Gru:
        fields["reset_after"] = kind != "gru-before"
        fields["recurrent_bias"] = weight(gates * UNITS) if kind != "gru-before" else None
    layer: Layer = form(**fields)
    return layer


def graph_of(*layers: Layer, output: str) -> Graph:
    return Graph(
        name="g",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, STEPS, FEATURES))),),
        layers=layers,
        outputs=(Output(name="y", edge=output),),
    )


def check(moments: Moments, u: np.ndarray, group: int = 0) -> None:
    np.testing.assert_allclose(moments.mean[group], u.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        moments.covariance[group], np.cov(u.T.astype(np.float64), bias=True), rtol=1e-4, atol=1e-6
    )


#: Features that go together.
X = (
    RNG.normal(size=(150, STEPS, 2)) @ RNG.normal(size=(2, FEATURES))
    + 0.2 * RNG.normal(size=(150, STEPS, FEATURES))
    + 1
).astype(np.float32)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("kind", ["gru", "gru-before", "lstm", "rnn"])
def test_a_cell_sees_its_input_and_the_state_before(kind: str, backwards: bool) -> None:
    graph = graph_of(cell(kind, go_backwards=backwards), output="rnn_y")
    ranges = calibrate(graph, {"x": X})
    states = execute(graph, {"x": X})["rnn_y"]  # in the order in which the steps were taken
    before = np.concatenate([np.zeros_like(states[:, :1]), states[:, :-1]], axis=1)
    x = X[:, ::-1] if backwards else X
    check(ranges.moments["rnn"], np.concatenate([x, before], axis=2).reshape(-1, FEATURES + UNITS))
    assert ("rnn" in ranges.candidates) == (kind == "gru-before")


def test_masked_steps_are_left_out() -> None:
    mask = AnyNotEqual(name="mask", input="x", output="m", value=0.0)
    graph = graph_of(mask, cell("lstm", mask="m", go_backwards=True), output="rnn_y")
    x = X.copy()
    x[::2, 4:] = 0
    seen = calibrate(graph, {"x": x}).moments["rnn"]
    np.testing.assert_allclose(seen.mean[0, :FEATURES], x[x.any(axis=2)].mean(axis=0), rtol=1e-4)


def test_a_group_of_a_convolution_sees_windows_of_its_own_channels() -> None:
    conv = Conv1D(
        name="conv",
        input="x",
        output="y",
        kernel=weight(3, FEATURES // 2, 6),
        bias=None,
        groups=2,
        padding=Padding.VALID,
    )
    seen = calibrate(graph_of(conv, output="y"), {"x": X}).moments["conv"]
    views = np.lib.stride_tricks.sliding_window_view(X, 3, axis=1)  # [B, T', C, window]
    for group in range(2):
        channels = views[:, :, 2 * group : 2 * group + 2].transpose(0, 1, 3, 2)
        check(seen, channels.reshape(-1, 6), group)


@pytest.mark.parametrize("kind", ["gru-before", "lstm", "conv"])
def test_features_that_were_absorbed_have_the_moments_of_the_new_graph(kind: str) -> None:
    scales, offsets = np.array([300, 0.1, 5, 1]), np.array([101325, 0.5, 20, 0])
    x = (X * scales + offsets).astype(np.float32)
    if kind == "conv":
        kernel = weight(3, FEATURES, 6) / scales[:, None].astype(np.float32)
        layer: Layer = Conv1D(
            name="rnn", input="x", output="rnn_y", kernel=kernel, bias=None, padding=Padding.VALID
        )
    else:
        layer = cell(kind)
        layer = replace(layer, kernel=as_float32(layer.weights["kernel"]) / scales[:, None])
    graph = graph_of(layer, output="rnn_y")
    changed, ranges = absorbed(graph, calibrate(graph, {"x": x}))
    assert changed is not graph
    again = calibrate(changed, {"x": x})
    for ours, exact in [(ranges.moments, again.moments), (ranges.candidates, again.candidates)]:
        assert ours.keys() == exact.keys()
        for name, seen in ours.items():
            np.testing.assert_allclose(seen.mean, exact[name].mean, atol=1e-4)
            np.testing.assert_allclose(seen.covariance, exact[name].covariance, atol=1e-4)


def test_a_file_of_ranges_gives_the_same_weights(tmp_path: Path) -> None:
    graph = graph_of(cell("gru-before"), output="rnn_y")
    ranges = calibrate(graph, {"x": X})
    write_ranges(tmp_path / "r.json", ranges)
    for ours, given in zip(
        quantize(graph, read_ranges(tmp_path / "r.json", graph), Scheme.INT8).layers,
        quantize(graph, ranges, Scheme.INT8).layers,
        strict=True,
    ):
        for name, stored in given.weights.items():
            if isinstance(stored, QTensor):
                np.testing.assert_array_equal(ours.weights[name].values, stored.values)  # type: ignore[union-attr]


@pytest.mark.parametrize("part", ["mean", "covariance", "text", "layer"])
def test_damaged_moments_are_refused(tmp_path: Path, part: str) -> None:
    dense = Dense(name="d", input="x", output="y", kernel=weight(4, 3), bias=None)
    graph = graph_of(dense, output="y")
    path = tmp_path / "r.json"
    write_ranges(path, calibrate(graph, {"x": X}))
    content = json.loads(path.read_text())
    entry = content["moments"]["d"]
    match part:
        case "mean":
            entry["mean"] = [entry["mean"][0][:-1]]
        case "covariance":  # of no real numbers
            entry["covariance"] = ["AACAvwAAgL8AAIC/AACAvwAAgL8AAIC/AACAvwAAgL8AAIC/AACAvw=="]
        case "text":
            entry["covariance"] = ["no base64"]
        case _:
            content["moments"]["other"] = content["moments"].pop("d")
    path.write_text(json.dumps(content))
    with pytest.raises(CalibrationError, match="not a file of ranges"):
        read_ranges(path, graph)


def test_layers_that_share_a_kernel_go_on_sharing_it() -> None:
    first = Dense(name="a", input="x", output="p", kernel=weight(4, 4), bias=weight(4))
    second = replace(first, name="b", input="p", output="y")
    graph = graph_of(first, second, output="y")
    made = quantize(graph, calibrate(graph, {"x": X}), Scheme.INT8)
    assert made.layers[0].weights["kernel"] is made.layers[1].weights["kernel"]


@pytest.mark.parametrize("kind", ["gru", "gru-before", "lstm", "rnn"])
def test_all_arithmetics_use_the_same_weights_and_biases(kind: str) -> None:
    """The integers of a plan are those that formats with float arithmetic multiply."""
    graph = graph_of(cell(kind), output="rnn_y")
    ranges = calibrate(graph, {"x": X})
    made = quantize(graph, ranges, Scheme.INT8)
    in_float = run(replace(made, quantization=None), {"x": X})["y"]
    in_integers = integer.run(made, {"x": X})["y"]
    plain = quantize(graph, replace(ranges, moments={}, candidates={}), Scheme.INT8)
    to_nearest = run(replace(plain, quantization=None), {"x": X})["y"]
    exact = run(graph, {"x": X})["y"]
    ours = float(np.square(in_float - exact).mean())
    assert ours < 0.8 * float(np.square(to_nearest - exact).mean())
    assert float(np.square(in_integers - in_float).mean()) < 4 * ours
