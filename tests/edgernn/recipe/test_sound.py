"""Recipes as values, as JSON, by name and from .toml files."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from edgernn.errors import DataError, ModelFileError
from edgernn.export.keras.file import read_model
from edgernn.recipe import (
    FAMILIES,
    SoundRecipe,
    front_end_named,
    keep_recipe,
    preset,
    recipe_of_text,
    recipe_text,
)
from tests.golden import GOLDEN

FBANK = preset("kaldi-fbank40@16000")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("rate_hz", [8000, 16000, 48000])
def test_a_recipe_comes_back_from_its_text(family: str, rate_hz: int) -> None:
    recipe = preset(f"{family}20@{rate_hz}")
    assert recipe.width == 20
    assert recipe.rate_hz == rate_hz
    assert recipe_of_text(recipe_text(recipe), where="x.ernn") == recipe
    normalized = replace(recipe, add=(1.5,) * 20, multiply=(0.1,) * 20)
    assert recipe_of_text(recipe_text(normalized), where="x.ernn") == normalized


@pytest.mark.parametrize(
    ("change", "saying"),
    [
        (
            {"version": 3},
            "x.ernn: the recipe of sound has format 3; this edgernn reads up to 2. Update",
        ),
        ({"kind": "text"}, "is of the kind 'text', not sound"),
        ({"delta": True}, "a recipe of sound has no 'delta'"),
        ({"rate_hz": "16000"}, "rate_hz is '16000'. It must be of the type int"),
        ({"scale": float("nan")}, "scale is nan. It must be -100000 to 100000"),
        ({"fft_samples": 500}, "fft_samples is 500. It must be a power of two"),
        ({"window_samples": 600}, "window_samples is 600. It must be 1 to fft_samples"),
        ({"window": "kaiser"}, "window is 'kaiser'. It must be one of povey, hann"),
        (
            {"highest_hz": 9000.0},
            "the recipe's filters go from 20 to 9000 Hz. lowest_hz and highest",
        ),
        ({"add": [1.0]}, "the recipe's add has 1 numbers, a row 40"),
        ({"coefficients": 41}, "coefficients is 41. It must be at most the bins"),
        ({"floor": 0.0}, "floor is 0.0. It must be above 0 where log_add is 0"),
    ],
    ids=str,
)
def test_a_recipe_that_cannot_be_computed_is_refused(
    change: dict[str, object], saying: str
) -> None:
    text = json.dumps(FBANK.as_json() | change)
    with pytest.raises(DataError) as error:
        recipe_of_text(text, where="x.ernn")
    assert saying in str(error.value)


@pytest.mark.parametrize(
    ("field", "value"), [("scale", 10**400), ("add", [1, 10**400])], ids=["scale", "add"]
)
def test_a_whole_number_that_no_float_is_near_is_refused(field: str, value: object) -> None:
    text = json.dumps(FBANK.as_json() | {field: value})
    with pytest.raises(DataError, match=rf"{field} is .*It must be of the type"):
        recipe_of_text(text, where="x.ernn")


@pytest.mark.parametrize("text", ["", "[]", "7", "{", '{"rate_hz": 8000}', "[[1, 2]]"])
def test_damaged_text_is_refused_with_the_files_name(text: str) -> None:
    with pytest.raises(DataError, match=r"^x\.ernn: the recipe"):
        recipe_of_text(text, where="x.ernn")


@pytest.mark.parametrize(
    ("name", "saying"),
    [
        ("kaldi-fbnk40@16000", "Did you mean kaldi-fbank40@16000"),
        ("kaldi-fbank40", "A preset is NAME@RATE"),
        ("kaldi-fbank40@0", "rate_hz is 0"),
        ("whisper", "there is no front end 'whisper'"),
    ],
)
def test_a_name_that_is_none_is_refused(name: str, saying: str) -> None:
    with pytest.raises(DataError, match=saying):
        front_end_named(name)


def test_a_toml_file_changes_a_preset(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('preset = "kaldi-fbank40@16000"\nbins = 64\nscale = 32768.0\n')
    assert front_end_named(str(path)) == replace(FBANK, bins=64, scale=32768.0, name="mine")
    path.write_text("rate_hz = 8000\nwindow_samples = 200\nhop_samples = 80\nfft_samples = 256\n")
    assert front_end_named(str(path)).width == 40


@pytest.mark.parametrize(
    ("content", "saying"),
    [
        ("bins = ", "is not a TOML file"),
        ("bins = 40\n", "recipe of sound has no rate_hz, window_samples, hop_samples, fft_samples"),
        ('preset = "kaldi"\n', "there is no front end 'kaldi'"),
        ('preset = "kaldi-fbank40@8000"\nmels = 3\n', "a recipe of sound has no 'mels'"),
        (None, "cannot read"),
    ],
)
def test_a_toml_file_that_is_no_recipe_is_refused(
    content: str | None, saying: str, tmp_path: Path
) -> None:
    path = tmp_path / "recipe.toml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=r"recipe\.toml") as error:
        front_end_named(str(path))
    assert saying in str(error.value)


def model_with(tmp_path: Path, content: str) -> Path:
    model = tmp_path / "gru.keras"
    model.write_bytes((GOLDEN / "small_gru.keras").read_bytes())
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr("edgernn.json", content)
    return model


def test_a_keras_file_keeps_its_recipe_and_is_read_by_keras(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = tmp_path / "gru.keras"
    model.write_bytes((GOLDEN / "small_gru.keras").read_bytes())
    assert read_model(model).front_end is None
    keep_recipe(model, FBANK)
    assert read_model(model).front_end == FBANK
    assert keras.saving.load_model(model).count_params() == read_model(model).graph.parameters


@pytest.mark.parametrize(
    ("content", "saying"),
    [
        ("{", "its edgernn.json is damaged"),
        ("[]", "its edgernn.json is damaged"),
        ('{"version": 1, "front_end": {"kind": "sound", "version": 9}}', "has format 9"),
    ],
)
def test_a_keras_file_with_a_damaged_or_newer_recipe_is_refused(
    content: str, saying: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelFileError, match=r"gru\.keras: ") as error:
        read_model(model_with(tmp_path, content))
    assert saying in str(error.value)


def test_the_number_of_rows_is_that_of_the_c_library() -> None:
    runtime = pytest.importorskip("edgernn.runtime.audio")
    samples = runtime.known_sound(4000)
    for recipe in (FBANK, preset("torchaudio-mel40@16000"), replace(FBANK, hop_samples=500)):
        for count in (399, 400, 559, 560, 561, 4000):
            made = runtime.FrontEnd(recipe).feed(samples[:count])
            assert len(made) == recipe.frames(count)


def test_the_description_says_what_a_reader_needs() -> None:
    assert FBANK.description() == (
        "kaldi-fbank40@16000: logarithms of 40 mel filters from 20 to 8000 Hz, windows of 25 ms "
        "every 10 ms, 16000 samples a second in -1..1"
    )
    assert isinstance(FBANK, SoundRecipe)
