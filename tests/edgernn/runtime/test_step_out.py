"""`Session.step(..., out=...)` writes into arrays of the caller."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest

from edgernn.errors import DataError
from edgernn.export.native import lower
from edgernn.graph import Concatenate, Embedding, Graph, Input, Output, TensorSpec
from edgernn.graph import DType as Type
from edgernn.runtime import Model
from edgernn.runtime.session import Session
from tests.edgernn.runtime.models import cell, graph_of, numbers


@pytest.fixture
def session() -> Session:
    gru = cell("gru", np.random.default_rng(0), units=6, features=3)
    return Model(lower(graph_of(gru, features=3), metadata={}).content).session()


@pytest.fixture
def two() -> Session:
    """A token and a row of numbers in; a row of each of two edges out."""
    rng = np.random.default_rng(0)
    graph = Graph(
        name="two",
        inputs=(
            Input(name="token", spec=TensorSpec(shape=(None, None), dtype=Type.INT32)),
            Input(name="x", spec=TensorSpec(shape=(None, None, 4))),
        ),
        layers=(
            Embedding(name="e", input="token", output="v", table=numbers(rng, 11, 5)),
            Concatenate(name="c", inputs=("v", "x"), output="j"),
            cell("gru", rng, units=6, features=9, name="g", input="j"),
        ),
        outputs=(Output(name="joined", edge="j"), Output(name="last", edge="g.y")),
    )
    return Model(lower(graph, metadata={}).content).session()


def frames(steps: int, width: int = 3) -> Any:
    return numbers(np.random.default_rng(1), steps, width)


def empty_pair() -> dict[str, Any]:
    return {"joined": np.empty(9, np.float32), "last": np.empty(6, np.float32)}


def test_out_receives_what_the_call_without_it_returns(session: Session) -> None:
    x, out = frames(20), np.empty(6, np.float32)
    expected = [session.step(frame) for frame in x]
    session.reset()
    for frame, wanted in zip(x, expected, strict=True):
        assert session.step(frame, out=out) is out
        np.testing.assert_array_equal(out, wanted)


def test_a_kept_input_is_read_again_and_a_new_one_takes_its_place(session: Session) -> None:
    x, frame = frames(9), np.empty(3, np.float32)
    expected = [session.step(row) for row in x]
    session.reset()
    outs = [np.empty(6, np.float32), np.empty(6, np.float32)]
    for number, row in enumerate(x):
        frame[:] = row
        given = row.astype(np.float64) if number % 3 == 2 else frame
        result = session.step(given, out=outs[number // 4 % 2])
        np.testing.assert_array_equal(result, expected[number])


def test_a_new_array_at_the_address_of_an_old_one_is_not_mistaken_for_it(session: Session) -> None:
    out = np.empty(6, np.float32)
    x = frames(50)
    expected = [session.step(row) for row in x]
    session.reset()
    for row, wanted in zip(x, expected, strict=True):
        np.testing.assert_array_equal(session.step(row.copy(), out=out), wanted)
    with pytest.raises(ValueError, match=r"\(3,\), not \(4,\)"):
        session.step(np.zeros(4, np.float32), out=out)


def test_calls_with_and_without_out_continue_one_sequence(session: Session) -> None:
    x, out = frames(12), np.full(6, 7, np.float32)
    expected = [session.step(row) for row in x]
    session.reset()
    for number, row in enumerate(x):
        if number % 2:
            before = out.copy()
            np.testing.assert_array_equal(session.step(row), expected[number])
            np.testing.assert_array_equal(out, before)
        else:
            np.testing.assert_array_equal(session.step(row, out=out), expected[number])


def test_several_inputs_and_outputs_go_by_order_and_by_name(two: Session) -> None:
    x, out = frames(10, 4), empty_pair()
    tokens = np.arange(10, dtype=np.int32)
    expected = [two.step(np.array(token), row) for token, row in zip(tokens, x, strict=True)]
    two.reset()
    for number, wanted in enumerate(expected):
        if number == 5:  # a replaced array in the same dict
            out["last"] = np.empty(6, np.float32)
        assert two.step(np.array(tokens[number]), x[number], out=out) is out
        for name in ("joined", "last"):
            np.testing.assert_array_equal(out[name], wanted[name])


def test_nothing_is_allocated(session: Session, two: Session) -> None:
    frame, out = frames(1)[0].copy(), np.empty(6, np.float32)
    token, row, pair = np.array(3, np.int32), frames(1, 4)[0], empty_pair()

    def thousand() -> None:
        for _ in range(1000):
            session.step(frame, out=out)
            two.step(token, row, out=pair)

    thousand()
    gc.collect()
    before = sys.getallocatedblocks()
    thousand()
    assert sys.getallocatedblocks() - before < 20  # the interpreter's own
    tracemalloc.start()
    try:
        session.step(frame, out=out)
        two.step(token, row, out=pair)
        tracemalloc.clear_traces()
        arrays = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
        thousand()
        assert not tracemalloc.take_snapshot().filter_traces([arrays]).traces
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000


@pytest.mark.parametrize(
    ("out", "match"),
    [
        (np.empty(5, np.float32), r"shape \(6,\) .* has the shape \(5,\)"),
        (np.empty((1, 6), np.float32), r"shape \(6,\) .* has the shape \(1, 6\)"),
        (np.empty(6, np.float64), "type float32; .* type float64"),
        (np.empty(6, ">f4"), "type float32; .* type >f4"),
        (np.empty(12, np.float32)[::2], "contiguous"),
        (np.frombuffer(bytearray(25), np.uint8)[1:].view(np.float32), "aligned"),
        (np.frombuffer(bytes(24), np.float32), "read-only"),
        ([0.0] * 6, "numpy array, not list"),
        ({"y": np.empty(6, np.float32)}, "numpy array, not dict"),
    ],
)
def test_an_out_that_does_not_fit_is_refused(session: Session, out: Any, match: str) -> None:
    for _ in range(2):  # a refused array is not taken for a checked one
        with pytest.raises(DataError, match=match):
            session.step(np.zeros(3, np.float32), out=out)


def test_an_out_that_becomes_read_only_is_refused(session: Session, two: Session) -> None:
    frame, out, pair = frames(1)[0], np.empty(6, np.float32), empty_pair()
    session.step(frame, out=out)
    out.flags.writeable = False
    with pytest.raises(DataError, match="'y' is read-only"):
        session.step(frame, out=out)
    token, row = np.array(1, np.int32), frames(1, 4)[0]
    two.step(token, row, out=pair)
    pair["last"].flags.writeable = False
    with pytest.raises(DataError, match="'last' is read-only"):
        two.step(token, row, out=pair)


def test_memory_of_an_input_or_another_output_is_refused(session: Session, two: Session) -> None:
    memory = np.zeros(9, np.float32)
    for _ in range(2):
        with pytest.raises(DataError, match="'y' shares memory with 'x'"):
            session.step(memory[:3], out=memory[2:8])
    session.step(memory[:3], out=memory[3:])
    frame, out = memory[:3], np.empty(6, np.float32)
    session.step(frame, out=out)
    for _ in range(2):  # the input is new, the output was checked
        with pytest.raises(DataError, match="'y' shares memory with 'x'"):
            session.step(out[1:4], out=out)
    pair = {"joined": memory, "last": memory[:6]}
    for _ in range(2):
        with pytest.raises(DataError, match="'last' shares memory with 'joined'"):
            two.step(np.array(1, np.int32), frames(1, 4)[0], out=pair)


@pytest.mark.parametrize(
    "out",
    [
        np.empty(9, np.float32),
        {"joined": np.empty(9, np.float32)},
        {"joined": np.empty(9, np.float32), "first": np.empty(6, np.float32)},
    ],
)
def test_several_outputs_need_a_dict_with_all_names(two: Session, out: Any) -> None:
    with pytest.raises(DataError, match="for each of 'joined', 'last'"):
        two.step(np.array(1, np.int32), frames(1, 4)[0], out=out)


def test_a_busy_session_refuses_a_call_with_out(session: Session) -> None:
    out = np.empty(6, np.float32)
    with session._alone(), pytest.raises(DataError, match="another thread"):
        session.step(frames(1)[0], out=out)
    with pytest.raises(DataError, match="shape"):
        session.step(frames(1)[0], out=np.empty(5, np.float32))
    session.step(frames(1)[0], out=out)  # a refused call leaves the session usable


def test_the_number_of_inputs_is_checked_with_out(session: Session) -> None:
    with pytest.raises(TypeError, match="takes 1 inputs a step, not 2"):
        session.step(frames(1)[0], frames(1)[0], out=np.empty(6, np.float32))


def test_none_in_the_place_of_an_array_is_refused(session: Session, two: Session) -> None:
    nothing: Any = None
    with pytest.raises(TypeError, match="float32, not object"):
        session.step(nothing, out=np.empty(6, np.float32))
    out = {"joined": nothing, "last": np.empty(6, np.float32)}
    with pytest.raises(DataError, match="numpy array, not None"):
        two.step(np.array(1, np.int32), frames(1, 4)[0], out=out)


def test_a_refused_call_does_not_hide_an_overlap_from_the_next(session: Session) -> None:
    out = np.empty(6, np.float32)
    session.step(frames(1)[0], out=out)
    inside = out[:3]
    with pytest.raises(DataError, match="shape"):
        session.step(inside, out=np.empty(5, np.float32))
    with pytest.raises(DataError, match="shares memory"):
        session.step(inside, out=out)
