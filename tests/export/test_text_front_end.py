"""A vocabulary goes into every artefact, and texts into calibration, profiles and calls."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgernn
from edgernn.artefact import read_manifest
from edgernn.errors import DataError, ModelFileError
from edgernn.export.contents import read_contents
from edgernn.recipe import TextRecipe, text_of
from edgernn.runtime.tokenizer import Tokenizer
from edgernn.tasks.given import as_samples
from tests.export.keras.archives import (
    call,
    called,
    functional,
    gru_weights,
    input_layer,
    layer,
    sequential,
    tensor,
    write_keras,
)

WORDS = ["good", "bad", "film", "a", "very"]
RECIPE = TextRecipe(
    vocabulary=("", None, *WORDS), unknown=1, lower=True, strip=True, length=4
)  # fmt: skip
QUICK: dict[str, Any] = {"processes": 1, "min_time_ms": 1, "warm_up_ms": 1}
TEXTS = [f"{a} {b} film {c}" for a in ("A", "very") for b in ("good", "bad") for c in "!?x"] * 4


def written(path: Path, *, rows: Sequence[int] = range(7), **rules: Any) -> Path:
    """A .keras file of a model that takes text; its weights are no training's.

    rows: the order of the table's vectors.
    """
    rng = np.random.default_rng(0)
    options = {"output_sequence_length": 4, "vocabulary": WORDS, **rules}
    config = sequential(
        input_layer("text", [None, 1], "string"),
        layer("TextVectorization", "words", **options),
        layer("Embedding", "vectors", input_dim=7, output_dim=4),
        layer("GRU", "gru", units=3),
        layer("Dense", "scores", units=2, activation="softmax"),
    )
    dense = {"kernel": rng.standard_normal((3, 2)) * 4, "bias": np.zeros(2)}
    table = {"embeddings": (rng.standard_normal((7, 4)) * 3)[list(rows)]}
    weights = {"vectors": table, "gru": gru_weights(4, 3), "scores": dense}
    return write_keras(path, config, weights)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    loaded = edgernn.load(written(folder / "reviews.keras"))
    loaded.export(folder, labels=["bad", "good"], scheme="int8", calibrate=TEXTS, verify=False)
    return folder


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_other_formats_carry_the_vocabulary_and_its_check_value(suffix: str, folder: Path) -> None:
    metadata = read_contents(folder / f"reviews.int8.{suffix}").metadata
    recipe = text_of(json.loads(metadata["front_end_text"]))
    assert recipe == RECIPE
    check = json.loads(metadata["front_end_text_check"])
    assert Tokenizer(recipe)(check["text"]).tolist() == check["tokens"]


def test_the_manifest_and_the_native_file_carry_it_once(folder: Path) -> None:
    assert {artefact.text for artefact in read_manifest(folder)} == {RECIPE}
    model = edgernn.Model(folder / "reviews.int8.ernn")
    assert model.text == RECIPE
    assert "front_end_text" not in model.metadata
    assert model(["very good", "bad"]).shape == (2, 2)


def two_inputs(path: Path) -> Path:
    """Text and two numbers."""
    options = {"output_sequence_length": 4, "vocabulary": WORDS}
    layers = [
        called(input_layer("text", [None, 1], "string")),
        called(input_layer("stars", [None, 2])),
        called(layer("TextVectorization", "words", **options), call(tensor("text"))),
        called(layer("Embedding", "vectors", input_dim=7, output_dim=4), call(tensor("words"))),
        called(layer("GRU", "gru", units=3), call(tensor("vectors"))),
        called(layer("Concatenate", "both"), call([tensor("gru"), tensor("stars")])),
        called(layer("Dense", "scores", units=2), call(tensor("both"))),
    ]
    rng = np.random.default_rng(0)
    table = {"embeddings": rng.standard_normal((7, 4)) * 3}
    scores = {"kernel": rng.standard_normal((5, 2)), "bias": np.zeros(2)}
    weights = {"vectors": table, "gru": gru_weights(4, 3), "scores": scores}
    return write_keras(path, functional(layers, ["text", "stars"], ["scores"]), weights)


def test_texts_beside_another_input_calibrate_by_name(tmp_path: Path) -> None:
    loaded = edgernn.load(two_inputs(tmp_path / "two.keras"))
    stars = np.random.default_rng(1).random((len(TEXTS), 2), np.float32)
    rules: dict[str, Any] = {"to": "native", "scheme": "int8", "verify": False}
    loaded.export(tmp_path / "texts", calibrate={"text": TEXTS, "stars": stars}, **rules)
    tokens = Tokenizer(RECIPE).batch(TEXTS)
    loaded.export(tmp_path / "tokens", calibrate={"text": tokens, "stars": stars}, **rules)
    made, expected = (tmp_path / one / "two.int8.ernn" for one in ("texts", "tokens"))
    assert made.read_bytes() == expected.read_bytes()
    assert edgernn.Model(made)(TEXTS[:2], stars[:2]).shape == (2, 2)
    for wrong, reason in (([None, *TEXTS[1:]], "None among its texts"), (b"\xff", "not UTF-8")):
        texts = [wrong] * len(TEXTS) if isinstance(wrong, bytes) else wrong
        with pytest.raises(DataError, match=reason):
            loaded.export(tmp_path / "no", calibrate={"text": texts, "stars": stars}, **rules)


def test_labelled_texts_to_calibrate_by_limit_the_drop(folder: Path, tmp_path: Path) -> None:
    y = ["good" if "good" in text else "bad" for text in TEXTS]
    made = edgernn.load(folder / "reviews.keras").export(
        tmp_path,
        to="native",
        scheme="int8",
        calibrate=(TEXTS, y),
        max_drop=5.0,
        labels=["bad", "good"],
    )
    assert [one.name for one in made.artefacts] == ["reviews.int8.ernn"]


def test_inspect_cuts_a_long_vocabulary(tmp_path: Path) -> None:
    from edgernn.report.inspected import contents_text

    words = [f"word{number}" for number in range(3000)]
    path = written(tmp_path / "many.keras", vocabulary=words)
    edgernn.load(path).export(tmp_path, to="onnx", verify=False)
    shown = contents_text("many.onnx", read_contents(tmp_path / "many.onnx"))
    (line,) = (line for line in shown.splitlines() if line.startswith("front_end_text:"))
    assert len(line) < 1600
    assert line.endswith(" characters)")


def test_a_manifest_with_newer_rules_is_refused(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads((folder / "model.json").read_text())
    manifest["artefacts"][0]["text"]["version"] = 2
    (tmp_path / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelFileError, match=r"recipe of text has format 2.*Update"):
        read_manifest(tmp_path)


def test_tables_and_arrays_of_texts_are_read_with_the_models_vocabulary(
    folder: Path, tmp_path: Path
) -> None:
    y = ["good" if "good" in text else "bad" for text in TEXTS]
    table = tmp_path / "reviews.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *zip(TEXTS, y, strict=True)])
    np.savez(tmp_path / "reviews.npz", x=np.array(TEXTS), y=np.array(y))
    forms = (str(table), str(tmp_path / "reviews.npz"), (TEXTS, y))
    for given in forms:
        samples = as_samples(given, front_end=RECIPE)
        assert np.array_equal(samples.x, Tokenizer(RECIPE).batch(TEXTS))
        assert [samples.labels[number] for number in samples.classified] == y
    made = edgernn.load(folder / "reviews.keras").export(
        tmp_path / "made", to="native", data=str(table), labels=["bad", "good"]
    )
    assert f"{len(TEXTS)} test rows" in str(made.profile(data=str(table), **QUICK))
    table.write_text("words,label\na,b\n")
    with pytest.raises(DataError, match="has no column text"):
        edgernn.load(folder / "reviews.keras").export(tmp_path / "out", data=str(table))
    assert not (tmp_path / "out").exists()


def test_texts_for_a_model_of_numbers_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.array(TEXTS))
    from tests.golden import GOLDEN

    with pytest.raises(DataError, match=r"x is text.*a model with TextVectorization"):
        edgernn.load(GOLDEN / "small_gru.keras").export(
            tmp_path / "out", data=str(tmp_path / "x.npz")
        )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["a", "b", "a"], r"has the word 'a' more than once.*Give each word one place"),
        (["a", "", "b"], "stands for no word"),
        ([], "no vocabulary"),
        ([1, 2], "not a list of words"),
    ],
    ids=["repeats", "the empty word", "none", "numbers"],
)
def test_a_vocabulary_that_cannot_be_used_is_refused(
    words: list[Any], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelFileError, match=reason):
        edgernn.load(written(tmp_path / "reviews.keras", vocabulary=words))


def test_a_vocabulary_of_the_archive_is_read_as_keras_reads_it(tmp_path: Path) -> None:
    path = written(tmp_path / "reviews.keras", vocabulary=None)
    with zipfile.ZipFile(path, "a") as archive:
        member = "assets/layers/text_vectorization/vocabulary.txt"
        archive.writestr(member, "\n".join(["", "[UNK]", *WORDS]))
    (entry,) = edgernn.load(path).model.graph.inputs
    assert entry.text == RECIPE
    with zipfile.ZipFile(written(tmp_path / "b.keras", vocabulary=None), "a") as archive:
        archive.writestr(member, b"\xff\xfe")
    with pytest.raises(ModelFileError, match="vocabulary that is not UTF-8"):
        edgernn.load(tmp_path / "b.keras")


def test_strings_that_no_layer_of_text_reads_are_refused(tmp_path: Path) -> None:
    from edgernn.errors import UnsupportedLayer

    config = sequential(input_layer("s", [None, 1], "string"), layer("Flatten", "f"))
    with pytest.raises(UnsupportedLayer, match=r"takes strings.*TextVectorization or StringLookup"):
        edgernn.load(write_keras(tmp_path / "m.keras", config))
