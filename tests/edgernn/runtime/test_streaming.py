"""Steps, parts and whole sequences give the same bits; states can be saved and brought back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgernn import streaming
from edgernn.errors import DataError
from edgernn.export.native import lower
from edgernn.graph import (
    LINEAR,
    RELU,
    SOFTMAX,
    Affine,
    Conv1D,
    Dense,
    Graph,
    Output,
    Padding,
    Upsample1D,
)
from edgernn.runtime import Model, available_isas
from tests.edgernn.runtime.models import (
    cell,
    graph_of,
    numbers,
    random_linear_plan,
    random_recurrent_plan,
    with_plans,
)
from tests.edgernn.runtime.toolchain import C_TESTS, HOST

FEATURES = 7


def keyword_spotter(*, integer: bool) -> Graph:
    """Normalization, a causal convolution, LSTM, GRU and a head: all that streams at once."""
    rng = np.random.default_rng(3)
    layers = (
        Affine(
            name="norm",
            input="x",
            output="n",
            scale=numbers(rng, FEATURES),
            offset=numbers(rng, FEATURES),
        ),
        Conv1D(
            name="conv",
            input="n",
            output="k",
            kernel=numbers(rng, 3, FEATURES, 19, gain=0.3),
            bias=numbers(rng, 19),
            dilation=2,
            padding=Padding.CAUSAL,
            activation=RELU,
        ),
        cell("lstm", rng, units=33, features=19, name="below", input="k", return_sequences=True),
        cell("gru", rng, units=20, features=33, name="above", input="below.y"),
        Dense(
            name="head",
            input="above.y",
            output="scores",
            kernel=numbers(rng, 20, 5),
            bias=numbers(rng, 5),
            activation=SOFTMAX,
        ),
    )
    graph = graph_of(*layers, features=FEATURES, frames="below.y")
    if not integer:
        return graph
    _, conv, below, above, head = layers
    return with_plans(
        graph,
        conv=random_linear_plan(conv, rng, bits=16),
        below=random_recurrent_plan(below, rng, bits=16, state_bits=8),
        above=random_recurrent_plan(above, rng, bits=8, state_bits=8, from_state=True),
        head=random_linear_plan(head, rng, bits=16),
    )


@pytest.fixture(params=[False, True], ids=["float", "integer"])
def content(request: pytest.FixtureRequest) -> bytes:
    return lower(keyword_spotter(integer=request.param), metadata={}).content


def frames(steps: int) -> Any:
    return numbers(np.random.default_rng(steps), steps, FEATURES)


@pytest.mark.parametrize("isa", available_isas())
def test_a_step_at_a_time_equals_the_whole_sequence(content: bytes, isa: str) -> None:
    model = Model(content, isa=isa)
    x = frames(75)  # more than two chunks
    whole = model(x[None])
    session = model.session()
    steps = [session.step(frame) for frame in x]
    np.testing.assert_array_equal(steps[-1]["y"], whole["y"][0])
    np.testing.assert_array_equal(np.stack([s["frames"] for s in steps]), whole["frames"][0])


@pytest.mark.parametrize("cut", [1, 31, 32, 33, 74])
def test_a_sequence_in_two_parts_equals_the_whole(content: bytes, cut: int) -> None:
    model = Model(content)
    x = frames(75)
    session = model.session()
    session.run(x[:cut])
    np.testing.assert_array_equal(session.run(x[cut:])["y"], model(x[None])["y"][0])


def test_a_saved_state_goes_on_in_another_session(content: bytes) -> None:
    model = Model(content)
    x = frames(20)
    first, second = model.session(), model.session()
    first.run(x[:11])
    saved = first.save()
    expected = first.run(x[11:])
    second.step(x[0])
    second.restore(saved)
    np.testing.assert_array_equal(second.run(x[11:])["y"], expected["y"])


@pytest.mark.parametrize("isa", available_isas())
def test_a_state_saved_on_one_instruction_set_goes_on_on_another(isa: str) -> None:
    content = lower(keyword_spotter(integer=True), metadata={}).content
    x = frames(20)
    here, there = Model(content, isa="portable").session(), Model(content, isa=isa).session()
    here.run(x[:11])
    there.restore(here.save())
    np.testing.assert_array_equal(there.run(x[11:])["frames"], here.run(x[11:])["frames"])


def test_a_reset_begins_a_new_sequence(content: bytes) -> None:
    session = Model(content).session()
    first = session.run(frames(9))["y"]
    session.reset()
    np.testing.assert_array_equal(session.run(frames(9))["y"], first)


def test_the_state_of_another_model_is_refused(content: bytes) -> None:
    layer = cell("gru", np.random.default_rng(0), units=4, features=FEATURES)
    other = Model(lower(graph_of(layer, features=FEATURES), metadata={}).content)
    with pytest.raises(DataError, match="another model"):
        Model(content).session().restore(other.session().save())


def test_a_file_exported_for_streaming_keeps_its_own_states() -> None:
    graph = keyword_spotter(integer=False)
    step_model = Model(lower(streaming.to_streaming(graph), metadata={}).content)
    assert step_model.is_streaming
    session, x = step_model.session(), frames(40)
    results = [session.step(frame) for frame in x]
    whole = Model(lower(graph, metadata={}).content)(x[None])
    np.testing.assert_allclose(results[-1]["y"].reshape(-1), whole["y"][0], atol=1e-6)


def test_a_step_that_makes_many_rows_is_refused_instead_of_written_past_its_end() -> None:
    layer = cell(
        "gru",
        np.random.default_rng(0),
        units=4,
        features=FEATURES,
        name="gru",
        return_sequences=True,
    )
    graph = streaming.to_streaming(graph_of(layer, features=FEATURES))
    rows = Upsample1D(name="rows", input=graph.outputs[0].edge, output="many", times=2000)
    many = replace(
        graph,
        layers=(*graph.layers, rows),
        outputs=(Output(name="y", edge="many"), *graph.outputs[1:]),
    )
    with pytest.raises(DataError, match="too small"):
        Model(lower(many, metadata={}).content).session().step(frames(1)[0])


def test_a_session_in_use_keeps_other_threads_out(content: bytes) -> None:
    session = Model(content).session()
    with session._alone():
        for call in (lambda: session.step(frames(1)[0]), lambda: session.run(frames(3))):
            with pytest.raises(DataError, match="another thread"):
                call()
        with pytest.raises(DataError, match="another thread"):
            session.reset()
    session.step(frames(1)[0])


@pytest.fixture(scope="module")
def busy_session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that uses a session while another thread does."""
    built = tmp_path_factory.mktemp("busy") / "busy"
    return HOST.build(built, C_TESTS / "busy_session.c")


