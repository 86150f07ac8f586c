"""adb, the real client, to a loopback device: what is run there, and what refuses to."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest

from edgernn.devices import Completed, open_device
from edgernn.devices.runners import Outputs, Skipped, run_cases
from edgernn.devices.survey import survey
from edgernn.errors import ConnectionLost, DeviceError
from edgernn.export import native
from edgernn.export.keras.file import read_model
from tests.golden import GOLDEN


def test_a_command_gives_its_exit_code_and_both_streams(attach):
    attach()
    with open_device("android") as device:
        completed = device.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout_s=60)
        words = ['it\'s "odd" $HOME `x` \\ ; & *', "", "a  b"]
        echoed = device.run(["sh", "-c", 'for w; do echo "[$w]"; done', "sh", *words], timeout_s=60)
    assert completed == Completed(exit_code=3, stdout="out\n", stderr="err\n")
    assert echoed.stdout == "".join(f"[{word}]\n" for word in words)


def test_files_go_there_and_back_and_nothing_is_left(attach, tmp_path):
    loopback = attach()
    content = os.urandom(700_000)
    (tmp_path / "file").write_bytes(content)
    with open_device(f"android:{loopback.serial}") as device:
        device.push(tmp_path / "file", "a 'file'")
        device.pull("a 'file'", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content
    left = {p.name for p in (tmp_path / "root0/data/local/tmp/edgernn").iterdir()}
    assert left == {"files", "packages"}


def test_a_time_out_ends_what_runs_there(attach):
    attach()
    with open_device("android") as device:
        assert device.run(["sleep", "999"], timeout_s=0.5).timed_out
        assert device.run(["true"], timeout_s=60).succeeded


def test_native_models_run_there_and_say_what_they_say_here(attach, tmp_path):
    attach()
    graph = read_model(GOLDEN / "small_gru.keras").graph
    path = tmp_path / "m.ernn"
    path.write_bytes(native.lower(graph, metadata={}).content)
    case = {"x": np.random.default_rng(0).normal(size=(2, 8, 4)).astype(np.float32)}
    answers = []
    for spec in ("cpu", "android"):
        with open_device(spec) as device:
            answers.append(run_cases(device, path, "native", [case]))
    here, there = answers
    assert isinstance(here, Outputs), here
    assert isinstance(there, Outputs), there
    for name, values in here.cases[0].items():
        np.testing.assert_array_equal(values, there.cases[0][name])


def test_a_device_that_is_unplugged_in_mid_run_is_a_lost_connection(attach):
    loopback = attach()
    device = open_device("android")
    device.__enter__()
    threading.Timer(0.5, loopback.unplug).start()
    with pytest.raises(ConnectionLost, match="the connection to android was lost"):
        device.run(["sleep", "60"], timeout_s=50)
    device.__exit__(None, None, None)


def test_without_python_the_other_runtimes_are_skipped(attach, tmp_path):
    attach()
    (tmp_path / "m.onnx").write_bytes(b"")
    with open_device("android") as device:
        answer = run_cases(device, tmp_path / "m.onnx", "onnx", [])
    assert isinstance(answer, Skipped)
    assert "there is no Python" in answer.reason


def test_a_phone_tells_what_it_is(attach):
    attach()
    with open_device("android") as device:
        found = survey(device)
    assert found.identity.board == "Loopback phone"
    assert found.identity.system == "Android (edgernn/loopback:14)"
    assert found.python is None


@pytest.mark.usefixtures("adb")
def test_without_a_device_the_message_says_what_to_do():
    with pytest.raises(DeviceError, match="no Android device is attached"):
        open_device("android").__enter__()


def test_a_serial_that_is_not_attached_is_named_beside_those_that_are(attach):
    serial = attach().serial
    with pytest.raises(DeviceError, match=f"no Android device x1; attached are {serial}"):
        open_device("android:x1").__enter__()


def test_several_devices_must_be_told_apart(attach):
    serials = sorted(attach().serial for _ in range(2))
    with pytest.raises(DeviceError, match="there are 2 Android devices") as refused:
        open_device("android").__enter__()
    assert "android:SERIAL" in refused.value.remedy
    with open_device(f"android:{serials[1]}") as device:
        assert device.run(["true"], timeout_s=60).succeeded


def test_a_device_that_does_not_trust_us_says_where_to_allow_it(attach):
    attach(authorizes=False)
    with pytest.raises(DeviceError, match="does not trust this computer") as refused:
        open_device("android").__enter__()
    assert "allow USB debugging" in refused.value.remedy
