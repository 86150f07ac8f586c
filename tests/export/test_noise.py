"""Errors in units of what an output says."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest

from edgernn.export.noise import Noise, shares_a_unit, spread
from edgernn.graph import (
    Activation,
    ActivationKind,
    Dense,
    Graph,
    Gru,
    Input,
    Output,
    Reverse,
    TensorSpec,
)

RNG = np.random.default_rng(3)


def noise(exact: list[Any], given: list[Any], *, shared: bool = False) -> Noise:
    arrays = [np.asarray(one, np.float32) for one in exact]
    found = [np.asarray(one, np.float32) for one in given]
    return spread(arrays, shared=shared).noise(arrays, found)


@pytest.mark.parametrize("offset", [0.0, 293.0, -5000.0])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
def test_offset_and_unit_of_an_output_change_nothing(offset, scale):
    exact = RNG.normal(size=(200, 1))
    off = exact + 0.1 * RNG.normal(size=(200, 1))
    found = noise([offset * scale + scale * exact], [offset * scale + scale * off])
    assert found.mean == pytest.approx(0.08, rel=0.2)  # E|N(0, 0.1)|
    assert found.snr_db == pytest.approx(20, abs=1.5)


def test_a_lost_number_shows_beside_one_of_a_larger_unit():
    exact = RNG.normal(size=(100, 2)) * [0.5, 300] + [293, 101325]
    given = exact.copy()
    given[:, 0] = 293
    assert noise([exact], [given]).mean > 0.3
    assert noise([exact], [given], shared=True).mean < 0.01


def test_a_number_that_never_varies_does_not_drown_the_others():
    exact = np.column_stack([RNG.normal(size=(100, 9)), np.zeros(100)])
    given = exact + 1e-3
    assert 0.1 < noise([exact], [given]).mean < 0.11  # one of ten is lost, and no more
    exact[:, 9] = 2.0
    assert noise([exact], [exact + 1e-6]).mean < 1e-3


def test_a_class_that_never_occurs_does_no_harm():
    probabilities = np.column_stack([RNG.random(100), np.full(100, 1e-6)])
    assert noise([probabilities], [probabilities + 1e-5], shared=True).mean < 1e-4


def test_two_rows_show_the_spread_of_all_numbers_together():
    exact = [[[0.0, 1.0, 2.0, 3.0]]]
    assert noise(exact, [[[0.1, 1.1, 2.1, 3.1]]]).mean == pytest.approx(0.1 / np.std([0, 1, 2, 3]))


def test_no_number_agrees_with_no_number_only():
    exact = [np.array([[np.nan], [2.0], [-1.0], [0.0]])]
    assert noise(exact, exact) == Noise(mean=0.0, power=0.0)
    assert noise(exact, exact).snr_db == inf
    filled = [np.array([[0.0], [2.0], [-1.0], [0.0]])]
    assert noise(exact, filled).mean == inf
    assert noise(filled, exact).snr_db == -inf
    infinite = [np.array([[inf], [2.0], [-1.0], [0.0]])]
    assert noise(infinite, infinite).mean == 0
    assert noise(infinite, filled).mean == inf


def test_another_shape_is_an_infinite_error():
    assert noise([np.ones((4, 2))], [np.ones((4, 3))]).mean == inf


def test_probabilities_and_states_share_a_unit():
    softmax = Activation(kind=ActivationKind.SOFTMAX)
    kernel = RNG.normal(size=(3, 6)).astype(np.float32)
    gru = Gru(
        name="gru", input="x", output="h", state_h="s", kernel=kernel,
        recurrent_kernel=RNG.normal(size=(2, 6)).astype(np.float32), bias=None, recurrent_bias=None,
    )  # fmt: skip
    back = Reverse(name="back", input="h", output="b")
    head = Dense(name="head", input="s", output="y", kernel=kernel[:2], bias=None)
    graph = Graph(
        name="m",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, None, 3))),),
        layers=(gru, back, head),
        outputs=(Output(name="y", edge="y"),),
    )
    found = {edge: shares_a_unit(graph, edge) for edge in ("x", "h", "s", "b", "y")}
    assert found == {"x": False, "h": True, "s": True, "b": True, "y": False}
    classes = replace(graph, layers=(gru, back, replace(head, activation=softmax)))
    assert shares_a_unit(classes, "y")
