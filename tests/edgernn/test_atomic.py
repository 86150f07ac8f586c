"""A file is whole or absent, whatever happens while it is written."""

from __future__ import annotations

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
