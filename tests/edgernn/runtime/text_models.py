"""A small model that takes text."""

from __future__ import annotations

import numpy as np

from edgernn.graph import Dense, DType, Embedding, Graph, Input, Output, TensorSpec
from edgernn.recipe import TextRecipe
from tests.edgernn.runtime.models import cell, numbers

RECIPE = TextRecipe(
    vocabulary=("", None, "good", "film", "日本"), unknown=1, lower=True, strip=True
)
TOKENS = TensorSpec(shape=(None, None), dtype=DType.INT32)


def text_graph(recipe: TextRecipe | None = RECIPE) -> Graph:
    """Tokens 0 to 4, a GRU of 6 units, two classes."""
    rng = np.random.default_rng(0)
    return Graph(
        name="texts",
        inputs=(Input(name="x", spec=TOKENS, text=recipe),),
        layers=(
            Embedding(name="e", input="x", output="v", table=numbers(rng, 5, 4)),
            cell("gru", rng, units=6, features=4, name="g", input="v"),
            Dense(name="d", input="g.y", output="s", kernel=numbers(rng, 6, 2), bias=None),
        ),
        outputs=(Output(name="s", edge="s"),),
    )  # fmt: skip
