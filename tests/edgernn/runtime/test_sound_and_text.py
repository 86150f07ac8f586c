"""Wrong sound, text and recipes: one clear error each, in C and in Python."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from edgernn.errors import DataError, EdgernnError, ModelFileError
from edgernn.runtime import Model
from edgernn.runtime.listening import Listener
from edgernn.runtime.single_file import write_single_file
from tests.edgernn.kits.models import array_model, sound_model
from tests.edgernn.runtime.test_front_end_files import repaired
from tests.edgernn.runtime.test_tokenizer import CONTENT as TEXT
from tests.edgernn.runtime.toolchain import C_TESTS, run, tool

RATE = (
    "the sample rate is below the model's, above 768000, or no simple ratio to it; "
    "sensors need the model's"
)
SAMPLE = "a sample is NaN or infinite, or sound far outside of -1 to 1: divide 16-bit PCM by 32768"
NO_SOUND = "the model has no front end for sound: give it rows of features"
NOT_UTF8 = "the text is not UTF-8"
NEWER = "the file's front end is of a kind or version that this library does not know"
REPEATED = "the file's vocabulary repeats a word, or is out of order"
IN_C = {
    "a rate below the recipe's": RATE,
    "no rate": RATE,
    "no samples": "0 rows",
    "NaN": SAMPLE,
    "nothing heard yet": "too little sound, or too few samples, for an answer: give more",
    "NaN, heard": SAMPLE,
    "NaN, and an answer": SAMPLE,
    "sound for a model of rows": NO_SOUND,
    "sound for a model of text": NO_SOUND,
    "text for a model of rows": "the model has no front end for text: give it tokens",
    "a byte that is no text": NOT_UTF8,
    "half a character": NOT_UTF8,
    "a half of a pair": NOT_UTF8,
    "a newer recipe of sound": NEWER,
    "a newer recipe of text": NEWER,
    "a word twice": REPEATED,
}


def newer(content: bytes) -> bytes:
    """The version of its front end is one more."""
    changed = bytearray(content)
    (at,) = struct.unpack_from("<I", changed, 72)
    changed[at + 4] += 1
    return bytes(repaired(changed))


def repeated(content: bytes) -> bytes:
    return bytes(repaired(bytearray(content.replace(b"film", b"good"))))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    contents = {
        "sound": sound_model(),
        "arrays": array_model(),
        "text": TEXT,
        "newer_sound": newer(sound_model()),
        "newer_text": newer(TEXT),
        "repeated": repeated(TEXT),
    }
    for name, content in contents.items():
        (folder / f"{name}.ernn").write_bytes(content)
    return folder


def test_in_c_each_has_a_status_of_its_own(folder: Path, tmp_path: Path) -> None:
    write_single_file(tmp_path)
    source = C_TESTS / "sound_and_text.c"
    flags = ("-std=gnu11", "-O0", "-Wall", "-Werror", f"-I{tmp_path}", "-o", tmp_path / "answers")
    run([tool("gcc"), *flags, source, tmp_path / "ernn.c", "-lm"])
    lines = run([tmp_path / "answers", folder]).splitlines()
    assert dict(line.split(": ", 1) for line in lines) == IN_C


@pytest.mark.parametrize(
    ("name", "saying"),
    [("newer_sound", NEWER), ("newer_text", NEWER), ("repeated", REPEATED)],
    ids=["newer sound", "newer text", "repeated word"],
)
def test_in_python_a_file_is_refused_with_the_words_of_c(
    name: str, saying: str, folder: Path
) -> None:
    with pytest.raises(ModelFileError, match=saying):
        Model(folder / f"{name}.ernn")


def test_in_python_sound_and_text_are_refused_with_what_to_do(folder: Path) -> None:
    sound, arrays, text = (Model(folder / f"{name}.ernn") for name in ("sound", "arrays", "text"))
    for model in (arrays, text):
        with pytest.raises(EdgernnError, match=r"no front end|no recipe"):
            Listener(model=model, rate_hz=8000)
    with pytest.raises(EdgernnError, match="rate"):
        Listener(model=sound, rate_hz=4000)
    listener = Listener(model=sound, rate_hz=8000)
    with pytest.raises(DataError):
        listener.whole()
    with pytest.raises(DataError, match="NaN"):
        list(listener.feed(np.array([0, np.nan], np.float32)))
    with pytest.raises(DataError, match="UTF-8"):
        text.tokenize(b"good \xff")
    with pytest.raises(EdgernnError, match="no front end for text"):
        arrays.tokenize("good")
