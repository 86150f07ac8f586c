"""Tasks that share a process of their runtime, in real processes."""

from __future__ import annotations

import errno
import gc
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edgernn.devices import open_device
from edgernn.devices.runners import describe, measure_memory, run_cases, time_calls
from edgernn.devices.runners.kept import KeptProcess, kept_processes
from edgernn.devices.runners.outcome import Description, Failed, Memory, Outputs, Timing
from edgernn.devices.runners.runner import Describe, Model, TimeCalls
from edgernn.errors import DeviceError
from tests.devices import models

CASES = [{"x": np.random.default_rng(0).normal(size=(2, 7, 3)).astype(np.float32)}]
TIMES = TimeCalls(case=CASES[0], warm_up_s=0.001, min_time_s=0.001)


@pytest.fixture(scope="module")
def cpu():
    with open_device("cpu") as device:
        yield device


@pytest.fixture
def started(monkeypatch):
    """The processes that are started, in order."""
    found: list[subprocess.Popen[bytes]] = []

    class Counted(subprocess.Popen[bytes]):
        def __init__(self, *arguments, **options) -> None:
            super().__init__(*arguments, **options)
            found.append(self)

    monkeypatch.setattr(subprocess, "Popen", Counted)
    return found


def right(answer) -> bool:
    assert isinstance(answer, Outputs), answer
    (outputs,) = answer.cases
    return np.allclose(outputs["y"], models.expected(CASES[0]["x"]), atol=1e-5)


def test_tasks_of_one_runtime_share_a_process_and_others_have_their_own(cpu, tmp_path, started):
    onnx, tflite = models.onnx_sum(tmp_path / "a.onnx"), models.tflite_sum(tmp_path / "b.tflite")
    with kept_processes():
        for _ in range(3):
            assert right(run_cases(cpu, onnx, "onnx", CASES))
            assert right(run_cases(cpu, tflite, "tflite", CASES))
        model = Model(path=onnx, backend="onnx")
        assert isinstance(describe(cpu, model, Describe()), Description)
        assert isinstance(time_calls(cpu, model, TIMES), Timing)
        assert len(started) == 2
        assert isinstance(measure_memory(cpu, model, CASES[0]), Memory)
        assert len(started) == 3, "memory is that of a process which did nothing else"
    assert all(one.poll() is not None for one in started)
    assert right(run_cases(cpu, onnx, "onnx", CASES))
    assert len(started) == 4


def test_a_block_inside_of_another_shares_its_processes(cpu, tmp_path, started):
    onnx = models.onnx_sum(tmp_path / "a.onnx")
    with kept_processes():
        with kept_processes():
            assert right(run_cases(cpu, onnx, "onnx", CASES))
        assert right(run_cases(cpu, onnx, "onnx", CASES))
    assert len(started) == 1


def test_after_a_crash_a_new_process_does_the_task(cpu, tmp_path, started):
    onnx = models.onnx_sum(tmp_path / "a.onnx")
    with kept_processes():
        assert right(run_cases(cpu, onnx, "onnx", CASES))
        os.killpg(started[0].pid, signal.SIGSEGV)
        started[0].wait()
        assert right(run_cases(cpu, onnx, "onnx", CASES))
        assert right(run_cases(cpu, onnx, "onnx", CASES))
        assert len(started) == 3  # the first, one for the task, one that is kept again


def test_a_file_that_its_runtime_refuses_fails_as_in_a_process_of_its_own(cpu, tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"no model")
    alone = run_cases(cpu, tmp_path / "a.onnx", "onnx", CASES)
    with kept_processes():
        together = run_cases(cpu, tmp_path / "a.onnx", "onnx", CASES)
        assert right(run_cases(cpu, models.onnx_sum(tmp_path / "b.onnx"), "onnx", CASES))
    assert isinstance(alone, Failed)
    assert isinstance(together, Failed)
    assert together.reason == alone.reason


def test_a_task_that_takes_too_long_is_ended_and_not_begun_again(cpu, tmp_path, started):
    onnx = models.onnx_sum(tmp_path / "a.onnx")
    with kept_processes():
        answer = run_cases(cpu, onnx, "onnx", CASES, timeout_s=0.0)
        assert isinstance(answer, Failed)
        assert "was not done after 0 s" in answer.reason
        assert len(started) == 1
        assert started[0].poll() is not None
        assert right(run_cases(cpu, onnx, "onnx", CASES))


def test_no_process_outlives_an_error(cpu, tmp_path, started):
    onnx = models.onnx_sum(tmp_path / "a.onnx")

    def work() -> None:
        with kept_processes():
            assert right(run_cases(cpu, onnx, "onnx", CASES))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert started[0].poll() is not None


def test_ctrl_c_while_one_ends_leaves_none_of_the_others(cpu, tmp_path, started, monkeypatch):
    onnx, tflite = models.onnx_sum(tmp_path / "a.onnx"), models.tflite_sum(tmp_path / "b.tflite")

    def work() -> None:
        with kept_processes():
            assert right(run_cases(cpu, onnx, "onnx", CASES))
            assert right(run_cases(cpu, tflite, "tflite", CASES))
            for one in started:
                monkeypatch.setattr(one, "wait", partial(_interrupted_at_first, one.wait))

    with pytest.raises(KeyboardInterrupt):
        work()
    assert len(started) == 2
    assert all(one.poll() is not None for one in started)


def _interrupted_at_first(wait, timeout=None):
    if timeout is not None:  # of the friendly end
        raise KeyboardInterrupt
    return wait()


def _open_files() -> int:
    """Files that are open here, without what earlier tests left to the collector."""
    gc.collect()
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("missing", ["write_bytes", "pipe", "Popen"])
def test_a_process_that_cannot_be_started_is_an_error_that_leaves_nothing(missing, monkeypatch):
    owner = {"write_bytes": Path, "pipe": os, "Popen": subprocess}[missing]
    before = _open_files()
    with monkeypatch.context() as patch:
        patch.setattr(owner, missing, _no_space)
        with pytest.raises(DeviceError, match="No space left on device"):
            KeptProcess([sys.executable])
    assert _open_files() == before


def _no_space(*_arguments, **_options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_many_processes_leave_no_open_file():
    KeptProcess([sys.executable]).close()
    before = _open_files()
    for ends in (KeptProcess.close, KeptProcess.end):
        ends(KeptProcess([sys.executable]))
    assert _open_files() == before


def test_one_that_computes_dies_when_it_is_not_waited_for(cpu, tmp_path, started, monkeypatch):
    onnx = models.onnx_sum(tmp_path / "a.onnx")
    monkeypatch.setattr("select.select", _interrupted)
    with pytest.raises(KeyboardInterrupt), kept_processes():
        run_cases(cpu, onnx, "onnx", CASES)
    assert started[0].poll() == -signal.SIGKILL


def _interrupted(*_arguments):
    raise KeyboardInterrupt


def test_a_request_that_cannot_be_read_has_no_answer_and_does_no_harm(tmp_path):
    process = KeptProcess([sys.executable])
    try:
        (tmp_path / "request.json").write_text("{}")
        assert (
            process.asked(tmp_path, "request.json", timeout_s=60) is None
        )  # it lacks all it needs
        assert process.asked(tmp_path, "missing.json", timeout_s=60) is None  # it died of that
        assert process.asked(tmp_path, "request.json", timeout_s=60) is None
    finally:
        process.end()
