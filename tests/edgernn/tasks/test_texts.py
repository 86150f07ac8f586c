"""Texts as data: tables and lists of them, and what is refused."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.recipe import TextRecipe
from edgernn.runtime.tokenizer import Tokenizer
from edgernn.tasks.given import as_samples

RECIPE = TextRecipe(
    vocabulary=("", None, "good", "bad", "film"), unknown=1, lower=True, strip=True
)  # fmt: skip


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "reviews.csv"


@pytest.mark.parametrize(
    "text",
    ["good, film", "good\nfilm", "good\u2028film", "good\x0cfilm", "good\x85film", ' "good" '],
    ids=["comma", "lines", "U+2028", "form feed", "U+0085", "quotes"],
)
def test_a_text_of_a_table_is_as_it_was_written(text: str, table: Path) -> None:
    quoted = text.replace('"', '""')
    cell = f'"{quoted}"' if set(text) & set(',"\n') else text
    table.write_text(f"text,label\n{cell},yes\nbad,no\n", encoding="utf-8", newline="")
    samples = as_samples(table, front_end=RECIPE)
    assert np.array_equal(samples.x, Tokenizer(RECIPE).batch([text, "bad"]))
    assert samples.labels == ("no", "yes")
    assert samples.classified.tolist() == [1, 0]


def test_columns_may_be_separated_by_semicolons(table: Path) -> None:
    table.write_text("id;label;text\n1;yes;good film, bad\n")
    assert as_samples(table, front_end=RECIPE).x.tolist() == [[2, 4, 3]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("text,label\ngood, nice film,yes\n", r"line 2: 3 columns, not 2.*double quotes"),
        ("text\ngood, nice film\n", r"line 2: 2 columns, not 1.*double quotes"),
        ("text,label\ngood,yes\nbad\n", "line 3: 1 columns, not 2"),
        ("text,label\ngood,yes\nbad,\n", r"line 3: the label is missing.*Name the class"),
        ("text,label\n", "has no lines"),
        ("", "has no column text"),
        ("text,text\ngood,bad\n", "several columns 'text'"),
        (f"text\n{'good ' * 40_000}\n", r"field limit.*give the data as \.npz"),
    ],
    ids=["comma", "one column", "narrow", "no label", "no text", "empty", "twice", "long"],
)
def test_tables_that_would_be_misread_are_refused(content: str, reason: str, table: Path) -> None:
    table.write_text(content)
    with pytest.raises(DataError, match=reason):
        as_samples(table, front_end=RECIPE)


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["good", 1], "x has 1 among its texts"),
        (["good", float("nan")], "x has nan among its texts"),
        ([None, "good"], "x has None among its texts"),
        (np.array(["good", None], dtype=object), "x has None among its texts"),
        ([b"good", b"\xff"], "not UTF-8"),
        ([["good", "bad"]], "Give a list of texts"),
        ((["good", "bad"], ["yes", float("nan")]), "y has nan among its texts"),
        ((["good", "bad"], [b"yes", b"\xff"]), "y has bytes that are not ASCII"),
    ],
    ids=["number", "nan", "none", "array", "latin-1", "pairs", "label", "bytes"],
)
def test_what_numpy_would_make_texts_of_is_refused(texts: Any, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        as_samples(texts, front_end=RECIPE)


def test_one_long_text_does_not_make_the_others_long() -> None:
    texts = ["good " * 20_000, *["bad film"] * 500]  # as an array of characters: 200 MB
    recipe = replace(RECIPE, length=3)
    tracemalloc.start()
    try:
        samples = as_samples((texts, [0, *[1] * 500]), front_end=recipe)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert samples.x[:2].tolist() == [[2, 2, 2], [3, 4, 0]]
    assert peak < 20 << 20
