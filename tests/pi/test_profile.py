"""Profiles on the emulated Pi: what a model says there, and what is never said about time."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest

from edgernn.devices import Choices, open_device
from edgernn.devices.runners import Failed, Outputs, Skipped, run_cases
from edgernn.report.report import Report
from edgernn.report.rows import rows_of
from edgernn.report.storage import read_report
from tests.edgernn.tasks.reference_data import splits_of
from tests.golden import GOLDEN
from tests.pi.test_ssh import cut, running, wait_until

pytestmark = pytest.mark.usefixtures("pi")

ROWS = 300
QUICK = ("--processes", "1", "--min-time", "1ms", "--warmup", "1ms")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A trained GRU in every format, float and int8, and data that it was not trained on."""
    from edgernn.cli import edgernn as command_line

    splits = splits_of("digits")
    folder = tmp_path_factory.mktemp("exported")
    assert splits.test.y is not None
    np.savez(folder / "calibration.npz", x=splits.calibration.x)
    np.savez(folder / "test.npz", x=splits.test.x[:ROWS], y=splits.test.y[:ROWS])
    model = str(GOLDEN / "trained/digits_gru.keras")
    for more in ([], ["--scheme", "int8", "--calibrate", str(folder / "calibration.npz")]):
        arguments = ["export", model, *more, "--no-verify", "-o", str(folder)]
        assert command_line.main(arguments, standalone_mode=False) in (0, None)
    return folder


@pytest.fixture(scope="module")
def cases(exported):
    from edgernn.runtime import Model

    name = Model(exported / "digits_gru.ernn").inputs[0].name
    return [{name: row[None]} for row in np.load(exported / "test.npz")["x"][:8]]


def test_four_artefacts_and_this_machine_make_one_table(edgernn, exported, tmp_path):
    files = [f"digits_gru.{end}" for end in ("onnx", "ernn", "int8.tflite", "int8.ernn")]
    ran = edgernn(
        *("profile", *(exported / file for file in files), "--data", exported / "test.npz"),
        *("--device", "cpu,pi@emulated", "--json", tmp_path / "r.json", *QUICK),
    )
    assert ran.code == 0, ran.err
    report = read_report(tmp_path / "r.json")
    rows = {(row.device, row.file): row for row in rows_of(report)}
    assert len(rows) == 8
    for file in files:
        here, there = rows["cpu", file], rows["pi@emulated", file]
        assert there.outcome == "measured"
        assert there.score is not None
        assert here.score is not None
        assert there.score > 0.9
        assert abs(there.score - here.score) <= 2 / ROWS
        assert there.agreement is not None
        assert here.p50_ms is not None
        assert there.p50_ms is there.load_ms is there.peak_rss_bytes is None
    board = {target.name: target.identity.board for target in report.targets}
    assert board["pi@emulated"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert "pi@emulated is emulated (qemu-user)" in ran.out


def here_and_there(device, path, backend, cases):
    """(here, there) for every output of every case."""
    with open_device("cpu") as host:
        answers = [run_cases(one, path, backend, cases) for one in (host, device)]
    for answer in answers:
        assert isinstance(answer, Outputs), answer
    here, there = (answer.cases for answer in answers if isinstance(answer, Outputs))
    return [(a[name], b[name]) for a, b in zip(here, there, strict=True) for name in a]


def test_native_integers_give_the_same_bits_on_both_processors(device, exported, cases):
    for here, there in here_and_there(device, exported / "digits_gru.int8.ernn", "native", cases):
        np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize(
    ("file", "backend"), [("digits_gru.ernn", "native"), ("digits_gru.int8.tflite", "tflite")]
)
def test_others_decide_alike_and_differ_little(device, exported, cases, file, backend):
    # Neither promises the same bits: 0.001 was seen in a class's probability with LiteRT's int8.
    for here, there in here_and_there(device, exported / file, backend, cases):
        np.testing.assert_allclose(here, there, atol=1e-2)
        assert here.argmax() == there.argmax()


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
        *("--json", tmp_path / "r.json", *QUICK),
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
