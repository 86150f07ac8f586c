"""`edgernn export` interrupted, or with a full disk: the folder is as it was, or complete."""

from __future__ import annotations

import errno
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgernn import errors
from edgernn.artefact import read_manifest
from edgernn.formats import FORMATS
from edgernn.interrupts import INTERRUPTED
from tests.edgernn.cli.exported import SMALL, names


class Interrupting:
    """Stands for progress on the terminal; presses Ctrl-C when the given phase begins."""

    def __init__(self, phase: str) -> None:
        self.phase = phase

    @contextmanager
    def __call__(self, first_phase: str, _callback: object = None):
        self.enter(first_phase)
        yield self.enter

    def enter(self, phase: str) -> None:
        if phase == self.phase:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    "phase", ["reading", "writing onnx", "checking onnx", "writing native", "checking native"]
)
def test_ctrl_c_in_any_phase_leaves_nothing(edgernn, tmp_path, monkeypatch, phase):
    monkeypatch.setattr("edgernn.front.loaded.progress_line", Interrupting(phase))
    ran = edgernn("export", SMALL, "-o", tmp_path / "out")
    assert ran.code == INTERRUPTED
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("after_ms", [0, 2, 20, 200])
def test_a_real_ctrl_c_while_files_are_made_leaves_nothing_or_all(tmp_path, after_ms):
    out = tmp_path / "new" / "out"
    with subprocess.Popen(
        [sys.executable, "-m", "edgernn", "export", SMALL, "-o", out],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not out.exists() and process.poll() is None:
            time.sleep(0.0001)
        time.sleep(after_ms / 1000)
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    # Python ends itself by the signal when the interrupt met code that exec was given as text (a
    # dataclass being made); a shell shows 130 for that, too.
    interrupted = (INTERRUPTED, -signal.SIGINT)
    if out.exists():  # on a busy machine the export may be faster than this test
        recorded = {artefact.name for artefact in read_manifest(out)}
        assert names(out) == {"model.json", *recorded}
        assert len(recorded) == len(FORMATS)
        assert process.returncode in (0, *interrupted)
        return
    assert process.returncode in interrupted
    assert err.strip() == "edgernn: interrupted; nothing was left half-written"
    assert names(tmp_path) == set()


def test_ctrl_c_while_files_are_handed_over_waits_until_they_all_are(
    edgernn, tmp_path, monkeypatch
):
    replace = Path.replace

    def interrupted_replace(self, target):
        signal.raise_signal(signal.SIGINT)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", interrupted_replace)
    ran = edgernn("export", SMALL, "-o", tmp_path / "out", "--no-verify")
    assert ran.code == INTERRUPTED
    recorded = {artefact.name for artefact in read_manifest(tmp_path / "out")}
    assert names(tmp_path / "out") == {"model.json", *recorded}
    assert len(recorded) == len(FORMATS)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_disk_that_is_full_while_files_are_handed_over_leaves_those_of_the_last_export(
    edgernn, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    assert edgernn("export", SMALL, "-o", out, "--no-verify").code == 0
    before = contents(out)
    replace = Path.replace

    def full_for_the_manifest(self, target):
        if target == out / "model.json" and self.suffix == ".json" and ".edgernn-" not in str(self):
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full_for_the_manifest)
    ran = edgernn("export", SMALL, "-o", out, "--labels", "a,b,c", "--no-verify")
    assert ran.code == errors.OutputError.code
    assert "model.json: No space left on device" in ran.err
    assert contents(out) == before
    assert names(out) == set(before)


def test_a_folder_in_the_place_of_one_artefact_keeps_all_from_being_written(edgernn, tmp_path):
    (tmp_path / "small_gru.tflite").mkdir()
    ran = edgernn("export", SMALL, "-o", tmp_path, "--no-verify")
    assert ran.code == errors.OutputError.code
    assert "small_gru.tflite: a folder of that name is there" in ran.err
    assert names(tmp_path) == {"small_gru.tflite"}


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    """A limit on the size of files makes the real write fail, as a full disk does."""

    def no_file_over_1000_bytes() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    ran = subprocess.run(
        [sys.executable, "-m", "edgernn", "export", SMALL, "-o", tmp_path / "out"],
        capture_output=True,
        text=True,
        preexec_fn=no_file_over_1000_bytes,
    )
    assert ran.returncode == errors.OutputError.code
    assert ran.stderr.startswith("edgernn: cannot write to")
    assert ran.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
