"""What can befall a profile on a Pi: silence, a clock that jumps, crashes, no room, Ctrl-C."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edgernn.devices import open_device, remote, ssh
from edgernn.devices.remote import RemoteDevice
from edgernn.devices.runners import run_cases, time_calls
from edgernn.devices.runners.outcome import Failed, Outputs, Timing
from edgernn.devices.runners.runner import Model, TimeCalls
from edgernn.errors import ConnectionLost, DeviceError
from edgernn.profile.storage import read_report
from tests.pi.conftest import QUICK
from tests.pi.test_ssh import cut, running, wait_until

pytestmark = pytest.mark.usefixtures("pi")

PAYLOAD = "binfmt-P /usr/local/bin/python3 /usr/local/bin/python3 -s payload.pyz"
HOUR_S = 3600.0


@pytest.fixture
def network(pi, monkeypatch):
    """Switches the Pi's network off and on: packets vanish, connections stay open."""
    monkeypatch.setattr(ssh, "ALIVE_INTERVAL_S", 1)

    def switch(state: str) -> None:
        pi.enter_network("ip", "link", "set", "lo", state)

    yield switch
    switch("up")


def when(true: Callable[[], object], do: Callable[[], object]) -> threading.Thread:
    """Does something as soon as it is true; to be joined."""

    def wait_and_do() -> None:
        wait_until(true)
        do()

    thread = threading.Thread(target=wait_and_do)
    thread.start()
    return thread


