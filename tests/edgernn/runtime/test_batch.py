"""Sequences side by side give the bits that each gives alone, whatever their lengths."""

from __future__ import annotations

import re
import sys
import weakref
from typing import Any

import numpy as np
import pytest

import edgernn
from edgernn.errors import DataError, EdgernnError
from edgernn.export.native import lower
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import DType, Embedding, Graph, Input, Output, State, TensorSpec
from edgernn.runtime import available_isas
from edgernn.runtime.batch import BatchTable
from edgernn.runtime.library import ISA_BY_NAME, ffi, lib
from edgernn.scheme import Scheme
from tests.edgernn.runtime.models import (
    CELLS,
    cell,
    graph_of,
    random_integer_cell,
    random_recurrent_plan,
    with_plans,
)

LENGTHS = (70, 1, 33, 32, 64, 5, 100)


def float_graph(seed: int) -> Graph:
    rng = np.random.default_rng(seed)
    kind = CELLS[seed % 4]
    backwards: dict[str, Any] = {"go_backwards": True} if seed % 3 == 2 else {}
    return graph_of(cell(kind, rng, units=21, features=10, **backwards), features=10)


def run_ragged(content: bytes, sequences: list[Any], *, isa: str, lanes: int) -> list[Any]:
    """ernn_run_batch over sequences of different lengths, from Python."""
    model = edgernn.Model(content, isa=isa)
    options = ffi.new("ernn_options *", {"isa": ISA_BY_NAME[isa], "max_batch": lanes})
    size, session = ffi.new("size_t *"), ffi.new("ernn_session **")
    assert lib.ernn_session_size(model.handle, options, size) == 0
    room = np.empty(size[0] + 64, np.uint8)
    arena = room[-room.ctypes.data % 64 :]
    assert (
        lib.ernn_session_init(session, model.handle, ffi.from_buffer(arena), size[0], options) == 0
    )
    count = len(sequences)
    inputs = ffi.new("ernn_rows[]", count)
    outputs = ffi.new("ernn_rows[]", count * len(model.outputs))
    at = [port.name for port in model.outputs].index("y")
    results = []
    for i, x in enumerate(sequences):
        inputs[i].data, inputs[i].steps = ffi.from_buffer(x), len(x)
        rows = len(x) if model.outputs[at].is_sequence else 1
        results.append(np.full((rows, model.outputs[at].width), np.nan, np.float32))
        out = outputs[i * len(model.outputs) + at]
        out.data, out.steps = ffi.from_buffer(results[-1]), rows
    assert lib.ernn_run_batch(session[0], count, inputs, outputs) == 0
    return results


@pytest.mark.parametrize("isa", available_isas())
@pytest.mark.parametrize("lanes", [1, 2, 7])
def test_sequences_of_different_lengths_give_their_own_bits(isa: str, lanes: int) -> None:
    for seed in range(24):
        graph = float_graph(seed) if seed % 2 else random_integer_cell(seed)[0]
        if len(graph.inputs) > 1:
            continue  # a mask or a state: test_isas has them
        content = lower(graph, metadata={}).content
        width = int(graph.inputs[0].spec.shape[-1] or 0)
        rng = np.random.default_rng(seed)
        sequences = [rng.normal(size=(n, width)).astype(np.float32) for n in LENGTHS]
        together = run_ragged(content, sequences, isa=isa, lanes=lanes)
        model = edgernn.Model(content, isa=isa)
        for x, got in zip(sequences, together, strict=True):
            alone = model.run({"x": x[None]})["y"][0]
            assert got.tobytes() == alone.tobytes(), (seed, len(x))


@pytest.mark.parametrize("bits", [8, 16])
def test_blocks_of_any_size_give_the_portable_bits(bits: int) -> None:
    """Matrix instructions take 16 or 32 rows and 64 numbers: sizes around those."""
    rng = np.random.default_rng(bits)
    for kind, units, features in (("gru", 64, 70), ("lstm", 83, 64), ("gru before", 131, 200)):
        layer = cell(kind, rng, units=units, features=features, return_sequences=True)
        plan = random_recurrent_plan(layer, rng, bits=bits, state_bits=8)
        content = lower(
            with_plans(graph_of(layer, features=features), cell=plan), metadata={}
        ).content
        for batch in (1, 4, 5, 16, 17, 23, 32, 33, 40):
            x = 3 * rng.normal(size=(batch, 9, features)).astype(np.float32)
            wanted = edgernn.Model(content, isa="portable").run({"x": x})["y"]
            for isa in available_isas():
                got = edgernn.Model(content, isa=isa).run({"x": x})["y"]
                assert got.tobytes() == wanted.tobytes(), (isa, kind, batch)


