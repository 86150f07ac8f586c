"""Rows that two threads share out calibrate as they do in one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgernn.errors import CalibrationError
from edgernn.export.quantization.calibrate import calibrate
from edgernn.graph import ActivationKind, Gru, Range
from edgernn.reference import batched
from tests.export.quantization.test_calibrate import samples, stack
from tests.export.quantization.test_chosen import function, graph_of, rows

LONG = "edgernn.export.quantization.calibrate._LONG"


@pytest.mark.parametrize("batch", [64, 11], ids=["one_batch", "several_batches"])
@pytest.mark.parametrize("before", [True, False], ids=["reset_before", "reset_after"])
def test_ranges_and_moments_are_those_of_one_thread(
    batch: int, before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, x = stack(), samples()
    if before:
        graph = reset_before(graph)
    x[:20] += 50  # far from the first row of the other half
    x[:, 7:] = 0
    whole = calibrate(graph, {"x": x})
    monkeypatch.setattr(LONG, 0)
    monkeypatch.setattr(batched, "MOST_ROWS", batch)
    halves = calibrate(graph, {"x": x})
    assert halves.edges.keys() == whole.edges.keys()
    for found, wanted in pairs(halves, whole):
        # A product of another size adds up in another order.
        scale = max(wanted.magnitude, 1.0)
        assert found.low == pytest.approx(wanted.low, abs=1e-5 * scale)
        assert found.high == pytest.approx(wanted.high, abs=1e-5 * scale)
        assert found.mean == pytest.approx(wanted.mean, abs=1e-5 * scale)
        np.testing.assert_allclose(found.channel_low, wanted.channel_low, atol=1e-5 * scale)
    for name, features in whole.inputs.items():
        np.testing.assert_allclose(halves.inputs[name].mean, features.mean, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            halves.inputs[name].deviation, features.deviation, rtol=1e-4, atol=1e-5
        )
    assert bool(whole.candidates) == before
    for mine, its in ((halves.moments, whole.moments), (halves.candidates, whole.candidates)):
        assert mine.keys() == its.keys()
        for name, moments in its.items():
            np.testing.assert_allclose(mine[name].mean, moments.mean, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(
                mine[name].covariance, moments.covariance, rtol=1e-4, atol=1e-4
            )


def test_a_row_of_the_second_half_is_named_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(function(ActivationKind.LOGARITHM, "x", "log"), output="log")
    x = np.abs(rows())
    x[x == 0] = 1.0
    x[33, 2, 1] = -1.0
    monkeypatch.setattr(LONG, -1)
    with pytest.raises(
        CalibrationError, match=r"layer 'log' returns NaN .* for row 33 of the data"
    ):
        calibrate(graph, {"x": x})


def reset_before(graph: Any) -> Any:
    """The same model with GRUs that reset before their product."""
    layers = [
        replace(layer, reset_after=False, recurrent_bias=None) if isinstance(layer, Gru) else layer
        for layer in graph.layers
    ]
    return replace(graph, layers=tuple(layers))


def pairs(found: Any, wanted: Any) -> Iterator[tuple[Range, Range]]:
    for name, entry in wanted.edges.items():
        yield found.edges[name], entry
    for layer, taps in wanted.cells.items():
        for tap, entry in taps.items():
            yield found.cells[layer][tap], entry
