"""ONNX Runtime and TensorFlow Lite on a phone, out of what a person gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgernn import streaming
from edgernn.devices import open_device
from edgernn.devices.device import Choices
from edgernn.devices.runners import runner_for
from edgernn.devices.runners.outcome import Description, Failed, Memory, Outputs, Skipped, Timing
from edgernn.devices.runners.runner import Describe, MeasureMemory, Model, RunCases, TimeCalls
from edgernn.export import onnx, tflite
from edgernn.export.keras.file import read_model
from edgernn.graph import State
from edgernn.profile.rows import rows_of
from edgernn.profile.storage import read_report
from tests.android.root import ABIS, CannotBuild
from tests.android.runtime_libraries import (
    ONNX_RUNTIME,
    TENSORFLOW_LITE,
    android_package,
    give_c_library,
)
from tests.devices.models import onnx_running_sum, onnx_sum, onnx_token_sum, tflite_sum
from tests.export import sequences
from tests.export.tflite.interpreters import run_litert
from tests.export.tflite.quantized_cases import QUANTIZED
from tests.golden import GOLDEN

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(3, 7, 3)).astype(np.float32)


LIBRARIES = {
    "libonnxruntime.so": ONNX_RUNTIME,
    "libtensorflowlite_jni.so": TENSORFLOW_LITE,
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Makes an AAR with both runtimes for an ABI, once."""
    made: dict[str, Path] = {}

    def make(abi):
        if abi not in made:
            path = tmp_path_factory.mktemp("packages") / f"both runtimes, {abi}.aar"
            try:
                made[abi] = android_package(path, ABIS[abi], LIBRARIES)
            except CannotBuild as reason:
                pytest.skip(f"no runtime to load: {reason}")
        return made[abi]

    return make


@pytest.fixture
def package(packages):
    return packages("x86_64")


@pytest.fixture
def handset_of(attach):
    def make(abi):
        loopback = attach(abi=abi)
        try:
            give_c_library(loopback.root, loopback.abi)
        except CannotBuild as reason:
            pytest.skip(f"no C library: {reason}")
        return f"android:{loopback.serial}"

    return make


@pytest.fixture
def handset(handset_of):
    return handset_of("x86_64")


def asked(spec, model, task, *, package=None):
    choices = Choices(android_runtimes=(package,) if package else ())
    with open_device(spec, choices) as device:
        runner = runner_for(model.backend)
        assert runner is not None
        return runner.run(device, model, task, timeout_s=120.0)


def outputs(answer):
    assert isinstance(answer, Outputs), answer
    return answer.cases


def artefact(tmp_path, name):
    """A model, and cases for it."""
    case = {"x": X}
    match name:
        case "batches and lengths":
            cases = [case, {"x": X[:1, :4]}]
            return Model(path=onnx_sum(tmp_path / "it's.onnx"), backend="onnx"), cases
        case "batch 1":
            path = onnx_sum(tmp_path / "m.onnx", batch=1)
            return Model(path=path, backend="onnx"), [case]
        case "tokens":
            path = onnx_token_sum(tmp_path / "m.onnx")
            return Model(path=path, backend="onnx"), [{"tokens": np.arange(12).reshape(3, 4)}]
        case "a step at a time":
            path = onnx_running_sum(tmp_path / "m.onnx")
            states = (State(input="state", output="next_state"),)
            model = Model(path=path, backend="onnx", states=states, streaming=True)
            return model, [case, {"x": X[:1], "state": np.ones((1, 3), np.float32)}]
        case "signature":
            path = tflite_sum(tmp_path / "m.tflite")
            return Model(path=path, backend="tflite"), [case, {"x": X[:1, :4]}]
        case "quantized":
            path = tflite_sum(tmp_path / "m.tflite", quantized=True)
            return Model(path=path, backend="tflite"), [case]
        case "gru.onnx" | "gru.tflite" | "gru a step at a time":
            graph = streaming.expose_states(read_model(GOLDEN / "small_gru.keras").graph)
            by_step = name.endswith("time")
            if by_step:
                graph = streaming.to_streaming(graph)
            backend = onnx if name.endswith("onnx") else tflite
            path = tmp_path / ("gru.onnx" if backend is onnx else "gru.tflite")
            path.write_bytes(backend.lower(graph, metadata={}).content)
            model = Model(
                path=path,
                backend="onnx" if backend is onnx else "tflite",
                states=graph.states,
                streaming=by_step,
            )
            return model, [{"x": RANDOM.normal(size=(2, 8, 4)).astype(np.float32)}]
        case "gru of our own operator":
            path = tmp_path / "m.onnx"
            quantized = QUANTIZED["gru int8"]
            content = onnx.lower(quantized.graph, metadata={}, gru="customop").content
            path.write_bytes(content)
            return Model(path=path, backend="onnx"), [quantized.case.inputs]
        case _:
            raise ValueError(name)


