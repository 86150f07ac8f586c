"""What holds on every Android device: on loopback ones of both processors, on a real one if given.

`make test ANDROID_SERIAL=…` adds the one that `adb devices` calls so.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from edgernn.devices import open_device
from edgernn.devices.device import Completed
from edgernn.devices.remote import RemoteDevice
from edgernn.devices.runners import run_cases
from edgernn.devices.runners.outcome import Outputs, Skipped
from edgernn.devices.survey import survey
from edgernn.errors import DeviceError
from edgernn.export import native
from edgernn.export.keras.file import read_model
from edgernn.profile.rows import rows_of
from edgernn.profile.storage import read_report
from tests.golden import GOLDEN

ODD = 'it\'s "odd" $HOME `x` \\ ; & *\tü'
QUICK = ("--processes", "1", "--min-time", "1ms", "--warmup", "1ms")


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    """A small GRU, at a path that no shell may read as it stands."""
    graph = read_model(GOLDEN / "small_gru.keras").graph
    folder = tmp_path / "it's my folder"
    folder.mkdir()
    path = folder / 'a "small" gru.ernn'
    path.write_bytes(native.lower(graph, metadata={}).content)
    return path


def test_a_command_gives_its_exit_code_and_both_streams(phone):
    with open_device(phone) as device:
        completed = device.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout_s=60)
    assert completed == Completed(exit_code=3, stdout="out\n", stderr="err\n")


def test_words_arrive_as_they_are_whatever_they_hold(phone):
    words = [ODD, "", "  two  spaces ", "-n", "line\nbreak"]
    with open_device(phone) as device:
        completed = device.run(
            ["sh", "-c", 'for w; do echo "[$w]"; done', "sh", *words], timeout_s=60
        )
    assert completed.stdout == "".join(f"[{word}]\n" for word in words)


@pytest.mark.parametrize("size", [0, 10, 700_000])  # the last goes through the cache
def test_files_with_odd_names_come_back_as_they_were(phone, tmp_path, size):
    local, back = tmp_path / "local", tmp_path / "back"
    local.write_bytes(os.urandom(size))
    with open_device(phone) as device:
        device.push(local, ODD)
        device.pull(ODD, back)
    assert back.read_bytes() == local.read_bytes()


def test_a_file_that_was_pushed_before_is_not_transferred_again(phone, tmp_path, monkeypatch):
    local = tmp_path / "model"
    local.write_bytes(os.urandom(50_000))
    with open_device(phone) as device:
        device.push(local, "model")
    with open_device(phone) as later:
        monkeypatch.setattr(RemoteDevice, "_store", None)  # would transfer
        later.push(local, "again")
        later.pull("again", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == local.read_bytes()


def test_a_time_out_ends_what_runs_there(phone):
    with open_device(phone) as device:
        assert device.run(["sleep", "999"], timeout_s=0.5).timed_out
        assert device.run(["true"], timeout_s=60).succeeded


def test_a_crash_is_a_value_that_names_the_signal(phone):
    with open_device(phone) as device:
        completed = device.run(["sh", "-c", "kill -SEGV $$"], timeout_s=60)
    assert (completed.signal, completed.exit_code) == ("SIGSEGV", None)


def test_a_program_of_another_processor_is_said_not_to_start(phone, tmp_path):
    # An ELF header of a machine that nobody has (EM_M32), for which nothing is registered.
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x01\x00" + bytes(200)
    (tmp_path / "program").write_bytes(header)
    with open_device(phone) as device:
        device.push(tmp_path / "program", "program")
        device.run(["chmod", "+x", "program"], timeout_s=60)
        with pytest.raises(DeviceError, match=r"cannot start \./program") as refused:
            device.run(["./program"], timeout_s=60)
    assert "was the program built for it?" in refused.value.remedy


def test_nothing_is_left_when_the_device_is_left(phone):
    with open_device(phone) as device:
        assert isinstance(device, RemoteDevice)
        work = device.work
        assert device.run(["ls", "-d", work], timeout_s=60).succeeded
    with open_device(phone) as later:
        assert isinstance(later, RemoteDevice)
        assert not later.run(["ls", "-d", work], timeout_s=60).succeeded


def test_a_second_profile_on_one_device_is_refused_while_the_first_runs(phone):
    with open_device(phone) as device:
        with pytest.raises(DeviceError, match="is already in use by"):
            open_device(phone).__enter__()
        assert device.run(["echo", "unharmed"], timeout_s=60).stdout == "unharmed\n"


def test_native_models_run_there_and_say_what_they_say_here(phone, artefact):
    case = {"x": np.random.default_rng(0).normal(size=(2, 8, 4)).astype(np.float32)}
    answers = []
    for spec in ("cpu", phone):
        with open_device(spec) as device:
            answers.append(run_cases(device, artefact, "native", [case]))
    here, there = answers
    assert isinstance(here, Outputs), here
    assert isinstance(there, Outputs), there
    for name, values in here.cases[0].items():
        np.testing.assert_allclose(values, there.cases[0][name], rtol=1e-5, atol=1e-6)


def test_without_python_the_other_runtimes_are_skipped(phone, tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"")
    with open_device(phone) as device:
        answer = run_cases(device, tmp_path / "m.onnx", "onnx", [])
    assert isinstance(answer, Skipped)
    assert "there is no Python" in answer.reason


def test_a_phone_tells_what_it_is(phone):
    with open_device(phone) as device:
        found = survey(device)
    assert found.identity.board
    assert str(found.identity.system).startswith("Android ")
    assert found.python is None


def test_paths_with_spaces_and_quotes_are_profiled_from_end_to_end(
    phone, artefact, edgernn, tmp_path
):
    report_file = tmp_path / "it's a report.json"
    ran = edgernn("profile", artefact, "--device", phone, "-o", report_file, *QUICK)
    assert ran.code == 0, ran.err
    (row,) = rows_of(read_report(report_file))
    assert (row.file, row.outcome) == (artefact.name, "measured")