def kill(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


def same(one: object, other: object) -> None:
    assert isinstance(one, Outputs), one
    assert isinstance(other, Outputs), other
    for a, b in zip(one.cases, other.cases, strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def test_a_network_that_falls_silent_is_noticed_in_seconds(pi, network, device):
    silencing = when(lambda: running(pi, "sleep 2345"), lambda: network("down"))
    began = time.monotonic()
    with pytest.raises(ConnectionLost, match="the connection to pi was lost"):
        device.run(["sleep", "2345"], timeout_s=600)
    assert time.monotonic() - began < 60
    silencing.join()
    assert running(pi, "sleep 2345")  # nobody could tell the Pi
    network("up")
    assert device.run(["echo", "again"], timeout_s=60).stdout == "again\n"
    assert not running(pi, "sleep 2345")


def test_a_silent_network_costs_a_profile_nothing_but_time(
    pi, network, exported, cases, left_behind
):
    with RemoteDevice(ssh.SshLink("pi@emulated", name="pi")) as device:
        whole = run_cases(device, exported / "digits_gru.onnx", "onnx", cases)
        silencing = when(lambda: running(pi, PAYLOAD), lambda: network("down"))
        speaking = when(lambda: device._keeper is None, lambda: network("up"))
        resumed = run_cases(device, exported / "digits_gru.onnx", "onnx", cases)
        silencing.join()
        speaking.join()
        same(whole, resumed)
    wait_until(lambda: left_behind() == set())


def test_a_session_that_lingers_can_be_ended_as_its_refusal_says(device, monkeypatch):
    monkeypatch.setattr(remote, "_who", lambda: "another@computer:1")
    with pytest.raises(DeviceError, match="pi@emulated is in use by") as refused:
        open_device("pi@emulated").__enter__()
    (pid,) = re.findall(r"kill -9 (\d+)", refused.value.remedy)
    device.run(["kill", "-9", pid], timeout_s=60)
    with open_device("pi@emulated") as other:
        assert other.run(["echo", "mine"], timeout_s=60).stdout == "mine\n"


@pytest.fixture
def clock(pi):
    """Sets the wall clock that programs of the user jumpy see."""
    path = pi.inside / "etc/clock"

    def jump(offset: str) -> None:
        path.write_text(f"{offset}\n")

    yield jump
    path.write_text("+0\n")


def test_a_clock_that_jumps_in_mid_run_changes_neither_outputs_nor_times(
    pi, clock, exported, cases
):
    path = exported / "digits_gru.tflite"
    is_running = partial(running, pi, "-s payload.pyz")
    with open_device("jumpy@emulated") as device:

        def year() -> int:
            asked = device.run(
                ["python3", "-c", "import time; print(time.localtime().tm_year)"], timeout_s=60
            )
            return int(asked.stdout)

        whole, now = run_cases(device, path, "tflite", cases), year()
        forwards = when(is_running, partial(clock, "+10y"))
        # Not paced: libfaketime refuses to sleep until a moment of the monotonic clock.
        task = TimeCalls(case=cases[0], warm_up_s=0.1, min_time_s=1.0)
        timing = time_calls(device, Model(path=path, backend="tflite"), task)
        forwards.join()
        assert year() >= now + 9
        back = when(is_running, partial(clock, "-10y"))
        later = run_cases(device, path, "tflite", cases)
        back.join()
        assert year() <= now - 9
    same(whole, later)
    assert isinstance(timing, Timing), timing
    for value_ms in (timing.process.load_ms, timing.first_call_ms, *timing.hot_ms):
        assert 0 < value_ms < HOUR_S * 1e3
    assert 0 < timing.wall_s < HOUR_S


def test_what_expired_because_the_clock_jumped_is_sent_again(pi, device, tmp_path):
    local = tmp_path / "model"
    local.write_bytes(os.urandom(50_000))
    cached = (
        pi.inside / "home/pi/.cache/edgernn/files" / hashlib.sha256(local.read_bytes()).hexdigest()
    )
    device.push(local, "model")
    os.utime(cached, (0, 0))  # a clock that was set from 1970 to today makes it as old
    device.pull("model", tmp_path / "back")
    cut(pi)
    with contextlib.suppress(ConnectionLost):  # if ssh has not noticed yet
        device.run(["true"], timeout_s=60)
    device.run(["true"], timeout_s=60)
    assert not cached.exists()
    device.push(local, "model")
    device.pull("model", tmp_path / "back_again")
    for back in ("back", "back_again"):
        assert (tmp_path / back).read_bytes() == local.read_bytes()


def test_a_home_that_cannot_be_written_is_named():
    with pytest.raises(DeviceError, match="cannot create a working directory") as refused:
        open_device("readonly@emulated").__enter__()
    assert "Permission denied" in refused.value.what
    assert "make ~/.cache writable for the user" in refused.value.remedy


def test_a_segmentation_fault_of_a_runtime_is_one_failed_row(pi, device, exported, cases):
    crashing = when(
        lambda: running(pi, PAYLOAD), lambda: kill(running(pi, PAYLOAD), signal.SIGSEGV)
    )
    answer = run_cases(device, exported / "digits_gru.onnx", "onnx", cases)
    crashing.join()
    assert isinstance(answer, Failed)
    assert answer.signal == "SIGSEGV"
    assert "crashed (SIGSEGV)" in answer.reason


def test_a_segmentation_fault_of_the_native_program_is_one_failed_row(pi, device, exported, cases):
    def program() -> list[int]:
        return list(
            set(running(pi, "binfmt-P ./edgernn-run")) & set(running(pi, "--time-ms 30000"))
        )

    crashing = when(program, lambda: kill(program(), signal.SIGSEGV))
    task = TimeCalls(case=cases[0], warm_up_s=0.1, min_time_s=30.0)
    model = Model(path=exported / "digits_gru.ernn", backend="native")
    answer = time_calls(device, model, task)
    crashing.join()
    assert isinstance(answer, Failed), answer
    assert answer.signal == "SIGSEGV"
    assert "crashed (SIGSEGV)" in answer.reason


def test_ctrl_c_keeps_the_report_and_leaves_nothing_and_resume_completes_it(
    pi, edgernn, exported, tmp_path, left_behind
):
    arguments = [
        *("profile", str(exported / "digits_gru.int8.ernn"), str(exported / "digits_gru.onnx")),
        *("--data", str(exported / "test.npz"), "--device", "pi@emulated"),
        *("-o", str(tmp_path / "r.json"), *QUICK),
    ]
    program = (
        "import signal, sys\n"
        "from edgernn.cli import main\n"
        # A test run in the background of a script has SIGINT ignored, and its children too.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"sys.argv = {['edgernn', *arguments]!r}\n"
        "main()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    wait_until(lambda: running(pi, PAYLOAD))  # the second artefact's: the first needs no Python
    child.send_signal(signal.SIGINT)
    _, stderr = child.communicate(timeout=60)
    assert child.returncode == 130
    assert b"interrupted; what was measured is kept" in stderr
    assert b"Traceback" not in stderr
    wait_until(lambda: not running(pi, PAYLOAD) and left_behind() == set())
    kept = read_report(tmp_path / "r.json")
    assert kept.cells[0].predictions is not None
    ran = edgernn(*arguments, "--resume")
    assert ran.code == 0, ran.err
    completed = read_report(tmp_path / "r.json")
    assert completed.cells[0].predictions == kept.cells[0].predictions
    assert [cell.predictions is not None for cell in completed.cells] == [True, True]


def test_folders_and_files_may_have_any_names(edgernn, exported, tmp_path):
    folder = tmp_path / "a b'c" / 'say "models" $HOME'
    folder.mkdir(parents=True)
    names = [f'it\'s "the" best; rm -rf *{end}' for end in (".ernn", ".tflite")]
    for name in names:
        shutil.copy(exported / f"digits_gru{Path(name).suffix}", folder / name)
    ran = edgernn(
        *("profile", *(folder / name for name in names), "--device", "pi@emulated"),
        *("-o", folder / "a report's.json", *QUICK),
    )
    assert ran.code == 0, ran.err
    cells = read_report(folder / "a report's.json").cells
    assert [cell.item.file for cell in cells] == names
    assert [cell.outcome for cell in cells] == [None, None]


def test_a_disk_that_fills_up_in_mid_profile_costs_only_what_came_after(
    edgernn, exported, tmp_path, left_behind
):
    data = np.load(exported / "test.npz")
    np.savez(tmp_path / "few.npz", x=data["x"][:10], y=data["y"][:10])
    ran = edgernn(
        # Its home has 384 KB: room for a native model, and not for ONNX Runtime.
        *("profile", exported / "digits_gru.int8.ernn", exported / "digits_gru.onnx"),
        *("--data", tmp_path / "few.npz", "--device", "cramped@emulated"),
        *("-o", tmp_path / "r.json", *QUICK),
    )
    assert ran.code == DeviceError.code
    assert "No space left on device" in ran.err
    assert "Free some space in" in ran.err
    first = read_report(tmp_path / "r.json").cells[0]
    assert first.item.file == "digits_gru.int8.ernn"
    assert first.predictions is not None
    assert left_behind("cramped") == set()
