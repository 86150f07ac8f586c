"""Texts as the tokens of a model that takes text."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from edgernn.errors import DataError
from edgernn.recipe import FrontEndRecipe, TextRecipe
from edgernn.tasks.class_texts import texts_numbered
from edgernn.tasks.csv_file import read_table
from edgernn.tasks.samples import AnyArray, InputArray, IntArray, Samples

_TEXT, _LABEL = "text", "label"
_FORM: Final = "A table of texts has the columns text and label, one text a line"


def tokens_of(texts: AnyArray, front_end: FrontEndRecipe | None, name: str) -> InputArray:
    """The tokens of [N] texts, [N, T]: shorter ones end with zeros.

    Raises DataError without a recipe for text, and for texts that cannot be used.
    """
    if not isinstance(front_end, TextRecipe):
        raise DataError(
            f"{name}: x is text",
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
    table = read_table(path)
    if _TEXT not in table.header:
        raise DataError(f"{path} has no column {_TEXT}", remedy=_FORM)
    labels: tuple[str, ...] = ()
    y: IntArray | None = None
    if _LABEL in table.header:
        said = table.column(_LABEL)
        if "" in said:
            raise DataError(
                f"{path}, line {table.lines[said.index('')]}: the label is missing",
                remedy="Name the class of each text, or remove the column",
            )
        labels, y = texts_numbered(np.array(said))
    return Samples(
        name=path.name,
        x=tokens_of(np.array(table.cells(_TEXT), dtype=object), recipe, str(path)),
        y=y,
        labels=labels,
        named=y is not None,
    )
