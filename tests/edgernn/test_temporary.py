"""Temporary folders of dead processes go, those of the living stay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from edgernn.temporary import TemporaryFolder, remove_abandoned, temporary_file

MAKE = (
    "import sys, time; from pathlib import Path;"
    "from edgernn.temporary import TemporaryFolder, temporary_file;"
    "folder = TemporaryFolder(parent=Path(sys.argv[1]));"
    "file = temporary_file(Path(sys.argv[1]) / 'report.json');"
    "(folder.path / 'inside').write_bytes(b'x');"
    "print('made', flush=True); time.sleep(600)"
)


def another(folder):
    child = subprocess.Popen(
        [sys.executable, "-c", MAKE, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "made\n"
    return child


def end(child):
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()


def test_a_folder_is_gone_after_its_block_and_stays_while_it_runs(tmp_path):
    with TemporaryFolder(parent=tmp_path) as folder:
        remove_abandoned(tmp_path)
        assert folder.is_dir()
        (folder / "file").write_bytes(b"x")
    assert not list(tmp_path.iterdir())


def test_the_next_run_removes_what_a_killed_one_left_and_nothing_else(tmp_path):
    others = [
        tmp_path / name
        for name in ("edgernn-notes", "mine", "edgernn-2026-11-29", ".report.json-2026-11-29.txt")
    ]
    for folder in others:
        folder.mkdir()
    killed, alive = another(tmp_path), another(tmp_path)
    try:
        assert len(list(tmp_path.iterdir())) == 8
        end(killed)
        with TemporaryFolder(parent=tmp_path):
            names = [path.name for path in tmp_path.iterdir()]
            assert not [name for name in names if name.startswith(f"edgernn-{killed.pid}-")]
            assert [name for name in names if f"-{alive.pid}-" in name]
        temporary_file(tmp_path / "report.json").remove()
        names = [path.name for path in tmp_path.iterdir()]
        assert not [name for name in names if f"-{killed.pid}-" in name]
        assert len([name for name in names if f"-{alive.pid}-" in name]) == 2
        assert all(folder.is_dir() for folder in others)
    finally:
        end(alive)


def test_a_folder_whose_owner_we_cannot_see_is_known_by_its_lock(tmp_path, monkeypatch):
    """As of another container with the same /tmp: its process ids are not ours."""
    alive = another(tmp_path)
    try:
        monkeypatch.setattr("edgernn.temporary._is_alive", lambda _pid: False)
        remove_abandoned(tmp_path)
        assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1
    finally:
        end(alive)


def test_a_link_of_such_a_name_is_not_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(b"x")
    dead = subprocess.Popen(["true"])
    dead.wait()
    (tmp_path / f"edgernn-{dead.pid}-abcdefgh").symlink_to(tmp_path / "real")
    remove_abandoned(tmp_path)
    assert (tmp_path / "real" / "file").exists()
    assert os.path.lexists(tmp_path / f"edgernn-{dead.pid}-abcdefgh")