@pytest.mark.parametrize(
    "name",
    [
        *("batches and lengths", "batch 1", "tokens", "a step at a time", "signature", "quantized"),
        *("gru.onnx", "gru.tflite", "gru a step at a time", "gru of our own operator"),
    ],
)
def test_outputs_are_those_of_the_hosts_python(handset, package, tmp_path, name):
    model, cases = artefact(tmp_path, name)
    task = RunCases(cases=cases)
    here = outputs(asked("cpu", model, task))
    there = outputs(asked(handset, model, task, package=package))
    assert_same(here, there)


@pytest.mark.parametrize("backend", ["onnx", "tflite", "native"])
def test_sequences_are_those_that_are_written_here(handset, package, tmp_path, backend):
    model = sequences.exported(tmp_path, backend)
    task = RunCases(cases=[{"tokens": sequences.reversals(9, seed=5).x}])
    (here,), (there,) = (
        outputs(asked(spec, model, task, package=package)) for spec in ("cpu", handset)
    )
    assert len(set(map(len, sequences.rows_of(here["tokens"])))) > 2
    np.testing.assert_array_equal(here["tokens"], there["tokens"])
    timed = TimeCalls(case={"tokens": task.cases[0]["tokens"][:1]}, warm_up_s=0.01, min_time_s=0.01)
    assert isinstance(asked(handset, model, timed, package=package), Timing)


@pytest.mark.parametrize("name", ["gru of our own operator", "gru a step at a time"])
def test_they_are_on_arm_too(handset_of, packages, tmp_path, name):
    model, cases = artefact(tmp_path, name)
    task = RunCases(cases=cases)
    here = outputs(asked("cpu", model, task))
    assert_same(here, outputs(asked(handset_of("arm64"), model, task, package=packages("arm64"))))


def assert_same(here, there):
    assert len(here) == len(there)
    for one, other in zip(here, there, strict=True):
        assert set(one) == set(other)
        for output in one:
            assert one[output].dtype == other[output].dtype
            np.testing.assert_allclose(one[output], other[output], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["gru int8", "lstm int8"])
def test_int8_tflite_is_the_same_to_the_bit(handset, package, tmp_path, name):
    """As LiteRT computes it without XNNPACK: this TensorFlow Lite gives it no int8 operator."""
    quantized = QUANTIZED[name]
    path = tmp_path / "m.tflite"
    path.write_bytes(tflite.lower(quantized.graph, metadata={}, **quantized.options).content)
    here = run_litert(path.read_bytes(), quantized.case.inputs, xnnpack=False)
    model = Model(path=path, backend="tflite")
    (there,) = outputs(
        asked(handset, model, RunCases(cases=[quantized.case.inputs]), package=package)
    )
    for output, values in there.items():
        np.testing.assert_array_equal(here[output], values)


