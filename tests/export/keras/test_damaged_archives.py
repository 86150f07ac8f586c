"""Archives that are damaged or claim more than they hold: refused before memory is taken."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import h5py
import pytest

from edgernn.errors import ModelFileError
from edgernn.export.keras.file import read_model
from tests.export.keras.archives import (
    KERAS_3,
    LEGACY,
    input_layer,
    layer,
    ramp,
    sequential,
)

SEQUENCE = input_layer("x", [None, 5, 2])


def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path):
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": KERAS_3}))
        archive.writestr("config.json", json.dumps(sequential(SEQUENCE, layer("Flatten", "f"))))
        archive.writestr("model.weights.h5", bytes(100 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(ModelFileError, match="claims to unpack"):
        read_model(path)


def test_an_array_that_claims_more_than_the_file_holds_is_refused(tmp_path):
    """Many names for one place in the file: each is whole, together they are too much."""
    path = tmp_path / "m.h5"
    count = 200
    layers = [layer("Dense", f"d{n}", units=256, use_bias=False) for n in range(count)]
    config = sequential(input_layer("x", [None, 256]), *layers)
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.8.0"
        file.attrs["model_config"] = json.dumps(config)
        array = file.create_dataset("array", data=ramp(256, 256))
        for n in range(count):
            group = file.create_group(f"model_weights/d{n}")
            group["kernel"] = array
            group.attrs["weight_names"] = [b"kernel"]
    with pytest.raises(ModelFileError, match="more than the file can hold"):
        read_model(path)


def test_an_archive_without_its_parts_is_refused(tmp_path):
    for missing in ("config.json", "metadata.json", "model.weights.h5"):
        path = tmp_path / f"{missing}.keras"
        with (
            zipfile.ZipFile(LEGACY / "text-3.0.5.keras") as source,
            zipfile.ZipFile(path, "w") as archive,
        ):
            for name in source.namelist():
                if name != missing:
                    archive.writestr(name, source.read(name))
        with pytest.raises(ModelFileError, match=missing):
            read_model(path)


def test_a_wrong_bit_in_the_weights_is_noticed(tmp_path):
    path = tmp_path / "m.keras"
    shutil.copy(LEGACY / "text-3.0.5.keras", path)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        middle = archive.getinfo("model.weights.h5")
    content[middle.header_offset + middle.file_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="checksum"):
        read_model(path)


@pytest.mark.parametrize("name", ["text-3.0.5.keras", "text-2.8.0.h5"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.995])
def test_a_truncated_file_is_refused(tmp_path, name, share):
    content = (LEGACY / name).read_bytes()
    path = Path(tmp_path) / name
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelFileError) as refusal:
        read_model(path)
    assert refusal.value.remedy
