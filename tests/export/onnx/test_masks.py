"""Masks of every shape: random ones, and those at the borders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgernn.export.cases import Case
from edgernn.export.onnx import lower
from edgernn.graph import Graph, Gru, Lstm, NotEqual, Recurrent, SimpleRnn
from edgernn.reference import run as run_reference
from tests.export.onnx.agreement import run, session
from tests.export.onnx.models import (
    FEATURES,
    UNITS,
    booleans,
    cell,
    floats,
    graph_of,
    numbers,
    sequence,
    states_of,
    tokens,
)

Mask = npt.NDArray[np.bool_]

_MASKS = hnp.arrays(np.bool_, st.tuples(st.integers(1, 4), st.integers(1, 9)))


def _graph(kind: type[Recurrent], *, backward: bool, zero: bool) -> Graph:
    """Outputs at each step, the last one, and states, from initial states, under any mask."""
    states = ["initial_h", "initial_c"] if kind is Lstm else ["initial_h"]
    common: dict[str, Any] = {
        "mask": "mask",
        "go_backwards": backward,
        "zero_output_for_mask": zero,
        **{name: name for name in states},
    }
    each = cell(kind, "each", return_sequences=True, **common)
    last = cell(kind, "last", **common)
    above = cell(kind, "above", "each", features=UNITS, return_sequences=True, mask="mask")
    inputs = [sequence(), booleans("mask", None, None), *(floats(n, None, UNITS) for n in states)]
    return graph_of(inputs, each, last, above, outputs=["each", "last", "above", *states_of(last)])


@pytest.mark.parametrize("kind", [Gru, Lstm, SimpleRnn])
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("zero", [False, True])
def test_any_mask_skips_its_steps(kind: type[Recurrent], backward: bool, zero: bool) -> None:
    graph = _graph(kind, backward=backward, zero=zero)
    opened = session(lower(graph, metadata={}).content)

    @settings(max_examples=25, deadline=None)
    @given(_MASKS)
    @example(np.zeros((1, 1), np.bool_))
    @example(np.zeros((3, 5), np.bool_))
    @example(np.ones((2, 4), np.bool_))
    @example(np.array([[True, True, False], [False, False, False], [False, False, True]]))
    def agrees(mask: Mask) -> None:
        batch, steps = mask.shape
        inputs: Mapping[str, npt.NDArray[np.generic]] = {
            "x": numbers(batch, steps, FEATURES, scale=1),
            "mask": mask,
            **{
                entry.name: numbers(batch, UNITS, seed=position)
                for position, entry in enumerate(graph.inputs[2:])
            },
        }
        actual = run(opened, inputs)
        for name, wanted in run_reference(graph, inputs).items():
            np.testing.assert_allclose(actual[name], wanted, atol=2e-6)

    agrees()


def test_padded_tokens_are_skipped_and_cost_nothing() -> None:
    """Garbage at masked steps, even NaN, never reaches the result."""
    graph = graph_of(
        [sequence(), tokens("words", None, None)],
        NotEqual(name="mask", input="words", output="mask"),
        cell(Gru, mask="mask", return_sequences=True),
    )
    x = numbers(2, 6, FEATURES)
    words = np.array([[3, 1, 0, 0, 2, 0], [0, 0, 0, 5, 5, 5]], np.int32)
    spoiled = np.where(words[:, :, None] == 0, np.float32("nan"), x)
    opened = session(lower(graph, metadata={}).content)
    clean = Case(name="clean", inputs={"x": x, "words": words})
    (expected,) = run_reference(graph, clean.inputs).values()
    (actual,) = run(opened, {"x": spoiled, "words": words}).values()
    np.testing.assert_allclose(actual, expected, atol=2e-6)
