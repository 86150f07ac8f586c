"""The native runtime behind the same calls as the others."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn import reference, streaming
from edgernn.devices import open_device
from edgernn.devices.runners import run_cases, time_calls
from edgernn.devices.runners.outcome import Failed, Outputs, Timing
from edgernn.devices.runners.runner import Model, TimeCalls
from edgernn.export import native
from edgernn.export.keras.file import read_model
from tests.golden import GOLDEN

pytest.importorskip("edgernn.runtime._ernn", reason="the native runtime was not built")


@pytest.fixture(scope="module")
def graph():
    return streaming.expose_states(read_model(GOLDEN / "small_gru.keras").graph)


@pytest.fixture(scope="module")
def step_graph(graph):
    return streaming.to_streaming(graph)


@pytest.fixture(scope="module")
def x(graph):
    shape = [size or 6 for size in graph.inputs[0].spec.shape[1:]]
    return np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)


def written(graph, path):
    path.write_bytes(native.lower(graph, metadata={}).content)
    return path


def test_a_native_model_gives_the_references_outputs(graph, x, tmp_path):
    name = graph.inputs[0].name
    with open_device("cpu") as device:
        answer = run_cases(
            device, written(graph, tmp_path / "m.ernn"), "native", [{name: x}, {name: x[:1]}]
        )
    assert isinstance(answer, Outputs), answer
    assert "edgernn" in answer.process.versions
    for outputs, rows in zip(answer.cases, (x, x[:1]), strict=True):
        for output, expected in reference.run(graph, {name: rows}).items():
            np.testing.assert_allclose(outputs[output], expected, rtol=1e-5, atol=1e-6)


def test_a_native_step_model_streams_to_the_same_result(graph, step_graph, x, tmp_path):
    name = graph.inputs[0].name
    with open_device("cpu") as device:
        answer = run_cases(
            device,
            written(step_graph, tmp_path / "m.ernn"),
            "native",
            [{name: x}],
            states=step_graph.states,
            streaming=True,
        )
    assert isinstance(answer, Outputs), answer
    output = graph.outputs[0].name
    last = answer.cases[0][output][:, -1].reshape(len(x), -1)
    expected = reference.run(graph, {name: x})[output]
    np.testing.assert_allclose(last, expected, rtol=1e-5, atol=1e-6)


def test_a_native_stream_is_timed_step_by_step(step_graph, x, tmp_path):
    path = written(step_graph, tmp_path / "m.ernn")
    model = Model(path=path, backend="native", states=step_graph.states, streaming=True)
    task = TimeCalls(case={step_graph.inputs[0].name: x[:1]}, warm_up_s=0.001, min_time_s=0.001)
    with open_device("cpu") as device:
        timing = time_calls(device, model, task)
    assert isinstance(timing, Timing), timing
    assert len(timing.hot_ms) >= 10


def test_a_damaged_native_file_is_a_failure(graph, x, tmp_path):
    path = written(graph, tmp_path / "m.ernn")
    path.write_bytes(path.read_bytes()[:-7])
    with open_device("cpu") as device:
        answer = run_cases(device, path, "native", [{graph.inputs[0].name: x}])
    assert isinstance(answer, Failed)
    assert "native: ModelFileError" in answer.reason
