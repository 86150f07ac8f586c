"""Real runtimes in real child processes, on models that a person can check by hand."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from edgernn.devices import open_device
from edgernn.devices.device import Completed
from edgernn.devices.fake import FakeDevice, FakeModel
from edgernn.devices.runners import archive, describe, measure_memory, run_cases, time_calls
from edgernn.devices.runners.outcome import Description, Failed, Memory, Outputs, Skipped, Timing
from edgernn.devices.runners.runner import Describe, Model, TimeCalls
from edgernn.graph import State
from tests.devices import models

SHAPES = [(1, 7), (1, 1), (3, 7), (3, 1)]


@pytest.fixture(scope="module")
def cpu():
    with open_device("cpu") as device:
        yield device


@pytest.fixture(scope="module")
def cases():
    random = np.random.default_rng(0)
    return [{"x": random.normal(size=(*shape, 3)).astype(np.float32)} for shape in SHAPES]


@pytest.mark.parametrize("size", [0, 10, 300])
def test_outputs_that_did_not_come_whole_are_a_failure(monkeypatch, cpu, cases, tmp_path, size):
    pull = type(cpu).pull

    def cut_short(device, remote, local):
        pull(device, remote, local)
        os.truncate(local, size)

    monkeypatch.setattr(type(cpu), "pull", cut_short)
    answer = run_cases(cpu, models.onnx_sum(tmp_path / "m.onnx"), "onnx", cases)
    assert isinstance(answer, Failed)
    assert "onnxruntime: its output is damaged" in answer.reason


@pytest.mark.parametrize(
    ("backend", "make"), [("onnx", models.onnx_sum), ("tflite", models.tflite_sum)]
)
def test_cases_of_different_batch_and_length_are_run_in_one_process(
    cpu, cases, tmp_path, backend, make
):
    answer = run_cases(cpu, make(tmp_path / f"sum.{backend}"), backend, cases)
    assert isinstance(answer, Outputs), answer
    for case, outputs in zip(cases, answer.cases, strict=True):
        np.testing.assert_allclose(outputs["y"], models.expected(case["x"]), rtol=1e-5, atol=1e-5)


def test_equal_shapes_come_back_in_order(cpu, tmp_path):
    cases = [{"x": np.full((1, 2, 3), i, np.float32)} for i in range(20)]
    answer = run_cases(cpu, models.onnx_sum(tmp_path / "sum.onnx"), "onnx", cases)
    assert isinstance(answer, Outputs), answer
    for case, outputs in zip(cases, answer.cases, strict=True):
        np.testing.assert_allclose(outputs["y"], models.expected(case["x"]))


def test_a_quantized_input_is_fed_and_described_in_real_values(cpu, cases, tmp_path):
    path = models.tflite_sum(tmp_path / "sum.tflite", quantized=True)
    answer = run_cases(cpu, path, "tflite", cases)
    assert isinstance(answer, Outputs), answer
    for case, outputs in zip(cases, answer.cases, strict=True):
        on_grid = np.clip(np.rint(case["x"] * 16) + 3, -128, 127) / 16 - 3 / 16
        np.testing.assert_allclose(outputs["y"], models.expected(on_grid), rtol=1e-5, atol=1e-5)
    described = describe(cpu, Model(path=path, backend="tflite"), Describe())
    assert isinstance(described, Description), described
    assert [(port.name, port.dtype, port.stored) for port in described.inputs] == [
        ("x", "float32", "int8")
    ]


def test_streaming_feeds_a_sequence_step_by_step_and_carries_the_state(cpu, cases, tmp_path):
    answer = run_cases(
        cpu,
        models.onnx_running_sum(tmp_path / "step.onnx"),
        "onnx",
        cases,
        states=[State(input="state", output="next_state")],
        streaming=True,
    )
    assert isinstance(answer, Outputs), answer
    for case, outputs in zip(cases, answer.cases, strict=True):
        so_far = np.cumsum(case["x"], axis=1)
        np.testing.assert_allclose(
            outputs["y"], np.matmul(so_far, models.WEIGHTS), rtol=1e-4, atol=1e-5
        )
        np.testing.assert_allclose(outputs["next_state"], so_far[:, -1], rtol=1e-4, atol=1e-5)


def test_a_given_state_is_where_the_stream_begins(cpu, tmp_path):
    start = np.array([[1.0, 2.0, 3.0]], np.float32)
    case = {"x": np.zeros((1, 2, 3), np.float32), "state": start}
    answer = run_cases(
        cpu,
        models.onnx_running_sum(tmp_path / "step.onnx"),
        "onnx",
        [case],
        states=[State(input="state", output="next_state")],
        streaming=True,
    )
    assert isinstance(answer, Outputs), answer
    np.testing.assert_array_equal(answer.cases[0]["next_state"], start)


def test_int32_tokens_are_taken_by_an_int64_input(cpu, tmp_path):
    case = {"tokens": np.arange(5, dtype=np.int32)[None]}
    answer = run_cases(cpu, models.onnx_token_sum(tmp_path / "t.onnx"), "onnx", [case])
    assert isinstance(answer, Outputs), answer
    assert answer.cases[0]["y"] == [[10.0]]


@pytest.mark.parametrize("backend", ["onnx", "tflite"])
def test_a_damaged_model_is_a_failure_with_the_runtimes_words(cpu, cases, tmp_path, backend):
    path = tmp_path / f"broken.{backend}"
    path.write_bytes(b"\x00" * 64)
    answer = run_cases(cpu, path, backend, cases)
    assert isinstance(answer, Failed)
    assert answer.signal is None
    assert len(answer.reason) > len("onnxruntime: ")


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (Completed(exit_code=None, signal="SIGSEGV"), "litert crashed (SIGSEGV)"),
        (Completed(exit_code=None, timed_out=True), "litert was not done after 600 s"),
        (Completed(exit_code=0, stdout="{"), "litert ended without an answer"),
        (Completed(exit_code=3), "Python ended with exit code 3"),
    ],
)
def test_a_process_that_ends_badly_is_a_failure_that_says_how(tmp_path, end, reason):
    path = tmp_path / "m.tflite"
    path.write_bytes(b"")
    device = FakeDevice(models={"m.tflite": FakeModel(ends={"outputs": end})})
    answer = run_cases(device, path, "tflite", [{"x": np.zeros((1, 1, 1), np.float32)}])
    assert answer == Failed(reason=reason, signal=end.signal)


def test_a_device_without_numpy_or_python_is_skipped(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"")
    end = Completed(exit_code=1, stderr="ModuleNotFoundError: No module named 'numpy'")
    bare = FakeDevice(models={"m.onnx": FakeModel(ends={"outputs": end})})
    case = {"x": np.zeros((1, 1, 1), np.float32)}
    answer = run_cases(bare, path, "onnx", [case])
    assert answer == Skipped(reason="numpy is not installed there: pip install onnxruntime")
    phone = FakeDevice(name="phone", python=None)
    answer = run_cases(phone, path, "onnx", [case])
    assert answer == Skipped(reason="there is no Python on phone to run onnxruntime")


def test_a_wrong_input_name_is_a_failure(cpu, tmp_path):
    path = models.onnx_sum(tmp_path / "sum.onnx")
    answer = run_cases(cpu, path, "onnx", [{"q": np.zeros((1, 2, 3), np.float32)}])
    assert isinstance(answer, Failed)
    assert "q" in answer.reason


def test_a_back_end_without_runner_is_skipped(cpu, cases, tmp_path):
    answer = run_cases(cpu, tmp_path / "m.xyz", "xyz", cases)
    assert answer == Skipped(reason="no runner for xyz files")


def test_a_latency_process_tells_first_call_hot_and_paced_apart(cpu, tmp_path):
    model = Model(path=models.onnx_sum(tmp_path / "sum.onnx"), backend="onnx", cpus=(0,))
    task = TimeCalls(
        case={"x": np.ones((1, 5, 3), np.float32)},
        warm_up_s=0.01,
        min_time_s=0.05,
        period_ms=2.0,
        read=("/proc/loadavg",),
    )
    timing = time_calls(cpu, model, task)
    assert isinstance(timing, Timing), timing
    assert timing.first_call_ms > 0
    assert len(timing.calibration_ms) == 5
    assert len(timing.warm_up_ms) >= 3
    assert len(timing.hot_ms) >= 10
    assert timing.paced is not None
    assert len(timing.paced.values_ms) == len(timing.paced.late_ms) == 50
    assert 0 < timing.paced.duty_cycle < 1
    assert timing.process.load_ms > 0
    assert "onnxruntime" in timing.process.versions
    if hasattr(os, "sched_setaffinity"):
        assert timing.process.cpus == (0,)
        assert set(timing.before) == set(timing.after) == {"/proc/loadavg"}


def test_peak_memory_is_the_processs_own_and_not_ours(cpu, tmp_path):
    ballast = np.ones(200_000_000 // 8)
    model = Model(path=models.tflite_sum(tmp_path / "sum.tflite"), backend="tflite")
    answer = measure_memory(cpu, model, {"x": np.ones((1, 5, 3), np.float32)})
    assert isinstance(answer, Memory), answer
    if answer.peak_bytes is None or answer.runtime_bytes is None:
        pytest.skip("this system has no /proc/self/status")
    assert answer.runtime_bytes <= answer.peak_bytes < ballast.nbytes


def test_the_payload_is_one_reproducible_file_that_imports_nothing_of_edgernn(tmp_path):
    content = archive.payload_archive()
    archive.payload_archive.cache_clear()
    assert archive.payload_archive() == content
    path = tmp_path / archive.NAME
    path.write_bytes(content)
    with zipfile.ZipFile(path) as opened:
        for name in opened.namelist():
            tree = ast.parse(opened.read(name), name, feature_version=(3, 9))
            assert not [module for module in _imported(tree) if module.startswith("edgernn.")]


def test_the_payload_says_what_is_missing_rather_than_fail(tmp_path):
    path = tmp_path / archive.NAME
    path.write_bytes(archive.payload_archive())
    request = {"task": "describe", "runtime": "onnxruntime", "cpus": None}
    (tmp_path / "request.json").write_text(json.dumps(request))
    hide = "import sys; sys.modules['onnxruntime'] = None; sys.argv = sys.argv[1:]; "
    start = f"sys.path.insert(0, {str(path)!r}); import runpy; runpy.run_path({str(path)!r})"
    done = subprocess.run(
        [sys.executable, "-c", hide + start, "payload", str(tmp_path / "request.json")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "onnxruntime" in json.loads(done.stdout)["missing"]


def _imported(tree: ast.AST) -> list[str]:
    """The modules that a source names absolutely."""
    nodes = list(ast.walk(tree))
    from_imports = [n.module or "" for n in nodes if isinstance(n, ast.ImportFrom) and not n.level]
    imports = [alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names]
    return from_imports + imports
