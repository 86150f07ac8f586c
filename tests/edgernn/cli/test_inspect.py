"""`edgernn inspect`: files and folders, for people and for machines."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edgernn.errors import ModelFileError

MODEL = Path("tests/golden/small_gru.keras")


@pytest.fixture
def exported(edgernn, tmp_path):
    folder = tmp_path / "exported"
    assert edgernn("export", MODEL, "-o", folder).code == 0
    return folder


def test_a_folder_shows_what_its_manifest_lists(edgernn, exported):
    shown = edgernn("inspect", exported).out
    assert "3 artefacts" in shown
    for name in ("small_gru.onnx", "small_gru.tflite", "small_gru.ernn"):
        assert name in shown
    assert shown.count("passed, largest error") == 3


def test_a_folder_without_a_manifest_shows_each_model_file(edgernn, exported, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(exported / "small_gru.ernn", bare)
    shutil.copy(MODEL, bare)
    shown = edgernn("inspect", bare).out
    assert "small_gru.ernn: " in shown
    assert "small_gru.keras: Keras" in shown


def test_several_paths_are_a_list_in_json(edgernn, exported):
    found = json.loads(edgernn("inspect", MODEL, exported, "--json").out)
    assert ["layers" in entry for entry in found] == [True, False]
    assert [entry["backend"] for entry in found[1]["artefacts"]] == ["onnx", "tflite", "native"]
    single = json.loads(edgernn("inspect", MODEL, "--json").out)
    assert single == found[0]


def test_an_empty_folder_is_refused_with_a_remedy(edgernn, tmp_path):
    result = edgernn("inspect", tmp_path)
    assert result.code == ModelFileError.code
    assert "edgernn export" in result.err