@pytest.mark.parametrize("isa", available_isas())
@pytest.mark.parametrize("scheme", [Scheme.FLOAT32, Scheme.FLOAT16, Scheme.DYNAMIC])
def test_float_blocks_of_any_size_give_the_bits_of_single_rows(isa: str, scheme: Scheme) -> None:
    """Kernels take one to three rows and up to four tiles, and many numbers in several parts."""
    rng = np.random.default_rng(1)
    for kind, units, features in (("gru", 131, 300), ("lstm", 150, 129), ("rnn", 96, 192)):
        layer = cell(kind, rng, units=units, features=features, return_sequences=True)
        graph = quantize(graph_of(layer, features=features), None, scheme)
        model = edgernn.Model(lower(graph, metadata={}).content, isa=isa)
        x = rng.normal(size=(9, 3, features)).astype(np.float32)
        alone = [model(x[i : i + 1])[0] for i in range(len(x))]
        for batch in range(2, 10):
            assert model(x[:batch]).tobytes() == np.stack(alone[:batch]).tobytes(), (kind, batch)


def test_a_batch_is_a_stack_of_its_rows() -> None:
    rng = np.random.default_rng(0)
    for seed in range(8):
        graph, inputs = random_integer_cell(seed)
        model = edgernn.Model(lower(graph, metadata={}).content)
        rows = {
            port.name: np.concatenate([inputs[port.name]] * 20)[rng.permutation(40)]
            for port in model.inputs
            if port.name in inputs
        }
        batch = model.run(rows)
        for i in range(len(next(iter(rows.values())))):
            alone = model.run({name: x[i : i + 1] for name, x in rows.items()})
            for name, y in alone.items():
                assert batch[name][i].tobytes() == y[0].tobytes(), (seed, name)


def test_a_batch_leaves_nothing_behind() -> None:
    graph, inputs = random_integer_cell(0)
    model = edgernn.Model(lower(graph, metadata={}).content)
    rows = {name: x for name, x in inputs.items() if name in {port.name for port in model.inputs}}
    first = model.run(rows)
    for name, y in model.run(rows).items():
        assert y.tobytes() == first[name].tobytes()


