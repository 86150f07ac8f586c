"""The integer executor against a second, scalar one, against the float executor, and itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import (
    HARD_SIGMOID_KERAS2,
    SIGMOID,
    TANH,
    AnyNotEqual,
    Conv1D,
    Dense,
    Graph,
    Gru,
    Input,
    Lstm,
    Output,
    Padding,
    RecurrentPlan,
    SimpleRnn,
    State,
    TensorSpec,
    fingerprint,
)
from edgernn.reference import integer, run
from edgernn.reference.fixed_point import read
from edgernn.scheme import Scheme
from edgernn.streaming import to_streaming
from tests.edgernn.reference.scalar import scalar_steps

KINDS = ["gru", "gru before", "lstm", "rnn"]
FEATURES, UNITS = 5, 7
X = TensorSpec(shape=(None, None, FEATURES))
STATE = TensorSpec(shape=(None, UNITS))


def random(rng, *shape, gain=1.0):
    return (gain * rng.normal(size=shape)).astype(np.float32)


def cell(kind: str, rng: np.random.Generator, **options: Any) -> Any:
    gates = {"gru": 3, "gru before": 3, "lstm": 4, "rnn": 1}[kind]
    common = {
        "name": "cell",
        "input": "x",
        "output": "y",
        "state_h": "h",
        "kernel": random(rng, FEATURES, gates * UNITS),
        "recurrent_kernel": random(rng, UNITS, gates * UNITS, gain=0.6),
        "bias": random(rng, gates * UNITS),
        **options,
    }
    match kind:
        case "gru":
            return Gru(recurrent_bias=random(rng, gates * UNITS), **common)
        case "gru before":
            return Gru(recurrent_bias=None, reset_after=False, **common)
        case "lstm":
            return Lstm(state_c="c", **common)
        case _:
            return SimpleRnn(**common)


def alone(layer: Any, *, states: bool = False) -> Graph:
    """A graph of one recurrent layer, its states arguments and results where asked for."""
    inputs = [Input(name="x", spec=X)]
    outputs = [Output(name="y", edge="y")]
    pairs = []
    if states:
        names = ["h", "c"] if isinstance(layer, Lstm) else ["h"]
        layer = replace(layer, **{f"initial_{name}": f"{name}_in" for name in names})
        inputs += [Input(name=f"{name}_in", spec=STATE) for name in names]
        outputs += [Output(name=f"{name}_out", edge=name) for name in names]
        pairs = [State(input=f"{name}_in", output=f"{name}_out") for name in names]
    return Graph(
        name="alone",
        inputs=tuple(inputs),
        layers=(layer,),
        outputs=tuple(outputs),
        states=tuple(pairs),
    )


def in_integers(graph: Graph, x: Any, **options: Any) -> Graph:
    return quantize(graph, calibrate(graph, {"x": x}), Scheme.INT8, **options)


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**20),
    accurate=st.booleans(),
    hard=st.booleans(),
    loud=st.sampled_from([0.3, 1.0, 6.0]),
)
def test_the_executor_gives_the_bits_of_the_scalar_one(kind, seed, accurate, hard, loud) -> None:
    rng = np.random.default_rng(seed)
    options = (
        {} if kind == "rnn" else {"recurrent_activation": HARD_SIGMOID_KERAS2 if hard else SIGMOID}
    )
    layer = cell(kind, rng, return_sequences=True, **options)
    x = random(rng, 20, 9, FEATURES, gain=loud)
    graph = in_integers(alone(layer), x, accurate=["cell"] if accurate else [])
    assert graph.quantization is not None
    plan = graph.quantization.plans["cell"]
    assert isinstance(plan, RecurrentPlan)
    beyond = 2 * x[:2]  # outside of what calibration saw, so that clamps are met
    integers = read(plan.reading, beyond)
    outputs = integer.run(graph, {"x": beyond})["y"]
    for row in range(2):
        expected = scalar_steps(layer, plan, integers[row].tolist())
        assert (outputs[row] * 32768).astype(int).tolist() == expected


@pytest.mark.parametrize("kind", KINDS)
def test_integers_stay_close_to_floats(kind) -> None:
    rng = np.random.default_rng(4)
    graph = alone(cell(kind, rng))
    x = random(rng, 100, 12, FEATURES)
    exact = run(graph, {"x": x})["y"]
    quantized = in_integers(graph, x)
    error = integer.run(quantized, {"x": x})["y"] - exact
    assert np.sqrt(np.square(error).mean()) < 0.012
    accurate = in_integers(graph, x, accurate=["cell"])
    weights_alone = run(replace(accurate, quantization=None), {"x": x})["y"]
    assert np.abs(integer.run(accurate, {"x": x})["y"] - weights_alone).max() < 2e-3


@settings(max_examples=20, deadline=None)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**20), cut=st.integers(1, 8))
def test_a_sequence_cut_in_two_gives_the_bits_of_the_whole(kind, seed, cut) -> None:
    rng = np.random.default_rng(seed)
    layer = cell(kind, rng, return_sequences=True)
    x = random(rng, 20, 9, FEATURES)
    plain = alone(layer)
    graph = alone(layer, states=True)
    quantized = in_integers(graph, x)
    zeros = {state.input: np.zeros((20, UNITS), np.float32) for state in graph.states}
    whole = integer.run(quantized, {"x": x, **zeros})
    first = integer.run(quantized, {"x": x[:, :cut], **zeros})
    handed = {state.input: first[state.output] for state in graph.states}
    second = integer.run(quantized, {"x": x[:, cut:], **handed})
    np.testing.assert_array_equal(np.concatenate([first["y"], second["y"]], axis=1), whole["y"])
    for state in graph.states:
        np.testing.assert_array_equal(second[state.output], whole[state.output])
    # With states, the ranges are those of a stream: of longer sequences than the plain layer's own.
    ranges = replace(calibrate(graph, {"x": x}), graph_fingerprint=fingerprint(plain))
    alike = quantize(plain, ranges, Scheme.INT8)
    np.testing.assert_array_equal(integer.run(alike, {"x": x})["y"], whole["y"])


def test_a_step_model_made_from_an_int8_graph_gives_its_bits() -> None:
    rng = np.random.default_rng(6)
    conv = Conv1D(
        name="conv",
        input="x",
        output="f",
        kernel=random(rng, 3, FEATURES, FEATURES),
        bias=random(rng, FEATURES),
        padding=Padding.CAUSAL,
    )
    lstm = cell("lstm", rng, input="f", return_sequences=True)
    head = Dense(name="head", input="y", output="p", kernel=random(rng, UNITS, 3), bias=None)
    graph = Graph(
        name="causal",
        inputs=(Input(name="x", spec=X),),
        layers=(conv, lstm, head),
        outputs=(Output(name="p", edge="p"),),
    )
    x = random(rng, 20, 9, FEATURES)
    quantized = in_integers(graph, x)
    step = to_streaming(quantized)
    states = {
        state.input: np.zeros(
            (20, *(size or 1 for size in step.specs[state.input].shape[1:])), np.float32
        )
        for state in step.states
    }
    answers = []
    for time in range(9):
        given_ = integer.run(step, {"x": x[:, time : time + 1], **states})
        states = {state.input: given_[state.output] for state in step.states}
        answers.append(given_["p"][:, 0])
    whole = integer.run(quantized, {"x": x})["p"]
    np.testing.assert_array_equal(np.stack(answers, axis=1), whole)
    assert (run(graph, {"x": x})["p"] != whole).any()


@pytest.mark.parametrize("kind", KINDS)
def test_masked_steps_do_not_touch_the_bits(kind) -> None:
    rng = np.random.default_rng(8)
    masking = AnyNotEqual(name="masking", input="x", output="mask")
    layer = cell(kind, rng, mask="mask")
    graph = replace(alone(replace(layer, mask=None)), layers=(masking, layer))
    x = random(rng, 20, 9, FEATURES)
    quantized = in_integers(graph, x)
    holes = x[:1].copy()
    holes[0, [0, 3, 4, 8]] = 0
    np.testing.assert_array_equal(
        integer.run(quantized, {"x": holes})["y"],
        integer.run(quantized, {"x": holes[:, [1, 2, 5, 6, 7]]})["y"],
    )


def counter(increment: float) -> Graph:
    """An LSTM whose cell adds `increment` at each step and forgets nothing."""
    bias = np.zeros(4 * UNITS, np.float32)
    bias[:UNITS] = 20  # i = 1
    bias[UNITS : 2 * UNITS] = 20  # f = 1
    bias[2 * UNITS : 3 * UNITS] = np.arctanh(increment)
    bias[3 * UNITS :] = 20  # o = 1
    layer = Lstm(
        name="cell",
        input="x",
        output="y",
        state_h="h",
        state_c="c",
        kernel=np.zeros((FEATURES, 4 * UNITS), np.float32),
        recurrent_kernel=np.zeros((UNITS, 4 * UNITS), np.float32),
        bias=bias,
    )
    graph = alone(layer)
    return replace(graph, outputs=(*graph.outputs, Output(name="c", edge="c")))


def test_a_cell_counts_to_eighty_and_an_open_forget_gate_forgets_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(8, 100, FEATURES)).astype(np.float32)
    graph = in_integers(counter(0.8), x)
    assert graph.quantization is not None
    plan = graph.quantization.plans["cell"]
    assert isinstance(plan, RecurrentPlan)
    assert plan.cell_exponent is not None
    assert (plan.cell_exponent == 7).all()  # 1.25 * 80 = 100 <= 128
    c = integer.run(graph, {"x": x})["c"]
    np.testing.assert_allclose(c, 80, atol=0.25)


def test_a_closed_update_gate_keeps_the_state_for_ever() -> None:
    layer = cell("gru", np.random.default_rng(1))
    bias = np.concatenate([np.full(UNITS, 30), np.zeros(2 * UNITS)]).astype(np.float32)
    layer = replace(layer, bias=bias, kernel=0.1 * layer.kernel)
    graph = alone(layer, states=True)
    x = random(np.random.default_rng(2), 8, 500, FEATURES)
    quantized = in_integers(graph, x)
    h = np.tile(np.linspace(-0.999, 0.999, UNITS, dtype=np.float32), (8, 1))
    kept = np.rint(h * 32768) / 32768
    np.testing.assert_array_equal(integer.run(quantized, {"x": x, "h_in": h})["h_out"], kept)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("activation", [TANH, SIGMOID, None])
def test_convolutions_and_dense_layers_in_integers(groups, activation) -> None:
    rng = np.random.default_rng(3)
    options = {} if activation is None else {"activation": activation}
    conv = Conv1D(
        name="conv",
        input="x",
        output="f",
        kernel=random(rng, 3, 6 // groups, 4),
        bias=random(rng, 4),
        groups=groups,
        padding=Padding.CAUSAL,
        **options,
    )
    dense = Dense(
        name="dense",
        input="f",
        output="y",
        kernel=random(rng, 4, 3),
        bias=random(rng, 3),
        **options,
    )
    graph = Graph(
        name="linear",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, None, 6))),),
        layers=(conv, dense),
        outputs=(Output(name="y", edge="y"),),
    )
    x = random(rng, 30, 8, 6)
    exact = run(graph, {"x": x})["y"]
    quantized = in_integers(graph, x)
    found = integer.run(quantized, {"x": x})["y"]
    scale = np.abs(exact).max()
    assert np.sqrt(np.square(found - exact).mean()) < 0.01 * scale
    stored = run(replace(quantized, quantization=None), {"x": x})["y"]  # weights' share alone
    assert np.abs(found - stored).max() < 2e-3 * scale


def test_a_graph_without_quantization_runs_in_float() -> None:
    rng = np.random.default_rng(0)
    graph = alone(cell("gru", rng))
    x = random(rng, 3, 4, FEATURES)
    np.testing.assert_array_equal(integer.run(graph, {"x": x})["y"], run(graph, {"x": x})["y"])


def test_clamped_numbers_are_counted_by_layer_and_place() -> None:
    rng = np.random.default_rng(0)
    graph = alone(cell("lstm", rng))
    x = random(rng, 30, 6, FEATURES)
    quantized = in_integers(graph, x)
    counts: dict[tuple[str, str], list[int]] = {}

    def observe(layer: str, where: str, clamped: int, total: int) -> None:
        entry = counts.setdefault((layer, where), [0, 0])
        entry[0] += clamped
        entry[1] += total

    integer.execute(quantized, {"x": x}, observe=observe)
    assert {key: entry[0] for key, entry in counts.items()} == {
        ("cell", "input"): 0,
        ("cell", "product"): 0,
        ("cell", "cell"): 0,
    }
    assert counts["cell", "input"][1] == x.size
    integer.execute(quantized, {"x": 10 * x}, observe=observe)
    assert counts["cell", "input"][0] > 0
    assert counts["cell", "product"][0] > 0
