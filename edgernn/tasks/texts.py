"""Texts as the tokens of a model that takes text."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import numpy as np

from edgernn.errors import DataError
from edgernn.recipe import FrontEndRecipe, TextRecipe
from edgernn.regular_file import opened
from edgernn.tasks.class_texts import texts_numbered
from edgernn.tasks.samples import AnyArray, InputArray, IntArray, Samples

_FORM: Final = "A table of texts has the columns text and label, one text a line"


def tokens_of(texts: AnyArray, front_end: FrontEndRecipe | None, name: str) -> InputArray:
    """The tokens of [N] texts, [N, T]: shorter ones end with zeros.

    Raises DataError without a recipe for text, and for texts that cannot be used.
    """
    if not isinstance(front_end, TextRecipe):
        raise DataError(
            f"{name}: x has the type {texts.dtype}, which is text",
            remedy="Give tokens or numbers, or a model with TextVectorization behind its input",
        )
    from edgernn.runtime.tokenizer import Tokenizer

    try:
        return Tokenizer(front_end).batch(texts)
    except DataError as error:
        raise DataError(f"{name}: {error.what}", remedy=error.remedy) from error


def read_texts(path: Path, recipe: TextRecipe) -> Samples:
    """The samples of a .csv with the columns text and label (which may be missing).

    Raises DataError for a table without texts.
    """
    try:
        with opened(path) as file:
            lines = file.read().decode("utf-8-sig").splitlines(keepends=True)
        table = list(csv.DictReader(lines, strict=True))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a table of UTF-8 text ({error})", remedy=_FORM) from error
    if not table or "text" not in table[0]:
        raise DataError(f"{path} has no column text", remedy=_FORM)
    texts = [line["text"] or "" for line in table]
    labels: tuple[str, ...] = ()
    y: IntArray | None = None
    if "label" in table[0]:
        labels, y = texts_numbered(np.array([(line["label"] or "").strip() for line in table]))
    return Samples(
        name=path.name,
        x=tokens_of(np.array(texts, dtype=object), recipe, str(path)),
        y=y,
        labels=labels,
        named=y is not None,
    )