@pytest.mark.parametrize("name", ["batches and lengths", "quantized"])
def test_both_describe_the_model_and_the_machine_alike(handset, package, tmp_path, name):
    model, _ = artefact(tmp_path, name)
    here = asked("cpu", model, Describe(read=("/proc/loadavg",)))
    there = asked(handset, model, Describe(read=("/proc/loadavg",)), package=package)
    assert isinstance(here, Description), here
    assert isinstance(there, Description), there
    assert here.inputs == there.inputs
    assert here.outputs == there.outputs
    assert set(here.facts) == set(there.facts)
    assert there.process.load_ms > 0.0
    assert there.process.import_ms > 0.0


@pytest.mark.parametrize("name", ["a step at a time", "gru.tflite"])
def test_calls_are_timed_hot_and_paced_with_what_they_need(handset, package, tmp_path, name):
    model, (case, *_) = artefact(tmp_path, name)
    one = {port: x[:1] for port, x in case.items()}
    task = TimeCalls(case=one, warm_up_s=0.01, min_time_s=0.1, period_ms=2.0)
    answer = asked(handset, replace(model, cpus=(0,)), task, package=package)
    assert isinstance(answer, Timing), answer
    assert len(answer.hot_ms) >= 10
    assert min(answer.hot_ms) > 0.0
    assert answer.first_call_ms > 0.0
    assert answer.paced is not None
    assert len(answer.paced.values_ms) == 50
    assert answer.process.cpus == (0,)


def test_memory_is_that_of_the_runtime_and_the_model(handset, package, tmp_path):
    model, (case, *_) = artefact(tmp_path, "batches and lengths")
    answer = asked(handset, model, MeasureMemory(case=case), package=package)
    assert isinstance(answer, Memory), answer
    assert answer.peak_bytes is not None
    assert answer.runtime_bytes is not None
    assert 1_000_000 < answer.runtime_bytes < answer.peak_bytes


def test_a_model_that_the_runtime_refuses_is_a_failure_with_its_reason(handset, package, tmp_path):
    model, cases = artefact(tmp_path, "batches and lengths")
    content = model.path.read_bytes().replace(b"ReduceSum", b"ReduceSam")
    model.path.write_bytes(content)
    answer = asked(handset, model, RunCases(cases=cases), package=package)
    assert isinstance(answer, Failed)
    assert "ReduceSam" in answer.reason


def test_a_device_without_androids_loader_is_told_from_a_missing_file(attach, package, tmp_path):
    model, cases = artefact(tmp_path, "batch 1")
    answer = asked(f"android:{attach().serial}", model, RunCases(cases=cases), package=package)
    assert isinstance(answer, Failed)
    assert answer.reason == "onnxruntime: the device has no loader for programs of x86_64"


@pytest.mark.parametrize(
    ("backend", "wanted"), [("onnx", "onnxruntime-android.aar"), ("tflite", "tensorflow-lite.aar")]
)
def test_without_a_runtime_the_skip_says_what_to_give(attach, tmp_path, backend, wanted):
    spec = f"android:{attach().serial}"
    (tmp_path / "m").write_bytes(b"")
    answer = asked(spec, Model(path=tmp_path / "m", backend=backend), RunCases(cases=[]))
    assert isinstance(answer, Skipped)
    assert "there is no Python" in answer.reason
    assert f"--android-runtime {wanted}" in answer.reason
    assert ("--benchmark-model" in answer.reason) == (backend == "tflite")


def test_a_profile_of_a_folder_measures_every_format(handset, package, edgernn, tmp_path):
    out, report_file = tmp_path / "out", tmp_path / "report.json"
    formats = ("--to", "onnx,tflite,native")
    exported = edgernn("export", GOLDEN / "small_gru.keras", "-o", out, *formats)
    assert exported.code == 0, exported.err
    ran = edgernn(
        *("profile", out, "--device", f"cpu,{handset}", "--android-runtime", package),
        *("--processes", "1", "--min-time", "1ms", "--warmup", "1ms", "-o", report_file),
    )
    assert ran.code == 0, ran.err
    outcomes = [(row.device, row.outcome) for row in rows_of(read_report(report_file))]
    assert sorted(outcomes) == [(handset, "measured")] * 3 + [("cpu", "measured")] * 3