@pytest.mark.parametrize("batch", [1, 3])
def test_a_call_like_the_last_one_returns_new_arrays_and_keeps_none(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = edgernn.Model(lower(float_graph(1), metadata={}).content)
    x = np.random.default_rng(0).normal(size=(2, batch, 5, 10)).astype(np.float32)
    first = model(x[0])
    kept = first.copy()
    references = sys.getrefcount(x)
    monkeypatch.setattr("edgernn.runtime.model.checked_batch", None)  # it is not called again
    again = [model(x[0]), model(x[1]), model(x[0])]
    assert first.tobytes() == kept.tobytes()
    assert [y.tobytes() == kept.tobytes() for y in again] == [True, False, True]
    assert not any(np.may_share_memory(first, y) for y in again)
    assert sys.getrefcount(x) == references
    gone = weakref.ref(again.pop())
    assert gone() is None


def test_calls_that_take_a_few_shapes_in_turn_point_to_no_rows_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = lower(float_graph(1), metadata={}).content
    x = np.random.default_rng(0).normal(size=(3, 9, 10)).astype(np.float32)
    shapes = [x, x[:1], x[:2, :5].copy(), x[:1, :1].copy(), x[:2]]
    wanted = [edgernn.Model(content)(one).tobytes() for one in shapes]
    model = edgernn.Model(content)
    made: list[Any] = []

    def counted(session: Any, inputs: Any, outputs: Any, shapes: Any) -> BatchTable:
        made.append(shapes)
        return BatchTable(session, inputs, outputs, shapes)

    monkeypatch.setattr("edgernn.runtime.session.BatchTable", counted)
    for turn in (0, 1, 2, 3, 0, 1, 2, 3, 0, 2, 1, 0):
        assert model(shapes[turn]).tobytes() == wanted[turn]
    assert len(made) == 4
    for turn in (4, 0, 1, 2, 4):  # the oldest, 3, is gone
        assert model(shapes[turn]).tobytes() == wanted[turn]
    assert len(made) == 5
    assert model(shapes[3]).tobytes() == wanted[3]
    assert len(made) == 6
    assert model.run({"x": shapes[4]})["y"].tobytes() == wanted[4]
    assert len(made) == 6


def test_tables_of_many_sequences_are_kept_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgernn.runtime.session.MOST_KEPT_SEQUENCES", 4)
    made: list[int] = []

    def counted(session: Any, inputs: Any, outputs: Any, shapes: Any) -> BatchTable:
        made.append(shapes[0][0])
        return BatchTable(session, inputs, outputs, shapes)

    monkeypatch.setattr("edgernn.runtime.session.BatchTable", counted)
    model = edgernn.Model(lower(float_graph(1), metadata={}).content)
    x = np.random.default_rng(0).normal(size=(6, 2, 10)).astype(np.float32)
    for batch in (5, 5, 2, 3, 2, 6, 2, 5):
        model(x[:batch])
    assert made == [5, 2, 3, 6, 5]


def test_inputs_are_counted_after_a_run_with_states_too() -> None:
    states = (State(input="h_in", output="h_out"),)
    layer = cell("gru", np.random.default_rng(0), units=4, features=3, initial_h="h_in")
    graph = graph_of(layer, features=3, states=states, h_out="cell.h")
    model = edgernn.Model(lower(graph, metadata={}).content)
    x, h = np.ones((1, 5, 3), np.float32), np.ones((1, 4), np.float32)
    model.run({"x": x, "h_in": h})
    with pytest.raises(TypeError, match="the model takes 1 inputs, not 2"):
        model(x, h)


def test_after_a_call_arrays_of_another_kind_are_converted_or_refused_as_before_it() -> None:
    content = lower(float_graph(1), metadata={}).content
    x = np.random.default_rng(0).normal(size=(3, 5, 10)).astype(np.float32)
    named = np.dtype(np.float32, metadata={"unit": "g"})  # equal, and another object
    fine = (
        x.astype(np.float64),
        np.asfortranarray(x),
        np.stack([x, x], -1)[..., 0],
        x.astype(named),
        x.view(np.recarray),
        x.astype(x.dtype.newbyteorder()),
        x.tolist(),
    )
    wrong: tuple[tuple[Any, ...], ...] = (
        (x.astype(np.int32),),
        (x.view(np.int32),),
        (x[..., 0],),
        (x[..., :9],),
        (x[:0],),
        (x, x),
        (),
        ("x",),
    )
    model = edgernn.Model(content)
    wanted = model(x)
    for given in fine:
        assert model(x).tobytes() == wanted.tobytes()
        assert model(given).tobytes() == wanted.tobytes()
    for arguments in wrong:
        with pytest.raises((TypeError, ValueError, EdgernnError)) as at_first:
            edgernn.Model(content)(*arguments)
        model(x)
        with pytest.raises(at_first.type, match=f"^{re.escape(str(at_first.value))}$"):
            model(*arguments)


def test_a_call_after_a_run_with_states_begins_at_zero_again() -> None:
    """They share a session, whose table has places for states that were given."""
    for seed in range(8):
        graph, inputs = random_integer_cell(seed)
        model = edgernn.Model(lower(graph, metadata={}).content)
        rows = {port.name: inputs[port.name] for port in model.inputs if port.name in inputs}
        free = [rows[port.name] for port in model.free_inputs]
        wanted = edgernn.Model(lower(graph, metadata={}).content)(*free)
        model.run(rows)
        for _ in range(2):
            assert np.asarray(model(*free)).tobytes() == np.asarray(wanted).tobytes()


def test_a_refused_call_names_its_layer_and_the_next_one_works() -> None:
    graph = Graph(
        name="tokens",
        inputs=(Input(name="t", spec=TensorSpec(shape=(None, None), dtype=DType.INT32)),),
        layers=(Embedding(name="words", input="t", output="v", table=np.eye(4, dtype=np.float32)),),
        outputs=(Output(name="y", edge="v"),),
    )
    model = edgernn.Model(lower(graph, metadata={}).content)
    for batch in (1, 2):
        tokens = np.ones((batch, 3), np.int32)
        wanted = model(tokens)
        for _ in range(2):
            with pytest.raises(DataError, match="layer words: "):
                model(tokens + 8)
            assert model(tokens).tobytes() == wanted.tobytes()


def test_more_lanes_than_memory_for_them_run_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    content = lower(float_graph(1), metadata={}).content
    x = np.random.default_rng(0).normal(size=(9, 40, 10)).astype(np.float32)
    wanted = edgernn.Model(content).run({"x": x})["y"]
    monkeypatch.setattr("edgernn.runtime.batch._MOST_ARENA_BYTES", 1)
    assert edgernn.Model(content).run({"x": x})["y"].tobytes() == wanted.tobytes()
