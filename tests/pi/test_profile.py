"""Profiles on the emulated Pi when something is missing, cut or killed there."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest

from edgernn.devices import open_device
from edgernn.devices.device import Choices
from edgernn.devices.runners import run_cases
from edgernn.devices.runners.outcome import Failed, Outputs, Skipped
from edgernn.profile.report import Report
from edgernn.profile.storage import read_report
from tests.pi.conftest import QUICK
from tests.pi.test_ssh import cut, running, wait_until

pytestmark = pytest.mark.usefixtures("pi")


def test_a_connection_that_is_cut_in_mid_run_costs_nothing_but_time(
    pi, device, exported, cases, left_behind
):
    whole = run_cases(device, exported / "digits_gru.onnx", "onnx", cases)
    cutting = threading.Thread(target=cut_when_python_runs, args=(pi,))
    cutting.start()
    resumed = run_cases(device, exported / "digits_gru.onnx", "onnx", cases)
    cutting.join()
    assert isinstance(whole, Outputs)
    assert isinstance(resumed, Outputs), resumed
    for one, other in zip(whole.cases, resumed.cases, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    device.__exit__(None, None, None)
    wait_until(lambda: left_behind() == set())


def test_a_process_that_is_killed_there_is_one_failed_row(pi, device, exported, cases):
    killing = threading.Thread(target=kill_python, args=(pi,))
    killing.start()
    answer = run_cases(device, exported / "digits_gru.onnx", "onnx", cases)
    killing.join()
    assert isinstance(answer, Failed)
    assert answer.signal == "SIGKILL"


def test_where_there_is_no_python_native_models_still_run(exported, cases):
    with open_device("nopython@emulated") as device:
        skipped = run_cases(device, exported / "digits_gru.onnx", "onnx", cases)
        answer = run_cases(device, exported / "digits_gru.ernn", "native", cases)
    assert isinstance(skipped, Skipped)
    assert "there is no Python on nopython@emulated" in skipped.reason
    assert isinstance(answer, Outputs), answer


def test_the_targets_own_python_is_used_if_asked_for(exported, cases):
    with open_device("pi@emulated", Choices(own_packages=True)) as device:
        answer = run_cases(device, exported / "digits_gru.onnx", "onnx", cases)
    assert isinstance(answer, Skipped)  # it has none
    assert "numpy is not installed there" in answer.reason


def test_one_device_that_is_not_there_does_not_cost_the_others(edgernn, exported, tmp_path):
    ran = edgernn(
        *("profile", exported / "digits_gru.ernn", "--device", "pi@nobody,pi@emulated"),
        *("-o", tmp_path / "r.json", *QUICK),
    )
    assert ran.code == 10
    assert "pi@nobody cannot be reached" in ran.err
    report: Report = read_report(tmp_path / "r.json")
    assert [cell.device for cell in report.cells] == ["pi@emulated"]


def cut_when_python_runs(pi) -> None:
    wait_until(lambda: running(pi, "payload.pyz"))
    cut(pi)


def kill_python(pi) -> None:
    """Kills the payload alone, not the shell that waits for it."""
    payload = "binfmt-P /usr/local/bin/python3 /usr/local/bin/python3 -s payload.pyz"
    wait_until(lambda: running(pi, payload))
    for pid in running(pi, payload):
        os.kill(pid, signal.SIGKILL)
