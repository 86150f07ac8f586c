"""Which rows decide about an export, and the calls that they make."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgernn.export.rows import Examples, Origin, row_calls, row_cases, split, together
from edgernn.graph import Graph, Gru, Input, Output, TensorSpec, at_shapes
from edgernn.reference import run
from edgernn.streaming import expose_states, to_streaming

RNG = np.random.default_rng(9)


def rows(count: int, steps: int = 5) -> Examples:
    return Examples(inputs={"x": RNG.normal(size=(count, steps, 2)).astype(np.float32)})


def gru(*, stateful: bool = False) -> Graph:
    def weight(*shape: int) -> Any:
        return RNG.normal(size=shape).astype(np.float32)

    layer = Gru(
        name="gru", input="x", output="h", state_h="s", kernel=weight(2, 9), stateful=stateful,
        recurrent_kernel=weight(3, 9), bias=None, recurrent_bias=None,
    )  # fmt: skip
    graph = Graph(
        name="m",
        inputs=(Input(name="x", spec=TensorSpec(shape=(2 if stateful else None, None, 2))),),
        layers=(layer,),
        outputs=(Output(name="y", edge="s"),),
    )
    return expose_states(graph)


def test_one_row_of_four_is_kept_back_and_calibration_never_sees_it():
    examples = rows(40)
    seen, fresh = split(examples)
    assert (len(seen), len(fresh)) == (30, 10)
    assert fresh.origin is Origin.KEPT_BACK
    whole = {row.tobytes() for row in examples.inputs["x"]}
    parts = [{row.tobytes() for row in part.inputs["x"]} for part in (seen, fresh)]
    assert parts[0] | parts[1] == whole
    assert not parts[0] & parts[1]


def test_of_few_rows_none_is_kept_back_and_of_many_64():
    seen, checked = split(rows(15))
    assert len(seen) == len(checked) == 15
    assert checked.origin is Origin.CALIBRATION
    assert not checked.origin.is_fresh
    assert [len(part) for part in split(rows(1000))] == [936, 64]


def test_the_users_data_decide_too():
    kept, data = Examples(inputs=rows(60).inputs, origin=Origin.KEPT_BACK), rows(100)
    both = together(kept, data)
    assert both is not None
    assert (len(both), both.origin) == (64, Origin.BOTH)
    only = together(rows(9), data)  # calibration rows say nothing that the data do not
    assert only is not None
    assert (len(only), only.origin) == (64, Origin.DATA)
    other = together(kept, rows(10, steps=7))
    assert other is not None
    assert (len(other), other.origin) == (10, Origin.DATA)
    assert together(None, None) is None
    assert together(kept, None) is kept


def test_a_fixed_batch_is_filled():
    cases = row_cases(at_shapes(gru(), {"x": (4, 5, 2)}), rows(6).inputs)
    assert [case.inputs["x"].shape for case in cases] == [(4, 5, 2)] * 2
    np.testing.assert_array_equal(cases[1].inputs["x"][1], cases[1].inputs["x"][3])


def test_a_step_model_is_met_on_its_way_through_the_sequences():
    graph = gru()
    step = to_streaming(graph)
    (state,) = step.states
    examples = rows(7)
    calls = row_calls(step, examples)
    assert calls["x"].shape == (7, 1, 2)
    for row in range(7):
        at = row % 5
        before = examples.inputs["x"][row : row + 1, :at]
        reached = run(graph, {"x": before})["y"][0] if at else np.zeros(3)
        np.testing.assert_allclose(calls[state.input][row], reached, atol=1e-6)
        np.testing.assert_array_equal(calls["x"][row, 0], examples.inputs["x"][row, at])


def test_states_of_a_whole_model_are_zero_or_what_the_row_before_left():
    graph = gru(stateful=True)
    (state,) = graph.states
    examples = rows(6)
    calls = row_calls(graph, examples)
    zero = {**examples.inputs, state.input: np.zeros((6, 3), np.float32)}
    free = at_shapes(graph, {"x": (None, None, 2), state.input: (None, 3)})
    left = run(free, zero)[state.output]
    assert not calls[state.input][::2].any()
    np.testing.assert_allclose(calls[state.input][1::2], left[0::2], atol=1e-6)


@pytest.mark.parametrize("count", [1, 3])
def test_so_few_rows_are_enough(count):
    assert len(row_cases(gru(), row_calls(gru(), rows(count)))) == count
