"""What goes wrong between this machine and a phone: each ends in a sentence, nothing is left."""

from __future__ import annotations

import gzip
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edgernn.devices import adb, open_device, remote
from edgernn.devices.remote import RemoteDevice
from edgernn.devices.remote_shell import unpacked
from edgernn.devices.runners.native_program import NativeProgram
from edgernn.devices.runners.outcome import Failed
from edgernn.devices.runners.runner import Model, TimeCalls
from edgernn.errors import ConnectionLost, DeviceError
from edgernn.export import native
from edgernn.export.keras.file import read_model
from edgernn.profile.cautions import Caution
from edgernn.profile.judgement import cautions
from edgernn.profile.measure import Run
from edgernn.profile.storage import read_report
from tests.android.conftest import connect
from tests.android.loopback import LoopbackDevice
from tests.golden import GOLDEN

#: A paced loop lasts as long as it is told to, however fast the model is.
TIMED = ("--allow-emulated-timing", "--warmup", "1ms", "--period", "10ms", "--min-time")
CASE = {"x": np.zeros((1, 8, 4), np.float32)}


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    path = tmp_path / "gru.ernn"
    graph = read_model(GOLDEN / "small_gru.keras").graph
    path.write_bytes(native.lower(graph, metadata={}).content)
    return path


def programs(loopback: LoopbackDevice) -> list[int]:
    """The native runner itself, not the shells that wait for it."""
    return loopback.space.running("./edgernn-run ")


def is_timing(loopback: LoopbackDevice) -> bool:
    return bool(programs(loopback))


def runs_in(file: Path) -> tuple[Run, ...]:
    cells = read_report(file).cells if file.exists() else ()
    return cells[0].runs if cells else ()


def wait_until(true: Callable[[], bool], *, timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


# Unplugged


def test_a_cut_in_mid_run_is_a_lost_connection(attach):
    loopback = attach()
    with open_device("android") as device:
        threading.Timer(0.5, loopback.cut).start()
        with pytest.raises(ConnectionLost, match="the connection to android was lost"):
            device.run(["sleep", "60"], timeout_s=50)


def test_unplugged_in_mid_run_and_plugged_in_again_nothing_is_lost(
    attach, artefact, edgernn, tmp_path
):
    loopback = attach()

    def unplug_and_plug_in() -> None:
        wait_until(lambda: is_timing(loopback))
        loopback.unplug()
        time.sleep(0.5)
        loopback.plug_in()
        subprocess.run(["adb", "disconnect", loopback.serial], capture_output=True, timeout=60)
        connect(loopback)

    person = threading.Thread(target=unplug_and_plug_in)
    person.start()
    ran = edgernn(
        *("profile", artefact, "--device", "android", "-o", tmp_path / "r.json"),
        *("--processes", "2", *TIMED, "800ms"),
    )
    person.join()
    assert ran.code == 0, ran.err
    assert len(runs_in(tmp_path / "r.json")) == 2
    assert loopback.left_behind() == set()
    assert not programs(loopback)


def test_unplugged_for_good_keeps_what_was_measured(
    attach, artefact, edgernn, tmp_path, monkeypatch
):
    loopback = attach()
    monkeypatch.setattr(remote, "BACKOFF_S", (0.1,))
    file = tmp_path / "r.json"

    def unplug() -> None:
        wait_until(lambda: bool(runs_in(file)))
        loopback.unplug()

    person = threading.Thread(target=unplug)
    person.start()
    ran = edgernn(
        *("profile", artefact, "--device", "android", "-o", file),
        *("--processes", "3", *TIMED, "500ms"),
    )
    person.join()
    assert ran.code == DeviceError.code
    assert "is offline" in ran.err
    assert 1 <= len(runs_in(file)) < 3
    wait_until(lambda: loopback.left_behind() == set())


def test_a_device_that_went_offline_is_said_to_be(attach):
    loopback = attach()
    loopback.unplug()
    wait_until(lambda: adb.attached() == {loopback.serial: "offline"})
    with pytest.raises(DeviceError, match="is offline") as refused:
        open_device("android").__enter__()
    assert "adb reconnect" in refused.value.remedy


# adb itself


def test_without_adb_the_message_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="adb is not installed") as refused:
        open_device("android").__enter__()
    assert "apt-get install adb" in refused.value.remedy


