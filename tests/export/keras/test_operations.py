"""Operations between layers in Keras files, which are no layers of their own."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn import reference
from edgernn.graph import (
    Affine,
    Slice,
)
from tests.export.keras.archives import (
    call,
    called,
    functional,
    input_layer,
    operation,
    read,
    tensor,
)


def test_arithmetic_with_constants_becomes_one_affine_layer_each(tmp_path):
    layers = [
        called(input_layer("a", [None, 2])),
        called(operation("Multiply", "twice"), call(tensor("a"), 2.0)),
        called(operation("Subtract", "less"), call(1.0, tensor("twice"))),
        called(operation("TrueDivide", "half"), call(tensor("less"), 4)),
    ]
    graph = read(tmp_path, functional(layers, ["a"], ["half"])).graph
    assert [type(entry) for entry in graph.layers] == [Affine] * 3
    x = np.array([[1.0, -3.0]], np.float32)
    np.testing.assert_allclose(reference.run(graph, {"a": x})["half"], (1 - 2 * x) / 4)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ([{"class_name": "__slice__", "config": {}}, -1], (2,)),
        ([{"class_name": "__ellipsis__", "config": {}}, 0], (5,)),
        (
            [
                {"class_name": "__slice__", "config": {}},
                {"class_name": "__slice__", "config": {"start": 1, "stop": None, "step": 2}},
            ],
            (2, 2),
        ),
    ],
)
def test_indexing_becomes_slices(tmp_path, key, expected):
    layers = [
        called(input_layer("a", [None, 5, 2])),
        called(operation("GetItem", "item"), call(tensor("a"), key)),
    ]
    graph = read(tmp_path, functional(layers, ["a"], ["item"])).graph
    assert all(isinstance(entry, Slice) for entry in graph.layers)
    assert graph.output_specs["item"].shape == (None, *expected)
