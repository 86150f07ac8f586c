"""The static native program against the Python binding: on one machine, the same to the bit."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from edgernn import streaming
from edgernn.devices import open_device
from edgernn.devices.facts import CONDITION_FILES, conditions
from edgernn.devices.runners import native_program, program_files
from edgernn.devices.runners.native_program import NativeProgram
from edgernn.devices.runners.native_script import allowed_cpus, cpu_mask, cpu_s, script
from edgernn.devices.runners.outcome import Description, Failed, Memory, Outputs, Skipped, Timing
from edgernn.devices.runners.program import static_program
from edgernn.devices.runners.program_run import pulled
from edgernn.devices.runners.python_runtime import PythonRuntime
from edgernn.devices.runners.runner import Describe, MeasureMemory, Model, RunCases, TimeCalls
from edgernn.export import native
from edgernn.export.keras.file import read_model
from tests.edgernn.runtime.toolchain import run, tool
from tests.golden import GOLDEN

pytest.importorskip("edgernn.runtime._ernn", reason="the native runtime was not built")

PYTHON = PythonRuntime("native", packages=("edgernn",))


@pytest.fixture(scope="module", autouse=True)
def compilers():
    if not shutil.which("clang") or not shutil.which("ld.lld"):
        pytest.skip("clang and lld are missing: apt-get install clang lld")


@pytest.fixture(scope="module", params=["whole", "a step at a time"])
def model(request, tmp_path_factory):
    graph = streaming.expose_states(read_model(GOLDEN / "small_gru.keras").graph)
    by_step = request.param != "whole"
    if by_step:
        graph = streaming.to_streaming(graph)
    path = tmp_path_factory.mktemp("native") / "it's a model.ernn"
    path.write_bytes(native.lower(graph, metadata={}).content)
    return Model(path=path, backend="native", states=graph.states, streaming=by_step)


@pytest.fixture(scope="module")
def case():
    return {"x": np.random.default_rng(0).normal(size=(3, 8, 4)).astype(np.float32)}


def both(model, task):
    with open_device("cpu") as device:
        return [
            runner.run(device, model, task, timeout_s=60.0) for runner in (NativeProgram(), PYTHON)
        ]


def test_outputs_are_those_of_the_binding_to_the_bit(model, case):
    program, binding = both(model, RunCases(cases=[case, {"x": case["x"][:1]}]))
    assert isinstance(program, Outputs), program
    assert isinstance(binding, Outputs), binding
    for one, other in zip(program.cases, binding.cases, strict=True):
        assert set(one) == set(other)
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_both_describe_the_model_and_the_machine_alike(model):
    program, binding = both(model, Describe(read=("/proc/loadavg",), ask=(("echo", "it's"),)))
    assert isinstance(program, Description), program
    assert isinstance(binding, Description), binding
    assert program.inputs == binding.inputs
    assert program.outputs == binding.outputs
    assert program.process.machine == binding.process.machine
    assert program.process.cpus == binding.process.cpus
    assert set(program.facts) == set(binding.facts)
    assert program.facts["echo it's"].strip() == "it's"


def test_calls_are_timed_with_the_conditions_around_them(model, case):
    task = TimeCalls(
        case={"x": case["x"][:1]},
        warm_up_s=0.01,
        min_time_s=0.2,
        period_ms=10.0,
        read=CONDITION_FILES,
    )
    timing = NativeProgram()
    with open_device("cpu") as device:
        answer = timing.run(device, replace(model, cpus=(0,)), task, timeout_s=60.0)
    assert isinstance(answer, Timing), answer
    assert len(answer.hot_ms) > 100
    assert answer.paced is not None
    assert len(answer.paced.values_ms) >= 15
    assert answer.process.cpus == (0,)
    assert 0.2 < answer.wall_s < 30
    assert 0.0 < answer.cpu_s <= answer.wall_s + 0.1
    before_s, after_s = conditions(answer.before).busy_s, conditions(answer.after).busy_s
    assert before_s is not None
    assert after_s is not None
    assert after_s >= before_s


def test_its_peak_of_memory_is_its_own(model, case):
    with open_device("cpu") as device:
        answer = NativeProgram().run(
            device, model, MeasureMemory(case={"x": case["x"][:1]}), timeout_s=60.0
        )
    assert isinstance(answer, Memory), answer
    assert answer.peak_bytes is not None
    # The model is read into memory; of Python there is nothing.
    assert model.path.stat().st_size < answer.peak_bytes < 5_000_000


def test_what_is_read_counts_once(model, case, tmp_path):
    rows = np.repeat(case["x"], 20_000, axis=0)
    told = run_here(model, {"x": rows}, tmp_path)
    size = (tmp_path / "inputs.bin").stat().st_size
    assert size > 5_000_000
    assert size < told["peak_bytes"] < 1.2 * size


def test_outputs_of_cases_that_were_run_take_no_memory(model, case, tmp_path):
    rows = np.repeat(case["x"], 2_000, axis=0)
    told = run_here(model, {"x": rows}, tmp_path, tmp_path / "outputs.bin")
    assert told["peak_bytes"] < (tmp_path / "inputs.bin").stat().st_size + 1_000_000


def run_here(model, case, folder, *words):
    """What the program prints on this machine, without a device."""
    from edgernn.runtime import Model as NativeModel  # not there without a C compiler

    found = static_program([platform.machine()])
    assert not isinstance(found, Skipped), found
    inputs = folder / "inputs.bin"
    inputs.write_bytes(program_files.packed(NativeModel(model.path).inputs, [case]))
    words = (*words, "--every-step") if model.streaming else words
    told = subprocess.run([found, model.path, inputs, *words], capture_output=True, check=False)
    return json.loads(told.stdout)


def test_a_cpu_that_is_not_there_is_a_failure_that_says_so(model, case):
    with open_device("cpu") as device:
        answer = NativeProgram().run(
            device, replace(model, cpus=(1000,)), RunCases(cases=[case]), timeout_s=60.0
        )
    assert isinstance(answer, Failed)
    assert "cannot be confined to CPUs (1000,)" in answer.reason


def test_a_damaged_model_is_a_failure(model, case, tmp_path):
    path = tmp_path / "m.ernn"
    path.write_bytes(model.path.read_bytes()[:-7])
    with open_device("cpu") as device:
        answer = NativeProgram().run(
            device, replace(model, path=path), RunCases(cases=[case]), timeout_s=60.0
        )
    assert isinstance(answer, Failed)


@pytest.mark.parametrize("size", [0, 2, 4, 7, 11])
def test_outputs_that_did_not_come_whole_are_a_failure(monkeypatch, model, case, size):
    monkeypatch.setattr(native_program, "pulled", lambda *what: pulled(*what)[:size])
    with open_device("cpu") as device:
        answer = NativeProgram().run(device, model, RunCases(cases=[case]), timeout_s=60.0)
    assert isinstance(answer, Failed)
    assert "native: its output is damaged" in answer.reason


@pytest.mark.parametrize(
    ("architecture", "machine"), [("aarch64", 183), ("armv7l", 40), ("x86_64", 62)]
)
def test_the_program_is_made_for_the_targets_processor(architecture, machine):
    found = static_program([architecture])
    assert not isinstance(found, Skipped)
    header = found.read_bytes()[:20]
    assert header[:4] == b"\x7fELF"
    assert int.from_bytes(header[18:20], "little") == machine  # ELF's e_machine


@pytest.mark.parametrize(
    ("processor", "isa"), [("cortex-a72", "neon"), ("cortex-a76", "neondot"), ("max", "neoni8mm")]
)
def test_the_program_takes_the_best_instructions_of_an_arm_processor(processor, isa, model):
    program = static_program(["aarch64"])
    assert not isinstance(program, Skipped)
    command = (tool("qemu-aarch64"), "-cpu", processor, program, model.path)
    assert json.loads(run(command))["isa"] == isa


def test_a_processor_that_is_not_supported_is_skipped_by_name():
    assert "riscv64" in str(static_program(["riscv64"]))


@pytest.mark.parametrize(
    ("abis", "made_for"),
    [(("arm64-v8a", "armeabi-v7a"), "arm64"), (("armeabi-v7a", "armeabi"), "armv7")],
)
def test_the_best_of_androids_abis_that_we_know_is_chosen(abis, made_for):
    found = static_program(abis)
    assert not isinstance(found, Skipped), found
    assert found.name == f"edgernn-run-{made_for}"


def test_without_a_compiler_the_skip_names_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGERNN_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install clang lld" in str(static_program(["aarch64"]))


def test_masks_lists_and_times_are_read_as_the_system_writes_them():
    assert cpu_mask((0, 2, 3)) == "d"
    assert cpu_mask(None) == "all"
    assert allowed_cpus({"cpus": "Cpus_allowed_list:\t0-2,5\n"}) == (0, 1, 2, 5)
    assert cpu_s({"times": "0m0.00s 0m0.01s\n1m2.50s 0m0.25s\n"}) == pytest.approx(62.75)


def test_a_pattern_that_a_shell_would_run_is_refused():
    with pytest.raises(ValueError, match="not a pattern of files"):
        script(("/proc/$(reboot)",), ())
