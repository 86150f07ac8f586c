"""ernn_tokenize by its binding: UTF-8, room for tokens, and files with a vocabulary."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import pytest

from edgernn import Model
from edgernn.errors import DataError, ModelFileError
from edgernn.export.native import lower
from edgernn.recipe import TextRecipe, text_record
from edgernn.runtime.library import ffi, lib, status_text
from edgernn.runtime.tokenizer import Tokenizer, text_check_value
from tests.edgernn.runtime.text_models import RECIPE, text_graph

CONTENT = lower(text_graph(), metadata={"labels": '["bad", "good"]'}).content
(RECORD_AT,) = struct.unpack_from("<I", CONTENT, struct.unpack_from("<I", CONTENT, 72)[0] + 12)


def changed(at: int, word: int) -> bytes:
    """The file with another word, and the right checksum."""
    content = bytearray(CONTENT)
    struct.pack_into("<I", content, at, word)
    struct.pack_into("<I", content, 12, zlib.crc32(memoryview(content)[16:]))
    return bytes(content)


def test_a_file_holds_its_vocabulary_and_takes_text() -> None:
    model = Model(CONTENT)
    assert model.text == RECIPE
    assert model.tokenize("Good, bad FILM!").tolist() == [2, 1, 3]
    assert model.tokenize("日本 good".encode()).tolist() == [4, 2]
    tokens = np.array([[2, 1, 3], [4, 0, 0]], np.int32)
    assert model(["Good bad film", "日本"]).tobytes() == model(tokens).tobytes()
    assert model("日本").tobytes() == model(tokens[1:, :1]).tobytes()
    session = model.session()
    first = session.run("Good bad")
    assert np.array_equal(session.run("film"), model(tokens[:1])[0])
    assert not np.array_equal(first, model(tokens[:1])[0])
    assert "text    words, lower case, without punctuation; a vocabulary of 4" in repr(model)


def test_a_model_takes_texts_as_any_list_or_array_of_them() -> None:
    model = Model(CONTENT)
    expected = model(["good", "bad film"])
    forms: list[Any] = [
        ("good", "bad film"),
        [b"good", b"bad film"],
        [["good"], ["bad film"]],
        np.array(["good", "bad film"]),
        np.array([b"good", b"bad film"]),
        np.array(["good", "bad film"], dtype=object),
    ]
    for texts in forms:
        assert np.array_equal(model(texts), expected)
    session = model.session()
    assert np.array_equal(session.run(b"good"), model(b"good")[0])
    refused: list[Any] = [None, [], [None], [None, "good"], ["good", 1], ["good", float("nan")]]
    for wrong in refused:
        with pytest.raises(DataError, match="Give a list of texts"):
            model(wrong)


def test_a_model_without_a_front_end_takes_no_text() -> None:
    model = Model(lower(text_graph(None), metadata={}).content)
    assert model.text is None
    for call in (lambda: model.tokenize("good"), lambda: model(["good"])):
        with pytest.raises(DataError, match=r"no front end for text: it takes x \(int32\).*Keras"):
            call()
    count = ffi.new("uint32_t *")
    status = lib.ernn_tokenize(model.handle, b"a", 1, ffi.new("int32_t[4]"), 4, count)
    assert "no front end for text" in status_text(status)


def test_bytes_are_text_where_python_reads_them_as_utf_8() -> None:
    rng = np.random.default_rng(0)
    tokenizer, wrong = Tokenizer(RECIPE), 0
    edges = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1]
    edges += [0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF, 0x41, 0x20]
    for _ in range(20_000):
        content = bytes(rng.choice(edges, rng.integers(1, 6)).tolist())
        try:
            content.decode()
        except UnicodeDecodeError:
            wrong += 1
            with pytest.raises(DataError, match="the text is not UTF-8"):
                tokenizer(content)
        else:
            tokenizer(content)
    assert 5_000 < wrong < 20_000
    with pytest.raises(DataError, match="not Unicode"):
        tokenizer("\ud800")


def test_too_little_room_says_how_much_is_needed() -> None:
    model, count = Model(CONTENT), ffi.new("uint32_t *")
    tokens = ffi.new("int32_t[3]", [9, 9, 9])
    status = lib.ernn_tokenize(model.handle, b"good film good", 14, tokens, 2, count)
    assert status_text(status) == "an output buffer is too small"
    assert (count[0], list(tokens)) == (3, [2, 3, 9])
    assert lib.ernn_tokenize(model.handle, b"good film", 9, tokens, 2, count) == 0
    assert lib.ernn_tokenize(model.handle, ffi.NULL, 0, ffi.NULL, 0, count) == 0
    assert count[0] == 0


@pytest.mark.parametrize(
    ("at", "word", "reason"),
    [
        (16, 1, "layers do not fit together"),  # the feature bit is missing
        (RECORD_AT, 16, "kind or version"),  # a rule of a newer version
        (RECORD_AT, 4 | 8, "do not fit"),
        (RECORD_AT + 28, 1, "kind or version"),  # reserved
        (RECORD_AT + 12, 1 << 21, "do not fit"),
        (RECORD_AT + 12, 5000, "outside of itself"),
        (RECORD_AT + 16, 1 << 20, "outside of itself"),
        (RECORD_AT + 20, 1 << 20, "outside of itself"),
        (RECORD_AT + 24, 1 << 20, "outside of itself"),
        (RECORD_AT + 48 + 8, 1 << 20, "outside of itself"),  # where a word begins
        (RECORD_AT + 48 + 4, 1 << 31, "do not fit"),  # its token
        (RECORD_AT + 8, 1 << 31, "do not fit"),
    ],
)
def test_a_record_that_leads_astray_is_refused(at: int, word: int, reason: str) -> None:
    with pytest.raises(ModelFileError, match=reason):
        Model(changed(at, word))


def test_a_newer_version_of_the_record_is_refused() -> None:
    (table,) = struct.unpack_from("<I", CONTENT, 72)
    with pytest.raises(ModelFileError, match="kind or version that this library does not know"):
        Model(changed(table + 4, 2))


def test_words_out_of_order_or_repeated_are_refused() -> None:
    record = bytearray(text_record(TextRecipe(vocabulary=("a", "b", "c"), unknown=None)))
    end = len(record)
    for words in (b"aac", b"acb"):
        record[end - 3 :] = words
        place = ffi.from_buffer(np.frombuffer(bytes(record), np.uint8).copy())
        assert "repeats a word" in status_text(lib.ernn_check_text(place, len(record)))


def test_the_check_value_is_what_the_recipe_gives() -> None:
    value: dict[str, Any] = text_check_value(RECIPE)
    assert value["tokens"] == Tokenizer(RECIPE)(value["text"]).tolist()
    assert {1, 2, 3, 4} <= set(value["tokens"])
    assert value["crc32"] == zlib.crc32("\n\ngood\nfilm\n日本".encode())


def test_texts_of_another_shape_and_type_are_refused() -> None:
    tokenizer = Tokenizer(RECIPE)
    for texts in ([["a", "b"]], [1, 2], [], ["a", None]):
        with pytest.raises(DataError, match="Give a list of texts"):
            tokenizer.batch(texts)
    for given in (5, True, None, [1, 2], ["good"], np.array([3])):  # bytes(5) would be a text
        with pytest.raises(DataError, match="is no text"):
            tokenizer(given)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="the text has no words"):
        tokenizer.batch(["--", ""])
