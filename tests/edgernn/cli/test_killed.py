"""`kill -9` of a command at any moment: no process stays, and the next run removes its folders."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from edgernn.front.loaded import load
from tests.golden import GOLDEN

SMALL = GOLDEN / "small_gru.keras"
PROFILE = ("--device", "cpu", "--processes", "1", "--min-time", "50ms")


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory) -> Path:
    return load(SMALL).export(tmp_path_factory.mktemp("made") / "out", to=["onnx", "native"]).folder


def start(words, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "edgernn", *map(str, words)],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def running_in(folder: Path) -> list[str]:
    """The command lines of running processes that have the folder as TMPDIR."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is not ours
            variables = (process / "environ").read_bytes().split(b"\0")
            if f"TMPDIR={folder}".encode() in variables:
                found.append((process / "cmdline").read_text().replace("\0", " ")[:200])
    return found


def require_end(folder: Path, when: str) -> None:
    deadline = time.monotonic() + 5
    while running_in(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running_in(folder), when


def check(artefacts: Path, tmp_path: Path, shares) -> None:
    folder, out = tmp_path / "tmp", tmp_path / "reports"
    folder.mkdir()
    out.mkdir()
    words = ["profile", artefacts, *PROFILE, "-o", out / "report.json"]
    began = time.monotonic()
    assert start(words, folder).wait() == 0
    whole_s = time.monotonic() - began
    assert not list(folder.glob("edgernn-*"))
    left = 0
    for share in shares:
        child = start(words, folder)
        try:
            child.wait(share * whole_s)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        child.wait()
        require_end(folder, f"killed after {share:.0%} of {whole_s:.1f} s")
        left += len(list(folder.glob("edgernn-*")))
        (out / "report.json").unlink(missing_ok=True)
    assert left, "at no moment was a folder there"
    assert start(words, folder).wait() == 0
    assert not list(folder.glob("edgernn-*"))
    assert [path.name for path in out.iterdir()] == ["report.json"]


def test_profile_killed_at_three_moments_leaves_no_process_and_then_no_folder(artefacts, tmp_path):
    check(artefacts, tmp_path, [0.5, 0.7, 0.9])


@pytest.mark.long
def test_profile_killed_at_twenty_moments_leaves_no_process_and_then_no_folder(artefacts, tmp_path):
    check(artefacts, tmp_path, [(moment + 0.5) / 20 for moment in range(20)])


def test_an_export_that_was_killed_leaves_nothing_after_the_next(tmp_path):
    folder, out = tmp_path / "tmp", tmp_path / "out"
    folder.mkdir()
    words = ["export", SMALL, "-o", out, "--to", "onnx,native"]
    child = start(words, folder)
    deadline = time.monotonic() + 60
    while not list(out.glob(".edgernn-*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert list(out.glob(".edgernn-*"))
    require_end(folder, "killed while it exported")
    assert start(words, folder).wait() == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "model.json",
        "small_gru.ernn",
        "small_gru.onnx",
    ]
    assert not list(folder.glob("edgernn-*"))


def test_a_payload_that_never_ends_dies_with_its_parent(tmp_path):
    program = (
        "from edgernn.devices.host import HostDevice; import sys\n"
        "with HostDevice() as device:\n"
        "    device.run([sys.executable, '-c', 'while True: pass'], timeout_s=600)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    deadline = time.monotonic() + 30
    while not any(line.endswith("-c while True: pass ") for line in running_in(tmp_path)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    require_end(tmp_path, "killed while its child computed")
