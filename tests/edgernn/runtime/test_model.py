"""What Python users meet: names, shapes, errors, threads."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import edgernn
from edgernn import reference
from edgernn.errors import DataError, ModelFileError
from edgernn.export.native import lower
from edgernn.graph import (
    Concatenate,
    DType,
    Embedding,
    GlobalPool1D,
    Graph,
    Input,
    Output,
    PoolKind,
    TensorSpec,
)
from edgernn.runtime import available_isas
from edgernn.runtime.ports import checked_batch
from tests.edgernn.runtime.models import cell, graph_of, numbers


@pytest.fixture
def gru() -> Graph:
    return graph_of(cell("gru", np.random.default_rng(0), units=6, features=3), features=3)


def two_inputs() -> Graph:
    rng = np.random.default_rng(0)
    return Graph(
        name="two",
        inputs=(
            Input(name="tokens", spec=TensorSpec(shape=(None, None), dtype=DType.INT32)),
            Input(name="static", spec=TensorSpec(shape=(None, 4))),
        ),
        layers=(
            Embedding(name="e", input="tokens", output="v", table=numbers(rng, 11, 5)),
            GlobalPool1D(name="p", input="v", output="m", kind=PoolKind.AVERAGE),
            Concatenate(name="c", inputs=("m", "static"), output="y"),
        ),
        outputs=(Output(name="joined", edge="y"),),
    )


def test_a_file_tells_its_labels_metadata_inputs_and_outputs(gru: Graph, tmp_path: Path) -> None:
    path = tmp_path / "gru.ernn"
    metadata = {"labels": '["yes", "nö"]', "scheme": "float32"}
    path.write_bytes(lower(gru, metadata=metadata).content)
    model = edgernn.Model(path)
    assert model.labels == ("yes", "nö")
    assert model.metadata == metadata
    assert [(port.name, port.width) for port in model.inputs] == [("x", 3)]
    assert [(port.name, port.row_shape) for port in model.outputs] == [("y", (6,))]


def test_rows_of_a_batch_are_independent_sequences(gru: Graph) -> None:
    model = edgernn.Model(lower(gru, metadata={}).content)
    x = numbers(np.random.default_rng(1), 5, 12, 3)
    together = model(x)
    np.testing.assert_array_equal(together, np.concatenate([model(row[None]) for row in x]))


def test_several_inputs_are_given_in_order_or_by_name() -> None:
    graph = two_inputs()
    model = edgernn.Model(lower(graph, metadata={}).content)
    tokens = np.array([[1, 4, 10]], np.int32)
    static = numbers(np.random.default_rng(0), 1, 4)
    expected = reference.run(graph, {"tokens": tokens, "static": static})["joined"]
    np.testing.assert_allclose(model(tokens, static), expected, atol=1e-6)
    by_name = model.run({"static": static, "tokens": tokens})
    np.testing.assert_allclose(by_name["joined"], expected, atol=1e-6)


@pytest.mark.parametrize("meet", [False, True], ids=["at their ends", "step by step"])
def test_inputs_may_have_different_lengths_where_they_meet_at_their_ends(meet: bool) -> None:
    """As a question and a document do; and those that are added step by step still stream."""
    rng = np.random.default_rng(0)
    spec = TensorSpec(shape=(None, None, 4))
    first = cell("gru", rng, units=6, features=4, name="a", return_sequences=meet)
    second = cell("lstm", rng, units=6, features=4, name="b", input="z", return_sequences=meet)
    graph = Graph(
        name="two",
        inputs=(Input(name="x", spec=spec), Input(name="z", spec=spec)),
        layers=(first, second, Concatenate(name="c", inputs=("a.y", "b.y"), output="y")),
        outputs=(Output(name="y", edge="y"),),
    )
    model = edgernn.Model(lower(graph, metadata={}).content)
    assert model.is_streaming is meet
    for steps in (40, 40), (40, 7), (7, 300):
        if meet and steps[0] != steps[1]:
            continue
        inputs = {"x": numbers(rng, 2, steps[0], 4), "z": numbers(rng, 2, steps[1], 4)}
        expected = reference.run(graph, inputs)["y"]
        np.testing.assert_allclose(model.run(inputs)["y"], expected, atol=1e-6)


def test_a_token_outside_the_vocabulary_is_an_error() -> None:
    model = edgernn.Model(lower(two_inputs(), metadata={}).content)
    with pytest.raises(DataError, match="vocabulary"):
        model(np.array([[11]], np.int32), np.zeros((1, 4), np.float32))


@pytest.mark.parametrize(
    ("x", "error", "match"),
    [
        (np.zeros((1, 5, 4), np.float32), ValueError, r"\(any, any, 3\), not \(1, 5, 4\)"),
        (np.zeros((5, 3), np.float32), ValueError, r"not \(5, 3\)"),
        (np.zeros((1, 5, 3), np.int32), TypeError, "float32, not int32"),
        (np.zeros((0, 5, 3), np.float32), ValueError, "at least 1"),
        (np.zeros((1, 0, 3), np.float32), DataError, "steps"),
    ],
)
def test_what_does_not_fit_is_refused(
    gru: Graph, x: np.ndarray, error: type[Exception], match: str
) -> None:
    model = edgernn.Model(lower(gru, metadata={}).content)
    with pytest.raises(error, match=match):
        model(x)


def test_a_step_of_another_shape_names_both_shapes(gru: Graph) -> None:
    session = edgernn.Model(lower(gru, metadata={}).content).session()
    with pytest.raises(ValueError, match=r"\(3,\), not \(4,\)"):
        session.step(np.zeros(4, np.float32))
    with pytest.raises(TypeError, match="float32, not int64"):
        session.step(np.zeros(3, np.int64))


def test_arrays_of_other_strides_and_precision_are_converted(gru: Graph) -> None:
    model = edgernn.Model(lower(gru, metadata={}).content)
    x = numbers(np.random.default_rng(0), 1, 8, 6)
    np.testing.assert_array_equal(model(x[:, :, ::2]), model(x[:, :, ::2].astype(np.float64)))


def test_threads_share_a_model(gru: Graph) -> None:
    model = edgernn.Model(lower(gru, metadata={}).content)
    xs = [numbers(np.random.default_rng(seed), 1, 50, 3) for seed in range(8)]
    expected = [model(x) for x in xs]
    with ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            for got, wanted in zip(threads.map(model, xs), expected, strict=True):
                np.testing.assert_array_equal(got, wanted)


def test_a_running_call_leaves_python_to_others(gru: Graph) -> None:
    """While one thread is in the library for long, this one goes on."""
    model = edgernn.Model(lower(gru, metadata={}).content)
    x = numbers(np.random.default_rng(0), 1, 2_000_000, 3)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(model, x)
        turns = 0
        while not running.done():
            turns += 1
            time.sleep(0.001)
    # With the GIL held there would be a turn before the call and one behind it.
    assert turns > 3


def test_contiguous_inputs_are_not_copied(gru: Graph) -> None:
    port = edgernn.Model(lower(gru, metadata={}).content).inputs[0]
    x = numbers(np.random.default_rng(0), 2, 5, 3)
    assert checked_batch(port, x).ctypes.data == x.ctypes.data


def test_an_instruction_set_can_be_chosen(gru: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    content = lower(gru, metadata={}).content
    for isa in available_isas():
        assert edgernn.Model(content, isa=isa).session().isa == isa
    monkeypatch.setenv("EDGERNN_ISA", "portable")
    assert edgernn.Model(content).session().isa == "portable"
    with pytest.raises(ValueError, match="there are portable"):
        edgernn.Model(content, isa="sve")


def test_a_missing_or_empty_file_is_a_model_file_error(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot read"):
        edgernn.Model(tmp_path / "no.ernn")
    (tmp_path / "empty.ernn").touch()
    with pytest.raises(ModelFileError, match="empty"):
        edgernn.Model(tmp_path / "empty.ernn")


def test_a_session_shows_its_model_and_how_it_runs(gru: Graph, tmp_path: Path) -> None:
    path = tmp_path / "gru.ernn"
    path.write_bytes(lower(gru, metadata={}).content)
    session = edgernn.Model(path, isa="portable").session(max_steps=7)
    assert repr(session) == "<edgernn session of gru.ernn: portable, up to 7 steps a call>"