@pytest.fixture
def foreign_server(monkeypatch) -> Iterator[Callable[[bytes], None]]:
    """Something at the port of adb's server that gives one answer to all who ask."""
    listening = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(listening.getsockname()[1]))
    open_connections = []

    def serve(answer: bytes) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:  # the test is over
                return
            open_connections.append(connection)
            if answer:
                connection.recv(100)
                connection.sendall(answer)
                connection.close()

    def start(answer: bytes) -> None:
        threading.Thread(target=serve, args=(answer,), daemon=True).start()

    yield start
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    for connection in open_connections:
        connection.close()


def test_a_server_of_another_version_that_stays_is_not_taken_for_no_device(foreign_server):
    foreign_server(b"OKAY00040020")  # version 32; ours is 41
    with pytest.raises(DeviceError, match="adb cannot work with its server") as refused:
        open_device("android").__enter__()
    assert "use one version only" in refused.value.remedy


def test_a_server_that_does_not_answer_is_given_up(foreign_server, monkeypatch):
    monkeypatch.setattr(adb, "ADB_TIMEOUT_S", 1.0)
    foreign_server(b"")
    with pytest.raises(DeviceError, match="adb does not answer") as refused:
        open_device("android").__enter__()
    assert "adb kill-server" in refused.value.remedy


# The phone's state


def test_a_device_that_is_starting_is_waited_for(attach):
    loopback = attach()
    loopback.set_property("sys.boot_completed", "")
    threading.Timer(1.5, loopback.set_property, ["sys.boot_completed", "1"]).start()
    with open_device("android") as device:
        assert device.run(["true"], timeout_s=60).succeeded


def test_a_device_that_never_ends_its_start_is_given_up(attach, monkeypatch):
    loopback = attach()
    loopback.set_property("sys.boot_completed", "")
    monkeypatch.setattr(remote, "BOOT_TIMEOUT_S", 1)
    with pytest.raises(DeviceError, match="has not finished booting after 1 s"):
        open_device("android").__enter__()
    assert not (loopback.data / "edgernn").exists()


def test_an_android_whose_adb_tells_no_exit_codes_is_refused(attach):
    attach(features=("cmd",))
    with pytest.raises(DeviceError, match="android is too old") as refused:
        open_device("android").__enter__()
    assert "Android 7" in refused.value.remedy


def test_a_folder_that_may_not_be_written_is_named(attach):
    loopback = attach()
    loopback.data.chmod(0o555)
    with pytest.raises(DeviceError, match=r"cannot create a working directory .*Permission denied"):
        open_device("android").__enter__()


def test_a_full_disk_is_named_and_nothing_half_written_stays(attach, tmp_path):
    loopback = attach(data_kb=512)
    (tmp_path / "large").write_bytes(os.urandom(1_000_000))
    with open_device("android") as device:
        with pytest.raises(DeviceError, match="no space left"):
            device.push(tmp_path / "large", "large")
        assert device.run(["ls"], timeout_s=60).stdout == ""
    assert loopback.left_behind() == set()
    assert not list((loopback.data / "edgernn/files").iterdir())


@pytest.mark.parametrize(
    ("abis", "processors"),
    [
        ("armeabi-v7a,armeabi", ("armeabi-v7a", "armeabi")),  # 32 bits on a kernel of 64
        ("", ("x86_64",)),
    ],
)
def test_programs_are_chosen_by_androids_abis_where_it_tells_them(attach, abis, processors):
    loopback = attach()
    loopback.set_property("ro.product.cpu.abilist", abis)
    with open_device("android") as device:
        assert isinstance(device, RemoteDevice)
        assert device.processors == processors


