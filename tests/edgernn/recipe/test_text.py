"""The recipe of text: its forms, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edgernn.errors import DataError
from edgernn.recipe import TextRecipe, text_of, text_record
from edgernn.recipe.text import MOST_WORDS, SPLITS, text_of_record

RECIPE = TextRecipe(
    vocabulary=("", None, "good", "film", "Ünï", "日本"),
    unknown=1,
    lower=True,
    strip=True,
    length=7,
)
RECIPES = [
    RECIPE,
    *(replace(RECIPE, split=split, length=0, lower=False) for split in SPLITS),
    TextRecipe(vocabulary=("a", "b"), unknown=None, split="none"),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=range(len(RECIPES)))
def test_json_and_record_give_the_recipe_back(recipe: TextRecipe) -> None:
    assert text_of(recipe.as_json()) == recipe
    assert text_of_record(text_record(recipe)) == recipe


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"vocabulary": ("a", "b", "a")}, "has the word 'a' more than once"),
        ({"vocabulary": tuple(map(str, range(MOST_WORDS + 1)))}, "1,048,577 words"),
        ({"vocabulary": ("x" * (1 << 26), "y")}, "has 2 words"),
        ({"vocabulary": ("\ud800",)}, "not Unicode"),
        ({"split": "commas"}, "splits at 'commas'"),
        ({"length": -1}, "length of -1"),
        ({"unknown": -2}, "unknown words is -2"),
    ],
    ids=["repeats", "words", "bytes", "surrogate", "split", "length", "unknown"],
)
def test_what_the_c_library_would_refuse_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        replace(RECIPE, **change)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "format 2; this edgernn reads up to 1.*Update"),
        ({"kind": "sound"}, "of the kind 'sound', not text"),
        ({"stem": True}, "has no 'stem'"),
        ({"lower": 1}, "lower is 1"),
        ({"length": True}, "length is True"),
        ({"vocabulary": ["a", 1]}, "vocabulary is .'a', 1."),
    ],
    ids=["newer", "kind", "field", "flag", "number", "words"],
)
def test_a_recipe_that_a_reader_does_not_know_is_refused(
    change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        text_of({**RECIPE.as_json(), **change})


def test_the_description_says_what_a_token_is() -> None:
    assert RECIPE.description() == (
        "words, lower case, without punctuation; a vocabulary of 5, 7 a text"
    )
