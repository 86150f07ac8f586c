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


def test_json_is_a_list_with_path_and_kind_of_each(edgernn, exported):
    artefact = exported / "small_gru.ernn"
    found = json.loads(edgernn("inspect", MODEL, artefact, exported, "--json").out)
    assert [(one["path"], one["kind"]) for one in found] == [
        (str(MODEL), "model"),
        (str(artefact), "artefact"),
        (str(exported), "folder"),
    ]
    assert [layer["name"] for layer in found[0]["layers"]] == ["gru", "probabilities"]
    assert found[1]["bytes"] == artefact.stat().st_size
    assert [entry["backend"] for entry in found[2]["artefacts"]] == ["onnx", "tflite", "native"]
    assert json.loads(edgernn("inspect", MODEL, "--json").out) == found[:1]


@pytest.fixture
def partly_damaged(exported, tmp_path):
    """A folder without model.json, in which the file in the middle is damaged."""
    folder = tmp_path / "partly"
    folder.mkdir()
    shutil.copy(exported / "small_gru.ernn", folder / "a.ernn")
    (folder / "b.onnx").write_bytes((exported / "small_gru.onnx").read_bytes()[:100])
    shutil.copy(MODEL, folder / "c.keras")
    return folder


def test_a_damaged_file_is_a_row_and_the_others_are_shown(edgernn, partly_damaged):
    ran = edgernn("inspect", partly_damaged)
    assert ran.code == ModelFileError.code
    first, middle, last = (ran.out.index(text) for text in ("a.ernn: ", "b.onnx: ", "c.keras: "))
    assert first < middle < last
    assert "cannot be read: " in ran.out[middle:last]
    assert ran.err == "edgernn: 1 of 3 cannot be read\n"


def test_a_damaged_file_is_an_entry_in_json(edgernn, partly_damaged):
    ran = edgernn("inspect", partly_damaged, "--json")
    found = json.loads(ran.out)
    assert ran.code == ModelFileError.code
    assert [one["kind"] for one in found] == ["artefact", "error", "model"]
    assert found[1]["error"] == "ModelFileError"
    assert found[1]["exit_code"] == ModelFileError.code
    assert "b.onnx" in found[1]["message"]


def test_a_path_that_is_not_there_does_not_hide_the_next(edgernn, tmp_path):
    ran = edgernn("inspect", tmp_path / "none.onnx", MODEL)
    assert ran.code == ModelFileError.code
    assert "small_gru.keras: Keras" in ran.out


def test_one_damaged_file_alone_is_an_error_message(edgernn, partly_damaged):
    ran = edgernn("inspect", partly_damaged / "b.onnx")
    assert (ran.code, ran.out) == (ModelFileError.code, "")
    assert ran.err.startswith("edgernn: ")


def test_an_empty_folder_is_refused_with_a_remedy(edgernn, tmp_path):
    result = edgernn("inspect", tmp_path)
    assert result.code == ModelFileError.code
    assert "edgernn export" in result.err
