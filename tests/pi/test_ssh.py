"""ssh to a real sshd: what is run, pushed and pulled, and what is left when that goes wrong."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edgernn.devices import open_device, remote
from edgernn.devices.remote import RemoteDevice
from edgernn.devices.remote_shell import unpacked
from edgernn.devices.ssh import COMMAND_VARIABLE, SshLink
from edgernn.errors import ConnectionLost, DeviceError

pytestmark = pytest.mark.usefixtures("pi")

ODD = 'it\'s "odd" $HOME `x` \\ ; & *\tü'


def opened(destination: str) -> RemoteDevice:
    return RemoteDevice(SshLink(destination, name=destination))


def test_a_time_out_kills_the_command_and_all_that_it_started(pi, device):
    completed = device.run(["sh", "-c", "sleep 4321 & sleep 4321"], timeout_s=1.0)
    assert completed.timed_out
    assert not running(pi, "sleep 4321")
    assert device.run(["echo", "still here"], timeout_s=60).stdout == "still here\n"


def test_the_whole_session_is_one_connection(pi, device):
    log = pi.folder / "sshd.log"
    before = log.read_text().count("Accepted publickey")
    for _ in range(3):
        device.run(["true"], timeout_s=60)
    assert log.read_text().count("Accepted publickey") == before


def test_large_outputs_come_back_compressed(device, tmp_path, monkeypatch):
    # The shell here is busybox, which has gzip built in: see tests/android for targets without.
    came = []

    def noted(read):
        came.append(read)
        return unpacked(read)

    monkeypatch.setattr(remote, "unpacked", noted)
    (tmp_path / "outputs.bin").write_bytes(bytes(500_000))
    device.push(tmp_path / "outputs.bin", "outputs.bin")
    device.pull("outputs.bin", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == bytes(500_000)
    assert len(came[0]) < 10_000


def test_nothing_is_left_when_the_device_is_left(device, left_behind):
    assert left_behind() == {"lock", device.work.rpartition("/")[2]}
    device.__exit__(None, None, None)
    assert left_behind() == set()


def test_an_unknown_host_is_refused_with_the_command_that_adds_it():
    with pytest.raises(DeviceError, match="host key of pi@unknown is not known") as refused:
        opened("pi@unknown").__enter__()
    assert "edgernn devices add pi@unknown" in refused.value.remedy


def test_another_host_key_than_the_known_one_is_refused():
    with pytest.raises(DeviceError, match="a different host key than before"):
        opened("pi@impostor").__enter__()


def test_a_key_that_is_not_accepted_is_said_to_be_so():
    with pytest.raises(DeviceError, match="does not accept your key") as refused:
        opened("stranger@emulated").__enter__()
    assert "ssh-copy-id stranger@emulated" in refused.value.remedy


def test_a_server_that_takes_passwords_only_is_refused_without_a_question():
    with pytest.raises(DeviceError, match="accepts no keys, only password"):
        opened("passwords@emulated").__enter__()


def test_a_host_that_does_not_answer_is_unreachable():
    with pytest.raises(DeviceError, match="pi@nobody cannot be reached"):
        opened("pi@nobody").__enter__()


def test_a_host_that_says_nothing_for_long_is_unreachable(monkeypatch, tmp_path):
    silent = tmp_path / "ssh"
    silent.write_text("#!/bin/sh\nexec sleep 30\n")
    silent.chmod(0o755)
    monkeypatch.setattr(remote, "OPEN_TIMEOUT_S", 0.3)
    monkeypatch.setattr(remote, "CLOSING_S", 0.1)
    device = opened("pi@emulated")
    monkeypatch.setenv(COMMAND_VARIABLE, str(silent))
    with pytest.raises(DeviceError, match=r"cannot be reached: it gave no answer in 0\.3 s"):
        device.__enter__()


def test_an_address_that_ssh_would_take_for_an_option_is_refused():
    with pytest.raises(DeviceError, match="is not a host"):
        open_device("ssh:-oProxyCommand=touch@x")


def test_a_full_disk_is_named_and_nothing_half_written_stays(pi, tmp_path, left_behind):
    large = tmp_path / "large"
    large.write_bytes(os.urandom(1_000_000))
    with opened("cramped@emulated") as cramped:
        with pytest.raises(DeviceError, match="no space left"):
            cramped.push(large, "large")
        assert cramped.run(["ls"], timeout_s=60).stdout == ""
    assert left_behind("cramped") == set()
    digest = hashlib.sha256(large.read_bytes()).hexdigest()
    assert not list((pi.inside / "home/cramped/.cache/edgernn/files").glob(f"{digest}*"))


def test_a_program_of_another_processor_is_said_not_to_start(device, tmp_path):
    # An ELF header of a machine that nobody has (EM_M32), for which nothing is registered.
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x01\x00" + bytes(200)
    (tmp_path / "program").write_bytes(header)
    device.push(tmp_path / "program", "program")
    device.run(["chmod", "+x", "program"], timeout_s=60)
    with pytest.raises(DeviceError, match=r"cannot start \./program") as refused:
        device.run(["./program"], timeout_s=60)
    assert "aarch64" in refused.value.remedy


def test_a_lock_that_a_dead_one_left_is_taken_over(pi, left_behind):
    lock = pi.inside / "home/pi/.cache/edgernn/lock"
    lock.symlink_to("0123456789abcdef 99999 somebody@elsewhere")
    with opened("pi@emulated") as device:
        assert device.run(["true"], timeout_s=60).succeeded
    assert left_behind() == set()


def test_a_cut_connection_is_an_error_once_and_then_a_new_one(pi, device, tmp_path):
    (tmp_path / "file").write_bytes(os.urandom(10_000))
    device.push(tmp_path / "file", "file")
    first_work = device.work
    threading.Timer(1.0, cut, [pi]).start()
    with pytest.raises(ConnectionLost, match="the connection to pi was lost"):
        device.run(["sleep", "1234"], timeout_s=60)
    assert device.run(["ls"], timeout_s=60).stdout == ""  # reached again; the folder is a new one
    assert not running(pi, "sleep 1234")
    device.push(tmp_path / "file", "file")
    device.pull("file", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "file").read_bytes()
    assert device.work == first_work


def test_ctrl_c_kills_what_runs_there_and_leaves_nothing(pi, left_behind):
    program = (
        "import signal\n"
        "from edgernn.devices import open_device\n"
        # A test run in the background of a script has SIGINT ignored, and its children too.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with open_device('pi@emulated') as d: d.run(['sleep', '5678'], timeout_s=600)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    wait_until(lambda: running(pi, "sleep 5678"))
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=60) != 0
    wait_until(lambda: not running(pi, "sleep 5678") and left_behind() == set())


def test_even_a_killed_edgernn_leaves_nothing(pi, left_behind):
    program = (
        "from edgernn.devices import open_device\n"
        "with open_device('pi@emulated') as d: d.run(['sleep', '6789'], timeout_s=600)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    wait_until(lambda: running(pi, "sleep 6789"))
    child.kill()
    child.wait()
    wait_until(lambda: not running(pi, "sleep 6789") and left_behind() == set())


def test_a_device_that_is_named_twice_is_told_from_one_that_others_use(device):  # noqa: ARG001
    with pytest.raises(DeviceError, match="already in use by this profile under another name"):
        opened("pi@emulated").__enter__()


def cut(pi) -> None:
    """Kills the ends of all connections on the Pi's side, as a network that is gone would."""
    for pid in running(pi, "/usr/sbin/sshd"):
        if pid != pi._first_process():
            os.kill(pid, signal.SIGKILL)


def running(pi, words: str) -> list[int]:
    """Processes in the Pi's network whose command line holds these words."""
    mine = Path(f"/proc/{pi._first_process()}/ns/pid").readlink()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            inside = (folder / "ns/pid").readlink() == mine
            line = (folder / "cmdline").read_bytes() if inside else b""
        except OSError:  # it has ended meanwhile
            continue
        if words in line.replace(b"\0", b" ").decode(errors="replace"):
            found.append(int(folder.name))
    return found


def wait_until(true, *, timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)