def test_a_battery_that_is_low_is_a_caution(attach, artefact, edgernn, tmp_path):
    loopback = attach()
    dumped = loopback.root / "system/dumpsys/battery"
    text = dumped.read_text().replace("level: 84", "level: 9").replace("status: 2", "status: 3")
    dumped.write_text(text)
    assert "9 %, not charging" in edgernn("devices", "check", "android").out
    ran = edgernn(
        *("profile", artefact, "--device", "android", "-o", tmp_path / "r.json"),
        *("--processes", "1", *TIMED, "1ms"),
    )
    assert ran.code == 0, ran.err
    report = read_report(tmp_path / "r.json")
    assert Caution.BATTERY_LOW in {one.caution for one in cautions(report.cells[0], report)}


# What comes back


@pytest.mark.parametrize("has_gzip", [True, False])
def test_large_outputs_come_back_compressed_where_the_phone_can(
    attach, tmp_path, monkeypatch, has_gzip
):
    loopback = attach()
    if not has_gzip:
        (loopback.root / "system/bin/gzip").unlink()
    came: list[bytes] = []

    def noted(read: bytes) -> bytes:
        came.append(read)
        return unpacked(read)

    monkeypatch.setattr(remote, "unpacked", noted)
    content = bytes(500_000)
    (tmp_path / "outputs.bin").write_bytes(content)
    with open_device("android") as device:
        device.push(tmp_path / "outputs.bin", "outputs.bin")
        device.pull("outputs.bin", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content
    assert (len(came[0]) < 10_000) == has_gzip


def test_what_comes_back_damaged_is_not_used(attach, tmp_path, monkeypatch):
    attach()
    damaged = b"gzip\n" + gzip.compress(bytes(50_000))[:-9]
    monkeypatch.setattr(remote, "unpacked", lambda _: unpacked(damaged))
    (tmp_path / "outputs.bin").write_bytes(bytes(50_000))
    with open_device("android") as device:
        device.push(tmp_path / "outputs.bin", "outputs.bin")
        with pytest.raises(DeviceError, match="came back damaged"):
            device.pull("outputs.bin", tmp_path / "back")
    assert not (tmp_path / "back").exists()


# What runs there


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_program_that_dies_is_a_failure_that_names_the_signal(attach, artefact, how):
    loopback = attach()

    def kill() -> None:
        wait_until(lambda: is_timing(loopback))
        for pid in programs(loopback):
            os.kill(pid, how)

    killing = threading.Thread(target=kill)
    killing.start()
    task = TimeCalls(case=CASE, warm_up_s=0.001, min_time_s=20.0, period_ms=10.0)
    with open_device("android") as device:
        model = Model(path=artefact, backend="native")
        answer = NativeProgram().run(device, model, task, timeout_s=60)
    killing.join()
    assert isinstance(answer, Failed)
    assert answer.signal == how.name
    assert loopback.left_behind() == set()


def test_a_program_that_takes_too_long_is_killed(attach, artefact):
    loopback = attach()
    task = TimeCalls(case=CASE, warm_up_s=0.001, min_time_s=60.0, period_ms=10.0)
    with open_device("android") as device:
        model = Model(path=artefact, backend="native")
        answer = NativeProgram().run(device, model, task, timeout_s=1.0)
    assert isinstance(answer, Failed)
    assert "was not done after 1 s" in answer.reason
    assert not programs(loopback)


def test_ctrl_c_keeps_what_is_there_leaves_nothing_and_can_be_resumed(
    attach, artefact, edgernn, tmp_path
):
    loopback = attach()
    file = tmp_path / "r.json"
    arguments = [
        *("profile", str(artefact), "--device", "android", "-o", str(file)),
        *("--processes", "3", *TIMED, "1s"),
    ]
    program = (
        "import signal, sys\n"
        # A test run in the background of a script has SIGINT ignored, and its children too.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from edgernn.cli import main\n"
        "main()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(lambda: bool(runs_in(file)))
        wait_until(lambda: is_timing(loopback))
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 130, err
    assert "interrupted; what was measured is kept" in err
    wait_until(lambda: loopback.left_behind() == set())
    assert not programs(loopback)
    first = runs_in(file)
    assert 1 <= len(first) < 3
    ran = edgernn(*arguments, "--resume")
    assert ran.code == 0, ran.err
    runs = runs_in(file)
    assert len(runs) == 3
    assert runs[: len(first)] == first
