"""Where with tensors of several shapes in native files, beside the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgernn.export.native import lower
from edgernn.graph import (
    Compare,
    CompareKind,
    Graph,
    Input,
    Output,
    TensorSpec,
    Where,
)
from edgernn.reference import run
from edgernn.runtime import Model

FREE = (None, None, 3)
SHAPES = {
    "width_of_then": (FREE, (None, None, 1), FREE),
    "width_of_both": (FREE, (None, None, 1), (None, None, 1)),
    "row_of_otherwise": (FREE, FREE, (None, 1, 3)),
    "number": (FREE, (None, 1, 1), FREE),
    "condition_of_a_row": ((None, 1, 3), FREE, FREE),
    "condition_of_a_number": ((None, 1, 1), FREE, FREE),
    "condition_of_a_number_and_steps": ((None, 1, 1), (None, 4, 3), (None, 4, 1)),
    "condition_of_a_step": ((None, None, 1), FREE, (None, 1, 3)),
    "features": ((None, 5), (None, 1), (None, 5)),
    "condition_of_features": ((None, 1), (None, 5), (None, 5)),
}


def graph_of(shapes: Any) -> Graph:
    names = ("m", "a", "b")
    return Graph(
        name="where",
        inputs=tuple(
            Input(name=name, spec=TensorSpec(shape=shape))
            for name, shape in zip(names, shapes, strict=True)
        ),
        layers=(
            Compare(name="above", input="m", output="marks", kind=CompareKind.GREATER, value=0.0),
            Where(name="where", condition="marks", then="a", otherwise="b", output="y"),
        ),
        outputs=(Output(name="y", edge="y"),),
    )


@pytest.mark.parametrize("name", SHAPES)
def test_a_choice_among_shapes_that_broadcast_is_that_of_the_reference(name: str) -> None:
    graph = graph_of(SHAPES[name])
    rng = np.random.default_rng(1)
    given = {
        entry.name: rng.normal(size=[4 if size is None else size for size in entry.spec.shape])
        for entry in graph.inputs
    }
    given = {name: array.astype(np.float32) for name, array in given.items()}
    for array in given.values():  # what is not chosen must not leak
        array.reshape(-1)[0] = np.inf
    (wanted,) = run(graph, given).values()
    (answer,) = Model(lower(graph, metadata={}).content).run(given).values()
    np.testing.assert_array_equal(answer, wanted)
