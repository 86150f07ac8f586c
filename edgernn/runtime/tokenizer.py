"""Text into tokens, by the C library: the same code in the export, here and in apps."""

from __future__ import annotations

import zlib
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgernn.errors import DataError
from edgernn.recipe.text import TextRecipe, text_record
from edgernn.runtime.library import OK, ffi, lib, status_text

Tokens: TypeAlias = npt.NDArray[np.int32]

_REMEDIES: Final[dict[int, str]] = {
    lib.ERNN_NOT_UTF8: "Decode it as what it is, such as Latin-1, and give the text",
    lib.ERNN_WORD: "Give words of the vocabulary, or train with a token for others "
    "(num_oov_indices=1)",
}


class Tokenizer:
    """Turns text into the tokens that a model takes.  Any number of threads may use one.

    >>> recipe = TextRecipe(vocabulary=("", None, "good", "film"), unknown=1, lower=True)
    >>> Tokenizer(recipe)("Good bad film")
    array([2, 1, 3], dtype=int32)
    """

    def __init__(self, recipe: TextRecipe, *, record: bytes | None = None) -> None:
        """`record`: the recipe as an .ernn file stores it; made of the recipe where it is None."""
        self.recipe = recipe
        record = text_record(recipe) if record is None else record
        self._record: Any = np.frombuffer(record, np.uint8).copy()  # at a multiple of 16
        self._place = ffi.from_buffer(self._record)
        status = lib.ernn_check_text(self._place, len(record))
        if status != OK:
            raise DataError(f"the vocabulary cannot be used: {status_text(status)}")

    def __call__(self, text: str | bytes) -> Tokens:
        """The tokens of one text, [recipe.length], or [words] where that is 0.

        Raises DataError for text that is not UTF-8, for a word that has no token, and for what is
        no text.
        """
        if not isinstance(text, str | bytes):
            raise DataError(f"{_shown(text)} is no text", remedy="Give a str, or bytes of UTF-8")
        try:
            content = text.encode() if isinstance(text, str) else text
        except UnicodeEncodeError as error:
            raise DataError(
                f"{_shown(text)}: the text is not Unicode",
                remedy=_REMEDIES[lib.ERNN_NOT_UTF8],
            ) from error
        room = max(self.recipe.length, len(content), 1)
        tokens, count = np.empty(room, np.int32), ffi.new("uint32_t *")
        place = ffi.from_buffer("int32_t[]", tokens)
        status = lib.ernn_text_tokens(self._place, content, len(content), place, room, count)
        if status != OK:
            raise DataError(
                f"{_shown(text)}: {status_text(status)}", remedy=_REMEDIES.get(status, "")
            )
        return tokens[: count[0]].copy()

    def batch(self, texts: Any) -> Tokens:
        """The tokens of several texts, [texts, T]: shorter ones are filled up with 0, as in Keras.

        texts: [N] or [N, 1] texts; where a text is one word, [N] or [N, T] of them.
        Raises DataError as a call does, and where no text has a token.
        """
        # Of objects: numpy's own arrays of text lose zeros at the end of a text.
        array = texts if isinstance(texts, np.ndarray) else np.array(texts, dtype=object)
        others = [one for one in array.ravel().tolist() if not isinstance(one, str | bytes)]
        if array.size == 0 or others:
            what = f"{_shown(others[0])} is no text" if others else "there are no texts"
            raise DataError(what, remedy="Give a list of texts")
        if self.recipe.split == "none" and not self.recipe.length:
            words = [self(text)[0] for text in array.ravel().tolist()]
            shape = array.shape if array.ndim > 1 else (len(array), 1)
            return np.array(words, np.int32).reshape(shape)
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim != 1:
            raise DataError(
                f"the texts have the shape {list(array.shape)}", remedy="Give a list of texts"
            )
        rows = [self(text) for text in array.tolist()]
        longest = max(map(len, rows))
        if longest == 0:
            raise DataError("the text has no words", remedy="Give a text with a word")
        made = np.zeros((len(rows), longest), np.int32)
        for row, tokens in zip(made, rows, strict=True):
            row[: len(tokens)] = tokens
        return made


def text_check_value(recipe: TextRecipe) -> dict[str, Any]:
    """What another implementation of the recipe can be held against: a text and its tokens.

    The text has words of the vocabulary, an unknown one, punctuation and letters of other
    alphabets; the CRC-32 is of the vocabulary's UTF-8, one word a line.
    """
    words = [word for word in recipe.vocabulary if word][:8]
    text = words[0] if words and recipe.split == "none" else " ".join(words)
    if recipe.split != "none" and recipe.unknown is not None:
        text = f"  {text.upper()}, {text}!\t(Ä-ß) 日本\u00a0語 don't "
    tokens = Tokenizer(recipe)(text)
    lines = "\n".join(word or "" for word in recipe.vocabulary)
    return {"text": text, "tokens": tokens.tolist(), "crc32": zlib.crc32(lines.encode())}


def _shown(text: object) -> str:
    shown = repr(text)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def is_text(given: Any) -> bool:
    """Whether an argument is a text, or an array or a list that holds one."""
    if isinstance(given, str | bytes):
        return True
    if isinstance(given, list | tuple):
        return any(is_text(one) for one in given if isinstance(one, str | bytes | list | tuple))
    kind = getattr(getattr(given, "dtype", None), "kind", "")
    return kind in ("U", "S") or (kind == "O" and is_text(given.ravel().tolist()))


def is_gap(given: Any) -> bool:
    """Whether an argument is neither texts nor tokens: None, an empty list, or a list of None."""
    if isinstance(given, list | tuple):
        return all(one is None for one in given)
    return given is None
