"""Label tracks of Audacity beside recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgernn.errors import DataError
from edgernn.tasks.label_tracks import Event, read_label_tracks


def recordings(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_bytes(b"")  # the sound is read later
    return folder


def test_a_track_is_read_as_audacity_writes_it(tmp_path: Path) -> None:
    """With the frequencies of a label in a line of their own, and a mark of UTF-8 in front."""
    folder = recordings(tmp_path, "validation/a.wav", "test/b.wav")
    track = "\ufeff3.250000\t3.900000\tyes\n\\\t120.0\t3400.0\n0.500000\t1.000000\toh no\r\n\n"
    (folder / "test" / "b.txt").write_text(track, encoding="utf-8", newline="")
    read = read_label_tracks(folder)
    assert read.validation[0].events == ()
    assert read.test[0].events == (
        Event(start_s=0.5, end_s=1.0, label="oh no"),
        Event(start_s=3.25, end_s=3.9, label="yes"),
    )
    assert read.labels == ("oh no", "yes")


def test_without_two_folders_every_second_recording_validates(tmp_path: Path) -> None:
    folder = recordings(tmp_path, "c.wav", "a.wav", "deep/b.wav", "e.wav", ".hidden.wav", "f.mp3")
    read = read_label_tracks(folder)
    assert [one.path.name for one in read.validation] == ["a.wav", "deep/b.wav"[5:]]
    assert [one.path.name for one in read.test] == ["c.wav", "e.wav"]


@pytest.mark.parametrize("names", [(), ("a.wav",), ("validation/a.wav", "test/notes.txt")])
def test_too_few_recordings_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    folder = recordings(tmp_path, *names)
    with pytest.raises(DataError, match=r"wav files for a validation and a test.*Make folders"):
        read_label_tracks(folder)


def test_one_of_the_two_folders_alone_is_refused(tmp_path: Path) -> None:
    """A misspelt one would let recordings of the test choose the threshold."""
    folder = recordings(tmp_path, "validation/a.wav", "tests/b.wav", "tests/c.wav")
    with pytest.raises(DataError, match="has a folder validation and none named test"):
        read_label_tracks(folder)


def test_a_track_without_its_recording_is_refused_and_another_text_is_not(tmp_path: Path) -> None:
    folder = recordings(tmp_path, "a.wav", "b.wav")
    (folder / "licence.txt").write_text("Free for all.\n")
    assert len(read_label_tracks(folder).test) == 1
    (folder / "Labels 1.txt").write_text("0.5\t1.0\tyes\n")
    with pytest.raises(DataError, match=r"Labels 1\.txt is a label track without a recording"):
        read_label_tracks(folder)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("1.0 2.0 yes", "line 2: a line is a start and an end in seconds and a label"),
        ("1.0\t2.0", "a line is a start and an end"),
        ("one\ttwo\tyes", "a line is a start and an end"),
        ("2.0\t1.0\tyes", "an end that is not before it"),
        ("-1\t1.0\tyes", "Give a start from 0 on"),
        ("nan\t1.0\tyes", "Give a start from 0 on"),
        ("0\tinf\tyes", "Give a start from 0 on"),
        ("0\t1\t ", "and a label"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str, match: str) -> None:
    folder = recordings(tmp_path, "a.wav", "b.wav")
    (folder / "a.txt").write_text(f"0\t1\tyes\n{line}\n")
    with pytest.raises(DataError, match=match):
        read_label_tracks(folder)


def test_a_track_that_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = recordings(tmp_path, "a.wav", "b.wav")
    (folder / "b.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"b\.txt is no label track"):
        read_label_tracks(folder)