def test_states_are_neither_saved_nor_changed_under_a_call(
    content: bytes, busy_session: Path, tmp_path: Path
) -> None:
    (tmp_path / "m.ernn").write_bytes(content)
    idle, busy = "success", "the session is in use by another thread"
    assert HOST.run(busy_session, tmp_path / "m.ernn").splitlines() == [
        *(idle, idle, idle, "zero"),
        *(busy, busy, busy, "kept"),
    ]


def test_a_model_that_looks_ahead_does_not_step() -> None:
    layer = cell("gru", np.random.default_rng(0), units=4, features=FEATURES, go_backwards=True)
    model = Model(lower(graph_of(layer, features=FEATURES), metadata={}).content)
    assert not model.is_streaming
    with pytest.raises(DataError, match="looks ahead"):
        model.session().step(frames(1)[0])


def test_a_sequence_longer_than_the_session_is_refused_where_it_is_needed_whole() -> None:
    layer = cell("gru", np.random.default_rng(0), units=4, features=FEATURES, go_backwards=True)
    dense = Dense(
        name="d",
        input="x",
        output="dx",
        kernel=numbers(np.random.default_rng(1), FEATURES, FEATURES),
        bias=None,
        activation=LINEAR,
    )
    graph = graph_of(dense, layer, features=FEATURES, d="dx")
    model = Model(lower(graph, metadata={}).content)
    with pytest.raises(DataError, match="max_steps"):
        model.session(max_steps=8).run(frames(9))
    assert model(frames(1000)[None])["d"].shape == (1, 1000, FEATURES)
