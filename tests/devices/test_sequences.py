"""Models that write sequences: the static program against the Python binding, and its figures."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from edgernn.devices import open_device
from edgernn.devices.runners.native_program import NativeProgram
from edgernn.devices.runners.outcome import Description, Memory, Outputs, Timing
from edgernn.devices.runners.python_runtime import PythonRuntime
from edgernn.devices.runners.runner import Describe, MeasureMemory, RunCases, TimeCalls
from tests.export import sequences

pytest.importorskip("edgernn.runtime._ernn", reason="the native runtime was not built")

RUNNERS = (NativeProgram(), PythonRuntime("native", packages=("edgernn",)))
X = sequences.reversals(30, seed=7).x


@pytest.fixture(scope="module", params=["float32", "int8"])
def model(request, tmp_path_factory):
    if not shutil.which("clang") or not shutil.which("ld.lld"):
        pytest.skip("clang and lld are missing: apt-get install clang lld")
    return sequences.exported(tmp_path_factory.mktemp("native"), "native", request.param)


def asked(runner, model, task):
    with open_device("cpu") as device:
        return runner.run(device, model, task, timeout_s=60.0)


def test_the_program_and_the_binding_write_the_same_tokens(model):
    task = RunCases(cases=[{"tokens": X[:20]}, {"tokens": X[20:]}])
    program, binding = (asked(runner, model, task) for runner in RUNNERS)
    assert isinstance(program, Outputs), program
    assert isinstance(binding, Outputs), binding
    for there, here in zip(program.cases, binding.cases, strict=True):
        assert there["tokens"].dtype == here["tokens"].dtype
        np.testing.assert_array_equal(there["tokens"], here["tokens"])


@pytest.mark.parametrize("runner", RUNNERS, ids=["program", "binding"])
def test_a_call_is_the_whole_loop(model, runner):
    """A long sequence takes more steps of the decoder than one that ends at once."""
    medians = []
    for length in (1, 6):
        x = np.zeros((1, 6), np.int32)
        x[0, 6 - length :] = np.arange(1, length + 1)
        task = TimeCalls(case={"tokens": x}, warm_up_s=0.02, min_time_s=0.1)
        timing = asked(runner, model, task)
        assert isinstance(timing, Timing), timing
        medians.append(float(np.min(timing.hot_ms)))
    assert medians[1] > 1.2 * medians[0]


@pytest.mark.parametrize("runner", RUNNERS, ids=["program", "binding"])
def test_it_describes_itself_as_one_model_and_reports_its_memory(model, runner):
    described = asked(runner, model, Describe())
    assert isinstance(described, Description), described
    assert [port.name for port in described.inputs] == ["tokens"]
    assert [(port.name, port.shape, port.dtype) for port in described.outputs] == [
        ("tokens", (None, 7), "int32")
    ]
    memory = asked(runner, model, MeasureMemory(case={"tokens": X[:1]}))
    assert isinstance(memory, Memory), memory
