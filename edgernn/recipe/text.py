"""How text becomes the tokens that a model takes: its vocabulary and the rules of its words."""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any, Final

from edgernn.errors import DataError
from edgernn.recipe.fields import recipe_from

# History of the recipe's format:
#   1  first version
TEXT_VERSION: Final = 1

#: As the C library accepts them (edgernn/runtime/c/ernn_tokenizer.h).
MOST_WORDS: Final = 1 << 20
MOST_BYTES: Final = 1 << 26
_MOST_TOKENS: Final = 1 << 24

SPLITS: Final = ("whitespace", "character", "none")

_HEADER: Final = "<12I"
_LOWER, _STRIP, _SPACES, _CHARACTERS = 1, 2, 4, 8
_NONE: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRecipe:
    """The rules of Keras' TextVectorization and StringLookup, as far as they make tokens.

    >>> recipe = TextRecipe(vocabulary=("", None, "good", "film"), unknown=1, lower=True)
    >>> recipe.vocabulary.index("film")  # its token
    3

    Raises DataError for a vocabulary with repeated words, one that is too large, and for other
    values that the C library refuses.
    """

    #: The word of each token; None: no text gives the token by its bytes (that of unknown words).
    vocabulary: tuple[str | None, ...] = field(repr=False)
    unknown: int | None  # the token of words that are not in the vocabulary; None: they are refused
    lower: bool = False  # A to Z only, as TensorFlow does
    strip: bool = False  # leaves out the 32 punctuation marks of ASCII
    split: str = "whitespace"  # of ASCII; "character": code points; "none": a text is one word
    length: int = 0  # tokens of each text: cut, or filled up with 0; 0: as many as it has

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise DataError(
                f"the text's recipe splits at {self.split!r}",
                remedy=f"It must be one of {', '.join(SPLITS)}",
            )
        if not 0 <= self.length <= _MOST_TOKENS:
            raise DataError(
                f"the text's recipe has a length of {self.length}",
                remedy=f"It must be 0 to {_MOST_TOKENS}",
            )
        if self.unknown is not None and not 0 <= self.unknown < 1 << 31:
            raise DataError(f"the token of unknown words is {self.unknown}")
        words = self.words
        if len(words) > MOST_WORDS or sum(map(len, words)) > MOST_BYTES:
            raise DataError(
                f"the vocabulary has {len(words):,} words",
                remedy=f"A vocabulary has at most {MOST_WORDS:,} words and {MOST_BYTES >> 20} MB; "
                "train with a smaller max_tokens",
            )
        if len(set(words)) < len(words):
            word = Counter(words).most_common(1)[0][0].decode()
            raise DataError(
                f"the vocabulary has the word {word!r} more than once",
                remedy="Give each word one place in the vocabulary, and train the model with it",
            )

    @property
    def words(self) -> list[bytes]:
        """The words as UTF-8, in the order of their tokens."""
        try:
            return [word.encode() for word in self.vocabulary if word is not None]
        except UnicodeEncodeError as error:
            raise DataError(f"the vocabulary has a word that is not Unicode ({error})") from error

    def description(self) -> str:
        """One line for a reader: what a token is."""
        rules = ["lower case"] * self.lower + ["without punctuation"] * self.strip
        kind = {"whitespace": "words", "character": "characters", "none": "whole texts"}[self.split]
        length = f", {self.length} a text" if self.length else ""
        return f"{', '.join([kind, *rules])}; a vocabulary of {len(self.words):,}{length}"

    def as_json(self) -> dict[str, Any]:
        """The recipe as JSON values, with its kind and version."""
        entry = {one.name: getattr(self, one.name) for one in fields(self)}
        return {"kind": "text", "version": TEXT_VERSION, **entry, "vocabulary": [*self.vocabulary]}


def text_of(entry: Mapping[str, Any]) -> TextRecipe:
    """The recipe that `as_json` wrote.  Raises DataError for another kind, version or field."""
    return recipe_from(entry, TextRecipe, kind="text", of="text", version=TEXT_VERSION)


def text_recipe_text(recipe: TextRecipe) -> str:
    """The recipe as the JSON text that files store."""
    return json.dumps(recipe.as_json(), separators=(",", ":"), ensure_ascii=False)


def text_record(recipe: TextRecipe) -> bytes:
    """The record of ERNN_FRONT_END_TEXT, version 1: the words by their bytes, for a search."""
    by_bytes = sorted(
        (word.encode(), token) for token, word in enumerate(recipe.vocabulary) if word is not None
    )
    flags = _LOWER * recipe.lower | _STRIP * recipe.strip
    flags |= {"whitespace": _SPACES, "character": _CHARACTERS, "none": 0}[recipe.split]
    table, content = bytearray(), bytearray()
    for word, token in by_bytes:
        table += struct.pack("<2I", len(content), token)
        content += word
    table += struct.pack("<2I", len(content), 0)
    size = struct.calcsize(_HEADER)
    unknown = _NONE if recipe.unknown is None else recipe.unknown
    places = (len(by_bytes), size, size + len(table), len(content))
    header = struct.pack(_HEADER, flags, recipe.length, unknown, *places, *(0,) * 5)
    return header + bytes(table) + bytes(content)


def text_of_record(record: bytes) -> TextRecipe:
    """The recipe in a record that the C library accepted.

    >>> recipe = TextRecipe(vocabulary=("", None, "good", "film"), unknown=1, lower=True)
    >>> text_of_record(text_record(recipe)) == recipe
    True

    Raises DataError for words that are not UTF-8.
    """
    flags, length, unknown, count, at, start, _ = struct.unpack_from("<7I", record)
    table = list(struct.iter_unpack("<2I", record[at : at + 8 * (count + 1)]))
    tokens = [token for _, token in table[:count]]
    if tokens and max(tokens) >= 2 * MOST_WORDS:
        raise DataError(f"the vocabulary has the token {max(tokens)}")
    vocabulary: list[str | None] = [None] * (max(tokens, default=-1) + 1)
    for (begin, token), (end, _) in pairwise(table):
        if vocabulary[token] is not None:
            raise DataError(f"the vocabulary has two words for the token {token}")
        try:
            vocabulary[token] = record[start + begin : start + end].decode()
        except UnicodeDecodeError as error:
            raise DataError(f"the word of the token {token} is not UTF-8") from error
    split = {_SPACES: "whitespace", _CHARACTERS: "character", 0: "none"}
    return TextRecipe(
        vocabulary=tuple(vocabulary),
        unknown=None if unknown == _NONE else unknown,
        lower=bool(flags & _LOWER),
        strip=bool(flags & _STRIP),
        split=split[flags & (_SPACES | _CHARACTERS)],
        length=length,
    )
