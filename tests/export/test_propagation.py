"""What a change of one layer makes of the outputs: as if the whole model ran with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgernn.export import propagation
from edgernn.export.in_scheme import float_graph
from edgernn.export.keras.file import read_model
from edgernn.export.propagation import Change, with_changes
from edgernn.graph import Graph, Layer
from edgernn.reference import apply, execute
from tests.golden import GOLDEN

RNG = np.random.default_rng(4)


def other_weights(layer: Layer) -> Layer:
    """The same layer with every weight 2 % larger."""
    changed: dict[str, Any] = {
        name: np.float32(1.02) * np.asarray(weight) for name, weight in layer.weights.items()
    }
    return replace(layer, **changed)


@pytest.fixture(scope="module", params=["digits_lstm", "counter_lstm", "digits_gru"])
def graph(request: pytest.FixtureRequest) -> Graph:
    return float_graph(read_model(GOLDEN / "trained" / f"{request.param}.keras").graph)


def rows_of(graph: Graph) -> dict[str, Any]:
    (entry,) = graph.inputs
    shape = [size or 12 for size in entry.spec.shape[1:]]
    x = RNG.normal(size=(5, *shape)).astype(np.float32)
    x[2, shape[0] // 2 :] = 0  # hidden, where the model has a mask
    return {entry.name: x}


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
@pytest.mark.parametrize("together", [1, 2, 100])
def test_each_change_is_as_if_it_were_the_only_one(graph, together, large, monkeypatch) -> None:
    if large:
        monkeypatch.setattr(propagation, "_LARGE", 0)
    rows = rows_of(graph)
    exact = execute(graph, rows)
    numbers = sum(array.size for array in exact.values())
    monkeypatch.setattr(propagation, "_MOST_NUMBERS", together * numbers)
    changed = [layer for layer in graph.layers if layer.weights]
    assert len(changed) > 1
    edges = {output.edge for output in graph.outputs}
    found = with_changes(
        graph,
        [Change(layer=one.name, written=apply(other_weights(one), exact)) for one in changed],
        exact,
        edges,
    )
    for layer, outputs in zip(changed, found, strict=True):
        layers = [other_weights(one) if one is layer else one for one in graph.layers]
        wanted = execute(replace(graph, layers=tuple(layers)), rows)
        assert outputs.keys() == edges
        for edge in edges:
            np.testing.assert_allclose(outputs[edge], wanted[edge], atol=2e-6)
        assert any(np.abs(outputs[edge] - exact[edge]).max() > 1e-5 for edge in edges)
