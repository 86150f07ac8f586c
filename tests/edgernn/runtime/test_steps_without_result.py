"""A step that has no result says so: until the first window is full, and between strides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgernn import reference
from edgernn.errors import DataError
from edgernn.export.native import lower
from edgernn.graph import Conv1D, Graph, Input, Output, Padding, TensorSpec
from edgernn.runtime import Model
from edgernn.streaming import rhythms, to_streaming
from tests.edgernn.runtime.models import cell, numbers

STEPS = 13
WINDOW = 3


def strided(stride: int, outputs: tuple[str, ...]) -> Graph:
    """A convolution in front of a GRU; outputs: "sequence" (of the convolution), "last"."""
    random = np.random.default_rng(0)
    edges = {"sequence": "c", "last": "g.y"}
    conv = Conv1D(
        name="conv", input="x", output="c", kernel=numbers(random, WINDOW, 4, 5), bias=None,
        stride=stride, padding=Padding.VALID,
    )  # fmt: skip
    gru = cell("gru", random, units=6, features=5, name="g", input="c")
    return Graph(
        name="strided",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, None, 4))),),
        layers=(conv, gru) if "last" in outputs else (conv,),
        outputs=tuple(Output(name=name, edge=edges[name]) for name in outputs),
    )


def step_model(graph: Graph, **more: str) -> Model:
    return Model(step_content(graph, **more))


def step_content(graph: Graph, **more: str) -> bytes:
    ((first, every),) = set(rhythms(graph).values())
    metadata = {"first_result": str(first), "result_every": str(every), **more}
    return lower(to_streaming(graph), metadata=metadata).content


def frames() -> Any:
    return numbers(np.random.default_rng(1), STEPS, 4)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_elements_come_when_their_windows_are_full(stride: int) -> None:
    graph = strided(stride, ("sequence",))
    session, x = step_model(graph).session(), frames()
    results = [session.step(frame) for frame in x]
    has_result = [step >= WINDOW - 1 and (step - WINDOW + 1) % stride == 0 for step in range(STEPS)]
    assert [result is not None for result in results] == has_result
    (whole,) = reference.run(graph, {"x": x[None]}).values()
    given = np.stack([result for result in results if result is not None])
    np.testing.assert_allclose(given.reshape(whole[0].shape), whole[0], atol=1e-5)


def test_what_sums_up_a_sequence_has_a_result_in_each_step_from_the_first() -> None:
    graph = strided(2, ("last",))
    session, x = step_model(graph).session(), frames()
    for step, frame in enumerate(x):
        result = session.step(frame)
        if step < WINDOW - 1:
            assert result is None
            continue
        (whole,) = reference.run(graph, {"x": x[None, : step + 1]}).values()
        np.testing.assert_allclose(result, whole[0], atol=1e-5)


def test_saved_states_and_a_reset_know_which_step_it_is() -> None:
    model, x = step_model(strided(2, ("sequence",))), frames()
    session, other = model.session(), model.session()
    for frame in x[:4]:
        session.step(frame)
    other.restore(session.save())
    for frame in x[4:8]:
        mine, theirs = session.step(frame), other.step(frame)
        assert (mine is None) == (theirs is None)
        np.testing.assert_array_equal(mine, theirs)
    session.reset()
    assert [session.step(frame) is None for frame in x[:4]] == [True, True, False, True]


def test_out_is_none_too_where_there_is_no_result() -> None:
    session, x = step_model(strided(1, ("sequence",))).session(), frames()
    out = np.empty((5,), np.float32)
    assert session.step(x[0], out=out) is None
    assert session.step(x[1], out=out) is None
    assert session.step(x[2], out=out) is out


def test_a_file_that_says_nothing_has_a_result_in_each_step() -> None:
    graph = strided(2, ("sequence",))
    session = Model(lower(to_streaming(graph), metadata={}).content).session()
    assert all(session.step(frame) is not None for frame in frames())


@pytest.mark.parametrize("stride", [1, 3])
def test_run_says_what_step_says(stride: int) -> None:
    model, x = step_model(strided(stride, ("sequence",))), frames()
    session, other = model.session(), model.session()
    for frame in x:
        wanted, given = session.step(frame), other.run(frame[None])
        assert (given is None) == (wanted is None)
        if wanted is not None:
            np.testing.assert_array_equal(np.ravel(given), np.ravel(wanted))


def test_a_call_of_the_model_is_no_stream() -> None:
    """By name, with states among the inputs: each call gives all that it computes."""
    model = step_model(strided(2, ("sequence",)))
    (port,) = model.free_inputs
    for _ in range(2):
        assert set(model.run({port.name: frames()[None, :1]})) >= {"sequence"}


def test_a_file_of_whole_sequences_with_a_stride_names_ways_that_work() -> None:
    graph, x = strided(2, ("last",)), frames()
    whole = Model(lower(graph, metadata={}).content).session()
    with pytest.raises(DataError, match=r"--streaming.*`run` the whole sequence"):
        whole.step(x[0])
    session = step_model(graph).session()
    last = [session.step(frame) for frame in x][-1]
    np.testing.assert_allclose(np.ravel(whole.run(x)), np.ravel(last), atol=1e-5)
