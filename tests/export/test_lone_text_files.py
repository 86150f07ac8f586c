"""Files of text models without their manifest, and beside other text models."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner

import edgernn
from edgernn.cli import edgernn as cli
from edgernn.errors import DataError, ModelFileError
from edgernn.profile.candidates import find_candidates
from tests.export.test_text_front_end import QUICK, RECIPE, TEXTS, WORDS, written

FILES = ("reviews.onnx", "reviews.tflite", "reviews.ernn")
Y = ["good" if "good" in text else "bad" for text in TEXTS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of an export, and a table of texts."""
    folder = tmp_path_factory.mktemp("texts")
    edgernn.load(written(folder / "reviews.keras")).export(
        folder, labels=["bad", "good"], verify=False
    )
    with (folder / "reviews.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *zip(TEXTS, Y, strict=True)])
    return folder


@pytest.fixture(params=FILES)
def lone(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(folder / request.param, tmp_path))


def test_a_file_without_its_manifest_says_what_it_takes_and_answers(lone: Path) -> None:
    (found,) = find_candidates([lone])
    assert found.front_end == RECIPE
    assert found.labels == ("bad", "good")
    assert found.item.scheme == "float32"


def test_texts_profile_it_as_they_do_beside_its_manifest(folder: Path, tmp_path: Path) -> None:
    lone = Path(shutil.copy(folder / "reviews.onnx", tmp_path))
    table = str(folder / "reviews.csv")
    alone, beside = (
        edgernn.measure([path], data=table, **QUICK).values.cells[0].predictions
        for path in (lone, folder / lone.name)
    )
    assert alone is not None
    assert alone == beside


def stored(path: Path, **metadata: str) -> Path:
    """An .onnx file with other metadata."""
    model = onnx.load(path)
    kept = {entry.key: entry.value for entry in model.metadata_props}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {**kept, **metadata})
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": "[1, 2]"},
        {"labels": "[" * 100_000},
        {"front_end_text": '{"kind": "text", "version": 99}'},
        {"front_end_text": "[]"},
        {"front_end": "{"},
        {"scheme": "int3"},
    ],
    ids=["numbers", "nested", "newer", "a list", "cut off", "scheme"],
)
def test_metadata_that_cannot_be_used_are_an_error(
    metadata: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    path = stored(Path(shutil.copy(folder / "reviews.onnx", tmp_path)), **metadata)
    with pytest.raises(ModelFileError, match=r"its metadata cannot be used.*Export the model"):
        find_candidates([path])


def test_metadata_of_other_programs_mean_nothing_here(tmp_path: Path, folder: Path) -> None:
    path = Path(shutil.copy(folder / "reviews.onnx", tmp_path))
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {"labels": "spam,ham", "scheme": "fp8"})
    onnx.save(model, path)
    (found,) = find_candidates([path])
    assert (found.labels, found.item.scheme, found.front_end) == ((), "unknown", None)


def test_text_models_of_other_vocabularies_are_compared_on_the_same_texts(
    folder: Path, tmp_path: Path
) -> None:
    """The same model, with its words and its vectors in another order, answers the same."""
    order = [4, 2, 0, 3, 1]
    other = written(
        tmp_path / "other.keras",
        rows=[0, 1, *(2 + at for at in order)],
        vocabulary=[WORDS[at] for at in order],
    )
    classes = [int("good" in text) for text in TEXTS]
    found = edgernn.compare_models([folder / "reviews.keras", other], data=(TEXTS, classes))
    first, second = found.values.files
    assert 0.2 < first.score < 1.0  # what a wrong vocabulary changes
    assert second.score == first.score
    edgernn.load(other).export(tmp_path, to="native", labels=["bad", "good"], verify=False)
    files = [folder / "reviews.onnx", tmp_path / "other.ernn"]
    command = ["compare", "--from", ",".join(map(str, files)), "--json"]
    ran = CliRunner().invoke(cli, [*command, "--data", str(folder / "reviews.csv")])
    assert ran.exit_code == 0, ran.output
    assert {one["score"] for one in json.loads(ran.output)["files"]} == {first.score}


def test_a_model_of_numbers_is_not_compared_on_texts(folder: Path) -> None:
    from tests.golden import GOLDEN

    files = [folder / "reviews.keras", GOLDEN / "small_gru.keras"]
    with pytest.raises(DataError, match="x is text"):
        edgernn.compare_models(files, data=(TEXTS, Y))
