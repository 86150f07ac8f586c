"""What somebody puts in the place of a file: none of it hangs a reader or ends in a traceback."""

from __future__ import annotations

import io
import os
import struct
import time
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgernn.artefact import read_manifest
from edgernn.errors import DataError, EdgernnError, ModelFileError
from edgernn.export.contents import read_contents
from edgernn.export.examples import _named_arrays
from edgernn.export.keras.file import read_model
from edgernn.profile.budget import read_budget
from edgernn.profile.candidates import find_candidates
from edgernn.profile.storage import read_report
from edgernn.regular_file import opened, read_json, read_text, read_toml
from edgernn.runtime import Model
from edgernn.tasks.given import as_samples
from edgernn.tasks.npz import read_npz
from edgernn.tasks.recordings import read_recordings
from edgernn.tasks.table import read_csv
from edgernn.tasks.training_log import read_log

#: Each reader of a file, with a name that leads to it.
READERS: dict[str, Callable[[Path], object]] = {
    "gru.keras": read_model,
    "gru.h5": read_model,
    "gru.ernn": Model,
    "gru.onnx": read_contents,
    "gru.tflite": read_contents,
    "rows.npz": read_npz,
    "several.npz": lambda path: _named_arrays(str(path)),
    "given.npz": lambda path: as_samples(str(path)),
    "rows.csv": read_csv,
    "budget.toml": read_budget,
    "report.json": read_report,
    "gru.train.json": read_log,
    "model.json": lambda path: read_manifest(path.parent),
    "bare.ernn": lambda path: find_candidates([path]),
    "a/a.wav": lambda path: read_recordings(path.parent.parent),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_a_typed_error_at_once(tmp_path, name, kind):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case _:
            path.mkdir()
    began = time.monotonic()
    with pytest.raises(EdgernnError):
        READERS[name](path)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("read", [read_json, read_toml])
@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe{}", b"[" * 200_000, b'{"a":' * 100_000, b"x = " + b"[" * 200_000],
    ids=["not UTF-8", "brackets", "objects", "tables"],
)
def test_text_that_is_not_utf8_or_nested_deeply_is_a_value_error(tmp_path, read, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=r"UTF-8|nested|Expecting|Invalid|Expected"):
        read(tmp_path / "file")


def test_a_file_beyond_the_limit_is_refused_unread(tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="1,099,511,627,776 bytes, allowed are"):
        read_text(tmp_path / "large")
    with opened(tmp_path / "large", at_most=1 << 40) as file:
        assert file.read(1) == b"\0"


@pytest.mark.parametrize("name", ["model.json", "report.json", "gru.train.json"])
@pytest.mark.parametrize("content", [b"\xff", b"[" * 200_000, b"1e400", b'{"version": 1e400}'])
def test_a_document_that_is_damaged_is_a_typed_error(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EdgernnError):
        READERS[name](tmp_path / name)


def test_an_artefact_without_files_is_no_artefact(tmp_path):
    manifest = (
        b'{"version": 1, "artefacts": [{"model": "m", "backend": "onnx", "scheme": "float32",'
        b' "files": [], "inputs": [], "outputs": [], "states": []}]}'
    )
    (tmp_path / "model.json").write_bytes(manifest)
    with pytest.raises(ModelFileError, match="an artefact has no files"):
        read_manifest(tmp_path)


def recording(path: Path, rate_hz: int) -> None:
    path.parent.mkdir(exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(3_000))
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", rate_hz)
    path.write_bytes(content)


def test_a_recording_of_two_billion_samples_a_second_is_refused_at_once(tmp_path):
    recording(tmp_path / "yes" / "a.wav", (1 << 31) - 1)
    began = time.process_time()
    with pytest.raises(DataError, match="claims 2147483647 samples a second"):
        read_recordings(tmp_path)
    assert time.process_time() - began < 2


def npz_with(path: Path, member: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", member)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 4), }", "not the size"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4), }", "not the size"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "pickled"),
        ("{'descr': [[]], 'fortran_order': False, 'shape': (1,), }", "Error"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, ", "Error"),
        ("[" * 3000, "Error"),
    ],
)
def test_an_array_that_is_not_what_its_header_says_is_refused_before_memory_is_taken(
    tmp_path, header, why
):
    text = header.encode()
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text))
    npz_with(tmp_path / "x.npz", start + text + bytes(16))
    with pytest.raises(DataError, match=why):
        read_npz(tmp_path / "x.npz")
    with pytest.raises(DataError, match=why):
        _named_arrays(str(tmp_path / "x.npz"))


def test_a_wrong_checksum_of_an_array_is_noticed(tmp_path):
    packed = io.BytesIO()
    np.savez(packed, x=np.ones((3, 4, 5), np.float32))
    content = bytearray(packed.getvalue())
    content[200] ^= 1
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError, match="CRC"):
        read_npz(tmp_path / "x.npz")
