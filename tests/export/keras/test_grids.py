"""Grids of trained weights in `edgernn.json`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgernn.export.keras.grids import as_json, with_grids
from edgernn.export.quantization.trained_grid import LEVELS
from edgernn.graph import WeightGrid, as_float32, content_key, with_weights
from tests.edgernn.runtime.models import cell, graph_of


@pytest.mark.parametrize("most", [*LEVELS.values(), 3], ids=[*LEVELS, "int3 of older files"])
def test_a_grid_that_is_written_is_read_again(most: int) -> None:
    rng = np.random.default_rng(0)
    graph = graph_of(cell("gru", rng, units=4, features=3), features=3)
    (layer,) = graph.layers
    kernel = as_float32(layer.weights["kernel"])
    step = np.exp2(np.ceil(np.log2(np.abs(kernel).max(axis=0) / most))).astype(np.float32)
    grid = WeightGrid(step=step, most=most)
    rounded = grid.values(grid.numbers(kernel))
    layer = with_weights(layer, {"kernel": rounded})
    entry = as_json("gru/kernel", rounded, grid)
    read = with_grids(replace(graph, layers=(layer,)), [entry], where="a.keras").grids
    found = read[content_key(rounded)]
    assert found.most == most
    np.testing.assert_array_equal(found.step, step)
