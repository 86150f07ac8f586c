"""A file is whole or absent, whatever happens while it is written."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from edgernn import atomic
from edgernn.errors import OutputError


def test_what_is_written_is_there_and_nothing_else(tmp_path):
    atomic.write_bytes(tmp_path / "new" / "model.onnx", b"whole")
    assert (tmp_path / "new" / "model.onnx").read_bytes() == b"whole"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("accident", [KeyboardInterrupt, ValueError])
def test_an_accident_leaves_the_old_file_as_it_was(tmp_path, accident):
    target = tmp_path / "model.onnx"
    target.write_bytes(b"old")
    with pytest.raises(accident), atomic.staged(target) as temporary:  # noqa: PT012
        temporary.write_bytes(b"half")
        raise accident
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"cannot write .*model.onnx.*Choose another folder"):
        atomic.write_bytes(tmp_path / "file" / "model.onnx", b"")


def test_a_full_disk_is_one_clear_error_and_leaves_nothing():
    target = Path("/dev/full")
    if not target.exists():
        pytest.skip("/dev/full is a Linux device")
    with (
        pytest.raises(OutputError, match="No space left"),
        atomic.staged(Path("/dev/shm/edgernn-test.bin")),
    ):
        target.write_bytes(b"x" * 10)
    assert not Path("/dev/shm/edgernn-test.bin").exists()


@pytest.fixture
def folder(tmp_path):
    """An earlier a and c, and three new files that lie ready."""
    (tmp_path / "a").write_text("old a")
    (tmp_path / "c").write_text("old c")
    (tmp_path / "ready").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "ready" / name).write_text(f"new {name}")
    return tmp_path


def ready(folder):
    return {folder / name: folder / "ready" / name for name in ("a", "b", "c")}


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_several_files_appear_together_and_others_go(folder):
    (folder / "d").write_text("old d")
    atomic.replace_together(ready(folder), gone=[folder / "d", folder / "never there"])
    assert contents(folder) == {"a": "new a", "b": "new b", "c": "new c"}
    assert [path.name for path in folder.iterdir() if path.is_dir()] == ["ready"]


@pytest.mark.parametrize("linked", [True, False], ids=["hard links", "no hard links"])
@pytest.mark.parametrize("failing", ["a", "b", "c", "d"])
def test_when_one_file_fails_all_are_as_before(folder, monkeypatch, failing, linked):
    (folder / "d").write_text("old d")
    before = contents(folder)
    replace, unlink = Path.replace, Path.unlink

    def full(self, *arguments, **more):
        if self == folder / "ready" / failing or (failing == "d" and self == folder / "d"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return (unlink if not arguments else replace)(self, *arguments, **more)

    def unknown(_self, _target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "replace", full)
    monkeypatch.setattr(Path, "unlink", full)
    if not linked:
        monkeypatch.setattr(Path, "hardlink_to", unknown)
    with pytest.raises(OutputError, match=rf"cannot write .*/{failing}: No space left"):
        atomic.replace_together(ready(folder), gone=[folder / "d"])
    assert contents(folder) == before
    assert [path.name for path in folder.iterdir() if path.is_dir()] == ["ready"]


def test_a_folder_in_the_place_of_one_file_stops_all(folder):
    (folder / "c").unlink()
    (folder / "c").mkdir()
    with pytest.raises(OutputError, match=r"/c: a folder of that name is there"):
        atomic.replace_together(ready(folder))
    assert contents(folder) == {"a": "old a"}
    assert (folder / "c").is_dir()


def test_files_that_are_staged_together_take_effect_together(tmp_path):
    paths = [tmp_path / name for name in ("a", "b")]
    with pytest.raises(ValueError, match="half"), atomic.staged_together(paths) as (a, _):  # noqa: PT012
        a.write_text("whole")
        raise ValueError("half")
    assert list(tmp_path.iterdir()) == []
    with atomic.staged_together(paths) as (a, b):
        a.write_text("1")
        b.write_text("2")
    assert contents(tmp_path) == {"a": "1", "b": "2"}
