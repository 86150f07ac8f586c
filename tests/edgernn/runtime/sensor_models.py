"""A small model of three sensors."""

from __future__ import annotations

import json

import numpy as np

from edgernn.export.native import lower
from edgernn.graph import Dense, Graph, Input, Output, TensorSpec
from edgernn.recipe import SensorRecipe, rows_text
from tests.edgernn.runtime.models import cell, numbers

LABELS = ("rest", "walk", "run")
RECIPE = SensorRecipe(
    rate_hz=50,
    channels=("x", "y", "z"),
    window=20,
    hop=5,
    add=(0.5, -1.0, 0.0),
    multiply=(2.0, 0.25, 0.1),
)


def sensor_graph(steps: int | None) -> Graph:
    rng = np.random.default_rng(3)
    return Graph(
        name="steps",
        inputs=(Input(name="samples", spec=TensorSpec(shape=(None, steps, 3))),),
        layers=(
            cell("gru", rng, units=6, features=3, name="g", input="samples"),
            Dense(name="d", input="g.y", output="s", kernel=numbers(rng, 6, 3) * 4, bias=None),
        ),
        outputs=(Output(name="s", edge="s"),),
    )


def sensor_content(recipe: SensorRecipe = RECIPE, *, steps: int | None = 20) -> bytes:
    metadata = {"front_end": rows_text(recipe), "labels": json.dumps(LABELS)}
    return lower(sensor_graph(steps), metadata=metadata).content
