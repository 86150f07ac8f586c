"""Text in: the tokens of Keras' own layers, and an answer for each text."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import edgernn
from edgernn.errors import DataError, ModelFileError, UnsupportedLayer
from edgernn.export import keras_answers
from edgernn.export.keras.file import read_model
from edgernn.export.keras.object import from_keras
from edgernn.recipe import TextRecipe
from edgernn.runtime.tokenizer import Tokenizer
from tests.export.keras.texts import WORDS, made_up

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TEXTS = made_up(5000)

RULES = [
    {},
    {"standardize": "lower"},
    {"standardize": "strip_punctuation"},
    {"standardize": None},
    {"output_sequence_length": 5},
    {"standardize": "lower", "output_sequence_length": 1},
    {"split": "character"},
    {"split": "character", "standardize": None, "output_sequence_length": 9},
    {"split": "character", "standardize": "lower"},
    {"split": None},
    {"split": None, "standardize": "strip_punctuation"},
]


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def keras(request: pytest.FixtureRequest) -> ModuleType:
    pytest.importorskip("tensorflow")
    return pytest.importorskip(request.param)  # type: ignore[no-any-return]


def model_of(keras: Any, layer: Any, shape: tuple[int | None, ...] = (1,)) -> Any:
    text = keras.Input(shape, dtype="string", name="text")
    spread = keras.initializers.RandomNormal(stddev=2.0, seed=0)  # every token matters
    x = keras.layers.Embedding(60, 4, embeddings_initializer=spread)(layer(text))
    x = keras.layers.GRU(5)(x)
    return keras.Model(text, keras.layers.Dense(3, activation="softmax")(x))


def recipe_of(model: Any) -> TextRecipe:
    (entry,) = from_keras(model).graph.inputs
    assert entry.text is not None
    return entry.text


def of_keras(layer: Any, texts: Any, *, column: bool = True) -> Any:
    import tensorflow as tf

    given = tf.constant(texts)
    return np.asarray(layer(given[:, None] if column else given))


def own_code(text: Any) -> Any:
    """A rule that is Python."""
    return text


@pytest.mark.parametrize("rules", RULES, ids=str)
def test_all_texts_get_the_tokens_of_text_vectorization(keras: Any, rules: dict[str, Any]) -> None:
    layer = keras.layers.TextVectorization(vocabulary=list(WORDS), **rules)
    tokenizer = Tokenizer(recipe_of(model_of(keras, layer)))
    expected = of_keras(layer, TEXTS)
    found = tokenizer.batch(TEXTS)
    assert found.shape == expected.shape
    assert int((found != expected).any(axis=1).sum()) == 0
    assert len(np.unique(expected)) > 8


@pytest.mark.parametrize("options", [{}, {"mask_token": ""}, {"mask_token": "[PAD]"}], ids=str)
def test_all_words_get_the_tokens_of_string_lookup(keras: Any, options: dict[str, Any]) -> None:
    layer = keras.layers.StringLookup(vocabulary=list(WORDS), **options)
    tokenizer = Tokenizer(recipe_of(model_of(keras, layer)))
    words = [*WORDS, "", "[PAD]", "Good", "!", *TEXTS[:2000]]
    assert np.array_equal(tokenizer.batch(words), of_keras(layer, words))
    rows = [["good", "film"], ["unseen", "a"]]
    assert np.array_equal(tokenizer.batch(rows), of_keras(layer, rows, column=False))


def test_a_saved_vocabulary_is_that_of_adapt(keras: Any, tmp_path: Path) -> None:
    layer = keras.layers.TextVectorization(max_tokens=30, output_sequence_length=6)
    layer.adapt(["Good film, a very good film", "bad film! terrible", "Ünïcode wörd 日本"])
    model = model_of(keras, layer)
    model.save(tmp_path / "m.keras")
    (entry,) = read_model(tmp_path / "m.keras").graph.inputs
    assert entry.text is not None
    assert entry.spec.shape == (None, 6)
    known = layer.get_vocabulary()
    assert entry.text.vocabulary == ("", None, *known[2:])
    assert entry.text == recipe_of(model)
    assert np.array_equal(Tokenizer(entry.text).batch(TEXTS), of_keras(layer, TEXTS))


def test_texts_give_the_answers_of_keras_in_every_format(tmp_path: Path, monkeypatch: Any) -> None:
    keras, tf = pytest.importorskip("keras"), pytest.importorskip("tensorflow")
    layer = keras.layers.TextVectorization(vocabulary=list(WORDS), output_sequence_length=7)
    stars = keras.Input((2,), name="stars")  # Keras does not mix texts with arrays
    reader = model_of(keras, layer)
    scores = keras.layers.Dense(3)(keras.layers.Concatenate()([reader.output, stars]))
    model = keras.Model([reader.input, stars], scores)
    model.save(tmp_path / "reviews.keras")
    made = edgernn.load(tmp_path / "reviews.keras").export(
        tmp_path / "out", labels=["bad", "so-so", "good"]
    )
    assert {one.backend for one in made.artefacts} == {"onnx", "tflite", "native"}
    opened = edgernn.Model(tmp_path / "out" / "reviews.ernn")
    texts, given = TEXTS[:300], np.random.default_rng(0).random((300, 2), np.float32)
    expected = model([tf.constant(texts)[:, None], tf.constant(given)])
    assert np.allclose(opened(texts, given), expected, atol=1e-5)
    one = opened.session().run(texts[40], given[40])
    assert np.allclose(one, opened(texts[40:41], given[40:41])[0])
    assert opened.tokenize("Good film!").tolist() == [2, 3, 0, 0, 0, 0, 0]
    assert opened.text == recipe_of(reader)
    monkeypatch.chdir(tmp_path)
    rows = [row for row, text in enumerate(texts) if not text.endswith("\0")]  # numpy loses it
    arrays: dict[str, Any] = {"0.0": np.array(texts)[rows, None], "0.1": given[rows]}
    np.savez("inputs.npz", **arrays)
    keras_answers.main("reviews.keras", "3")  # of --against-keras, without a process of its own
    with np.load("outputs.npz") as found:
        assert np.allclose(found["0.0"], np.asarray(expected)[rows], atol=1e-6)


@pytest.mark.long
def test_what_keras_makes_of_texts_otherwise_is_noticed(tmp_path: Path, monkeypatch: Any) -> None:
    """--against-keras gives Keras the texts: a wrong rule of ours cannot hide."""
    from edgernn.errors import VerificationError
    from edgernn.export.keras import text

    keras = pytest.importorskip("keras")
    layer = keras.layers.TextVectorization(vocabulary=list(WORDS))
    model_of(keras, layer).save(tmp_path / "reviews.keras")
    monkeypatch.setitem(text._STANDARDIZE, "lower_and_strip_punctuation", (False, True))
    with pytest.raises(VerificationError, match="what edgernn reads"):
        edgernn.load(tmp_path / "reviews.keras").export(
            tmp_path / "out", to=["native"], against_keras=True
        )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"output_mode": "multi_hot"}, "counts of words"),
        ({"ngrams": 2}, "n-grams"),
        ({"standardize": own_code}, "standardize of its own"),
        ({"split": own_code}, "split of its own"),
        ({"encoding": "latin-1"}, "takes text in latin-1"),
    ],
    ids=["counts", "ngrams", "own standardize", "own split", "latin-1"],
)
def test_rules_that_cannot_travel_are_refused(options: dict[str, Any], reason: str) -> None:
    keras = pytest.importorskip("keras")
    layer = keras.layers.TextVectorization(vocabulary=["a", "b"], **options)
    text = keras.Input((1,), dtype="string")
    model = keras.Model(text, keras.layers.Dense(2)(keras.ops.cast(layer(text), "float32"))
                        if options.get("output_mode") else layer(text))  # fmt: skip
    with pytest.raises(UnsupportedLayer, match=reason):
        from_keras(model)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"num_oov_indices": 3}, "several tokens by a hash"),
        ({"invert": True}, "turns tokens into words"),
        ({"output_mode": "one_hot"}, "counts of words"),
    ],
    ids=["hash", "invert", "one hot"],
)
def test_other_uses_of_string_lookup_are_refused(options: dict[str, Any], reason: str) -> None:
    keras = pytest.importorskip("keras")
    layer = keras.layers.StringLookup(vocabulary=["a", "b"], **options)
    kind = "int64" if options.get("invert") else "string"
    text = keras.Input((1,), dtype=kind)
    with pytest.raises(UnsupportedLayer, match=reason):
        from_keras(keras.Model(text, layer(text)))


def test_a_word_without_a_token_is_refused_where_there_is_none_for_others() -> None:
    keras = pytest.importorskip("keras")
    layer = keras.layers.StringLookup(vocabulary=["a", "b"], num_oov_indices=0)
    tokenizer = Tokenizer(recipe_of(model_of(keras, layer)))
    assert tokenizer.batch(["b", "a"]).tolist() == [[1], [0]]
    with pytest.raises(DataError, match=r"'c': the vocabulary lacks a word.*num_oov_indices=1"):
        tokenizer("c")


def test_a_second_vocabulary_is_refused() -> None:
    keras = pytest.importorskip("keras")
    first = keras.Input((1,), dtype="string", name="title")
    second = keras.Input((1,), dtype="string", name="body")
    towers = [
        keras.layers.GRU(3)(keras.layers.Embedding(9, 4)(
            keras.layers.TextVectorization(vocabulary=words)(text)
        ))
        for text, words in ((first, ["a"]), (second, ["b"]))
    ]  # fmt: skip
    model = keras.Model([first, second], keras.layers.Concatenate()(towers))
    with pytest.raises(UnsupportedLayer, match="artefacts have one vocabulary"):
        from_keras(model)


def test_a_layer_that_was_never_adapted_says_so(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    model = model_of(keras, keras.layers.TextVectorization())
    model.save(tmp_path / "m.keras")
    with pytest.raises(ModelFileError, match=r"no vocabulary.*adapt"):
        read_model(tmp_path / "m.keras")
