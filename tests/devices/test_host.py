"""This machine as a device."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from edgernn.devices import open_device
from edgernn.devices.device import Completed
from edgernn.devices.host import HostDevice
from edgernn.devices.supervised import MEMORY_VARIABLE, memory_limit
from edgernn.errors import DeviceError


@pytest.fixture
def host():
    with HostDevice() as device:
        yield device


def test_a_command_gives_its_exit_code_and_both_streams(host):
    program = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    completed = host.run([sys.executable, "-c", program], timeout_s=60)
    assert completed == Completed(exit_code=3, stdout="out\n", stderr="err\n")
    assert not completed.succeeded


def test_a_crash_is_a_value_that_names_the_signal(host):
    program = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    completed = host.run([sys.executable, "-c", program], timeout_s=60)
    assert completed.signal == "SIGSEGV"
    assert completed.exit_code is None


def test_a_time_out_ends_the_process_and_all_that_it_started(host):
    grandchild = "import time; time.sleep(20); print('survived')"
    program = (
        "import subprocess, sys, time;"
        f"subprocess.Popen([sys.executable, '-c', {grandchild!r}]);"
        "time.sleep(600)"
    )
    completed = host.run([sys.executable, "-c", program], timeout_s=1.0)
    # The grandchild shares our pipe: were it alive, we would have waited for its word.
    assert completed.timed_out
    assert completed.exit_code is None
    assert completed.stdout == ""


def test_a_child_may_take_a_limited_amount_of_memory(host, monkeypatch):
    monkeypatch.setenv(MEMORY_VARIABLE, str(1 << 30))
    completed = host.run([sys.executable, "-c", "bytes(3 << 30)"], timeout_s=60)
    assert completed.exit_code == 1
    assert "MemoryError" in completed.stderr
    assert host.run([sys.executable, "-c", "bytes(100 << 20)"], timeout_s=60).succeeded


def test_without_a_wish_the_limit_is_between_4_and_8_gib(monkeypatch):
    monkeypatch.delenv(MEMORY_VARIABLE, raising=False)
    assert 4 << 30 <= memory_limit() <= 8 << 30


def test_a_child_may_take_a_limited_amount_of_processor_time(host):
    program = "import resource; print(*resource.getrlimit(resource.RLIMIT_CPU))"
    completed = host.run([sys.executable, "-c", program], timeout_s=30)
    assert completed.stdout.split() == [str(40 * (os.cpu_count() or 1))] * 2


def test_a_child_reads_nothing_and_leaves_nothing_running(host):
    grandchild = "import time; time.sleep(60)"
    program = (
        "import subprocess, sys;"
        "nothing = subprocess.DEVNULL;"
        f"child = subprocess.Popen([sys.executable, '-c', {grandchild!r}], stdout=nothing,"
        " stderr=nothing); print(child.pid, repr(sys.stdin.read()))"
    )
    completed = host.run([sys.executable, "-c", program], timeout_s=30)
    pid, read = completed.stdout.split()
    assert read == "''"
    deadline = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(pid)


def is_running(pid: str) -> bool:
    """Also false for one that has ended and that nobody asked for its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_is_pushed_can_be_read_there_and_pulled_back(host, tmp_path):
    here = tmp_path / "with 'quotes' and spaces"
    here.write_bytes(b"content")
    host.push(here, "there")
    completed = host.run([sys.executable, "-c", "print(open('there').read())"], timeout_s=60)
    assert completed.stdout == "content\n"
    host.pull("there", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"content"


def test_the_working_directory_is_gone_afterwards():
    with HostDevice() as device:
        completed = device.run([sys.executable, "-c", "import os; print(os.getcwd())"], timeout_s=9)
        folder = Path(completed.stdout.strip())
        assert folder.is_dir()
    assert not folder.exists()


def test_a_device_that_was_not_entered_says_so():
    with pytest.raises(RuntimeError, match="enter the device first"):
        HostDevice().run(["true"], timeout_s=1)


def test_pulling_what_is_not_there_is_a_device_error(host, tmp_path):
    with pytest.raises(DeviceError, match="nothing"):
        host.pull("nothing", tmp_path / "x")


def test_a_program_that_is_not_there_is_a_device_error(host):
    with pytest.raises(DeviceError, match="no-such-program"):
        host.run(["no-such-program"], timeout_s=1)


def test_an_unknown_device_is_refused_with_a_guess():
    with pytest.raises(DeviceError, match="Did you mean 'cpu'"):
        open_device("cpuu")
    with pytest.raises(DeviceError, match="Known are: cpu"):
        open_device("toaster")


def test_another_interpreter_of_this_machine_can_be_named(tmp_path):
    link = tmp_path / "python-of-another-environment"
    link.symlink_to(sys.executable)
    with open_device(f"cpu:{link}") as device:
        assert device.name == f"cpu:{link}"
        assert device.python is not None
        completed = device.run(
            [*device.python, "-c", "import sys; print(sys.executable)"], timeout_s=60
        )
    assert completed.stdout == f"{link}\n"


def test_an_interpreter_that_is_not_there_is_refused():
    with pytest.raises(DeviceError, match="there is no Python at /no/such/python"):
        open_device("cpu:/no/such/python")
