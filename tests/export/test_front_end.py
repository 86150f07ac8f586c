"""The recipe of a model's features goes into every artefact, with what it gives for known sound."""

from __future__ import annotations

import json
import wave
import zlib
from pathlib import Path

import numpy as np
import pytest

import edgernn
from edgernn.artefact import read_manifest
from edgernn.errors import DataError, ModelFileError
from edgernn.export.contents import read_contents
from edgernn.recipe import keep_recipe, preset, recipe_of_text
from edgernn.runtime.audio import features_of
from tests.golden import GOLDEN

SMALL = GOLDEN / "small_gru.keras"
FEATURES = edgernn.load(SMALL).inputs
(SHAPE,) = FEATURES.values()
NAME = f"kaldi-fbank{SHAPE[-1]}@8000"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    edgernn.load(SMALL).export(folder, front_end=NAME, verify=False)
    return folder


def noise(samples: int) -> np.ndarray:
    """The known sound, by the sentence in its documentation."""
    values, state = [], 1
    for _ in range(samples):
        state = (1103515245 * state + 12345) & 0x7FFFFFFF
        values.append(state // 131072 - 8192)
    return np.array(values, np.int16)


@pytest.mark.parametrize("suffix", ["onnx", "tflite", "ernn"])
def test_every_artefact_carries_the_recipe_and_its_check_value(suffix: str, folder: Path) -> None:
    metadata = read_contents(folder / f"small_gru.{suffix}").metadata
    recipe = recipe_of_text(metadata["front_end"], where=suffix)
    assert recipe == preset(NAME)
    check = json.loads(metadata["front_end_check"])
    rows = features_of(noise(check["samples"]), recipe)
    assert len(rows) == check["rows"] == 20
    assert zlib.crc32(rows.astype("<f4").tobytes()) == check["crc32"]
    assert np.allclose(rows[0], check["first_row"], rtol=1e-6)


def test_the_manifest_and_the_native_file_carry_it(folder: Path) -> None:
    assert {artefact.front_end for artefact in read_manifest(folder)} == {preset(NAME)}
    assert edgernn.Model(folder / "small_gru.ernn").front_end == preset(NAME)


def test_a_manifest_with_a_newer_recipe_is_refused(tmp_path: Path, folder: Path) -> None:
    manifest = json.loads((folder / "model.json").read_text())
    manifest["artefacts"][0]["front_end"]["version"] = 3
    (tmp_path / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelFileError, match="the recipe of sound has format 3"):
        read_manifest(tmp_path)


def test_the_recipe_in_the_keras_file_is_taken_and_another_one_wins(tmp_path: Path) -> None:
    model = tmp_path / "words.keras"
    model.write_bytes(SMALL.read_bytes())
    keep_recipe(model, preset(NAME))
    loaded = edgernn.load(model)
    made = loaded.export(tmp_path / "a", to="native", verify=False)
    assert made.artefacts[0].front_end == preset(NAME)
    other = f"tf-mel{SHAPE[-1]}@16000"
    made = loaded.export(tmp_path / "b", to="native", verify=False, front_end=other)
    assert made.artefacts[0].front_end == preset(other)


def test_a_recipe_of_another_width_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no input of rows with 64 features, as its front end"):
        edgernn.load(SMALL).export(tmp_path / "out", front_end="kaldi-fbank64@16000")
    assert not (tmp_path / "out").exists()


def test_calibration_and_profile_read_recordings_with_the_models_recipe(
    tmp_path: Path,
) -> None:
    pytest.importorskip("soundfile")
    rng = np.random.default_rng(0)
    for label in ("no", "other", "yes"):
        for number in range(6):
            path = tmp_path / "words" / label / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            with wave.open(str(path), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(48000)  # the recipe has 8000: about 8 rows
                samples = rng.standard_normal(4700) * 3000 * (1 + (label == "yes"))
                file.writeframes(samples.astype("<i2").tobytes())
    words = str(tmp_path / "words")
    made = edgernn.load(SMALL).export(
        tmp_path / "int8",
        to="native",
        scheme="int8",
        calibrate=words,
        front_end=NAME,
        labels=["no", "other", "yes"],
    )
    assert made.artefacts[0].front_end == preset(NAME)
    report = made.profile(data=words)
    assert "18 test rows" in str(report)
