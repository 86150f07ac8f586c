"""The profiles for NPUs and microcontrollers: integers only, the fused LSTM, tflite-micro."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from tflite.Model import Model
from tflite.TensorType import TensorType

from edgernn.errors import UnsupportedLayer
from edgernn.export import tflite
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import (
    HARD_SIGMOID_KERAS3,
    RELU,
    SOFTMAX,
    Activate,
    Activation,
    ActivationKind,
    Affine,
    AnyArray,
    Concatenate,
    Conv1D,
    Dense,
    DType,
    Embedding,
    FloatArray,
    GlobalPool1D,
    Graph,
    Input,
    Layer,
    LayerNorm,
    Merge,
    MergeKind,
    Padding,
    Pool1D,
    PoolKind,
    Reverse,
    TensorSpec,
)
from edgernn.reference import run
from edgernn.scheme import Scheme
from tests.export.tflite.models import (
    STATES,
    STEPS,
    Case,
    case,
    floats,
    gru,
    lstm,
    rnn,
    row,
    sequence,
    tokens,
    weights,
)
from tests.export.tflite.test_quantized import assert_close

PROFILES = ["integer-only", "micro"]

MASK = Input(name="m", spec=TensorSpec(shape=(None, STEPS), dtype=DType.BOOL))


def head(x: str, features: int) -> Dense:
    return Dense(
        name="d", input=x, output="y", kernel=weights(features, 4), bias=floats(4),
        activation=SOFTMAX,
    )  # fmt: skip


def classifier(make: Any) -> Case:
    return case([sequence(steps=STEPS)], [make("r", "x"), head("r.y", 6)], "y")


def bidirectional() -> Case:
    layers: list[Layer] = [
        lstm("f", "x", return_sequences=True),
        lstm("b", "x", return_sequences=True, go_backwards=True),
        Reverse(name="flip", input="b.y", output="b.flipped"),
        Concatenate(name="both", inputs=("f.y", "b.flipped"), output="y"),
    ]
    return case([sequence(steps=STEPS)], layers, "y")


def convolution_stack() -> Case:
    layers: list[Layer] = [
        Conv1D(
            name="c", input="x", output="c.y", kernel=weights(3, 5, 8), bias=floats(8),
            padding=Padding.CAUSAL, activation=RELU,
        ),
        gru("a", "c.y", 8, return_sequences=True),
        lstm("b", "a.y", 6, return_sequences=True),
        gru("c2", "b.y", 6),
        head("c2.y", 6),
    ]  # fmt: skip
    return case([sequence(steps=STEPS)], layers, "y")


def words() -> Case:
    embedding = Embedding(name="e", input="t", output="x", table=weights(9, 5))
    layers: list[Layer] = [embedding, gru("r", "x"), head("r.y", 6)]
    return case([tokens(steps=STEPS)], layers, "y")


def mixed() -> Case:
    """Layers without a matrix between those with one, and what only moves elements."""
    random = np.random.default_rng(7)
    layers: list[Layer] = [
        Affine(
            name="scale", input="x", output="s", scale=np.array([1, 0.2, 5, 0.5, 1], np.float32),
            offset=np.array([0, 1, -2, 0.5, 0], np.float32),
        ),
        Conv1D(
            name="c", input="s", output="c.y", kernel=weights(3, 5, 8), bias=floats(8),
            padding=Padding.SAME, activation=Activation(kind=ActivationKind.ELU, alpha=1.0),
        ),
        Pool1D(name="p", input="c.y", output="p.y", kind=PoolKind.AVERAGE, window=2, stride=1),
        gru("a", "p.y", 8, 6, return_sequences=True),
        lstm("b", "p.y", 8, 6, return_sequences=True),
        Merge(name="m", inputs=("a.y", "b.y"), output="m.y", kind=MergeKind.AVERAGE),
        Merge(name="top", inputs=("m.y", "a.y"), output="top.y", kind=MergeKind.MAXIMUM),
        Affine(
            name="norm", input="top.y", output="n", scale=random.normal(size=6).astype(np.float32),
            offset=random.normal(size=6).astype(np.float32),
        ),
        Activate(name="act", input="n", output="g", activation=RELU),
        GlobalPool1D(name="mean", input="g", output="v", kind=PoolKind.AVERAGE),
        head("v", 6),
    ]  # fmt: skip
    return case([sequence(steps=STEPS)], layers, "y")


def lstm_with(*inputs: Input, outputs: tuple[str, ...] = ("r.y",), **options: Any) -> Case:
    """What the operator cannot do, so that it becomes a loop with an int16 cell."""
    return case([sequence(steps=STEPS), *inputs], [lstm("r", "x", **options)], *outputs)


def encoder_decoder() -> Case:
    layers: list[Layer] = [
        lstm("e", "x"),
        lstm("d", "x", initial_h="e.h", initial_c="e.c", return_sequences=True),
    ]
    return case([sequence(steps=STEPS)], layers, "d.y")


MODELS = {
    "mixed": mixed(),
    "lstm with a mask": lstm_with(MASK, mask="m", return_sequences=True),
    "lstm with states": lstm_with(row("h0"), row("c0"), initial_h="h0", initial_c="c0"),
    "lstm with its cell": lstm_with(outputs=("r.y", "r.c")),
    "hard lstm": lstm_with(recurrent_activation=HARD_SIGMOID_KERAS3, go_backwards=True),
    "encoder decoder": encoder_decoder(),
    "gru": classifier(gru),
    "lstm": classifier(lstm),
    "rnn": classifier(rnn),
    "bidirectional": bidirectional(),
    "convolution and stack": convolution_stack(),
    "words": words(),
}


def in_int8(made: Case, given: Mapping[str, AnyArray] | None = None) -> Graph:
    random = np.random.default_rng(3)
    data: dict[str, AnyArray] = {}
    for name, value in made.inputs.items():
        shape = (16, *value.shape[1:])
        if value.dtype == np.float32:
            drawn = random.normal(size=shape).astype(np.float32)
            data[name] = np.tanh(drawn) if name in STATES else drawn
        elif value.dtype == np.bool_:
            data[name] = np.arange(shape[1]) < random.integers(1, shape[1] + 1, (16, 1))
        else:
            data[name] = random.integers(0, 9, shape).astype(np.int32)
    data |= given or {}
    return quantize(made.graph, calibrate(made.graph, data), Scheme.INT8)


def lowered(made: Case, profile: str) -> bytes:
    return tflite.lower(in_int8(made), metadata={}, profile=profile).content


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("profile", PROFILES)
def test_integers_stay_close_to_the_reference(name: str, profile: str) -> None:
    made = MODELS[name]
    interpreter = Interpreter(model_content=lowered(made, profile))
    interpreter.allocate_tensors()
    runner: Any = interpreter.get_signature_runner()
    for at in range(3):
        inputs = {key: value[at : at + 1] for key, value in made.inputs.items()}
        interpreter.reset_all_variables()
        assert_close(runner(**inputs), run(made.graph, inputs))


@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_float_but_inputs_and_outputs(name: str) -> None:
    model = Model.GetRootAs(lowered(MODELS[name], "integer-only"), 0)
    found = []
    for at in range(model.SubgraphsLength()):
        graph = model.Subgraphs(at)
        ends = (
            {*graph.InputsAsNumpy().tolist(), *graph.OutputsAsNumpy().tolist()} if at == 0 else ()
        )
        found += [
            tensor
            for tensor in range(graph.TensorsLength())
            if tensor not in ends
            and graph.Tensors(tensor).Type() == TensorType.FLOAT32
            and graph.Tensors(tensor).ShapeAsNumpy().tolist() != [0]  # marks a default
        ]
    assert not found


def test_a_fused_lstm_forgets_when_told_so() -> None:
    made = case([sequence(steps=STEPS)], [lstm("r", "x", return_sequences=True)], "r.y")
    interpreter = Interpreter(model_content=lowered(made, "integer-only"))
    interpreter.allocate_tensors()
    runner: Any = interpreter.get_signature_runner()
    x = made.inputs["x"][:1]

    def call() -> FloatArray:
        return np.array(runner(x=x)["out0"])

    interpreter.reset_all_variables()
    first, second = call(), call()
    interpreter.reset_all_variables()
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(call(), first)


def test_the_graph_says_that_the_batch_is_fixed() -> None:
    made = tflite.lower(in_int8(MODELS["lstm"]), metadata={}, profile="integer-only")
    assert made.graph is not None
    assert made.graph.inputs[0].spec.shape == (1, STEPS, 5)
    assert "reset_all_variables" in made.details["states"]


def refusal(graph: Graph, profile: str) -> UnsupportedLayer:
    with pytest.raises(UnsupportedLayer) as refused:
        tflite.lower(graph, metadata={}, profile=profile)
    return refused.value


@pytest.mark.parametrize("profile", PROFILES)
def test_what_has_no_integer_form_is_refused_by_name(profile: str) -> None:
    norm = LayerNorm(name="norm", input="x", output="n", gamma=None, beta=None, epsilon=1e-3)
    made = case([sequence(steps=STEPS)], [norm, gru("r", "n"), head("r.y", 6)], "y")
    error = refusal(in_int8(made), profile)
    assert error.layer == "norm"
    assert profile in str(error)
    assert "'default'" in error.remedy


def test_a_layer_kept_in_float_is_refused_with_the_reason() -> None:
    made = case([sequence(steps=STEPS)], [replace(rnn("r", "x"), activation=RELU)], "r.y")
    error = refusal(in_int8(made), "integer-only")
    assert error.layer == "r"
    assert "its activation is relu" in str(error)


def test_a_float_model_is_told_to_become_int8_first() -> None:
    error = refusal(MODELS["gru"].graph, "micro")
    assert "--scheme int8" in error.remedy


def test_a_microcontroller_wants_to_know_the_length() -> None:
    made = case([sequence()], [gru("r", "x"), head("r.y", 6)], "y")
    made.inputs["x"] = floats(3, STEPS, 5)
    error = refusal(in_int8(made), "micro")
    assert error.layer == "x"
    assert "--streaming" in error.remedy


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("make", [gru, lstm])
def test_a_step_at_a_time_gives_the_bits_of_the_whole_sequence(make: Any, profile: str) -> None:
    layer = make("r", "x", initial_h="h0", **({"initial_c": "c0"} if make is lstm else {}))
    layer = replace(layer, return_sequences=True)
    states = [edge for edge in ("h0", "c0") if edge in layer.reads]
    made = [
        case([sequence(steps=steps), *map(row, states)], [layer], *layer.writes)
        for steps in (STEPS, 1)
    ]
    data: dict[str, AnyArray] = {edge: np.tanh(floats(16, 6)) for edge in states}
    quantized = in_int8(made[0], data)
    runners: list[Any] = [
        Interpreter(
            model_content=tflite.lower(
                replace(quantized, inputs=each.graph.inputs), metadata={}, profile=profile
            ).content
        ).get_signature_runner()
        for each in made
    ]
    x = floats(1, STEPS, 5)
    given: dict[str, AnyArray] = {edge: np.zeros((1, 6), np.float32) for edge in states}
    wanted = runners[0](x=x, **given)
    for at in range(STEPS):
        found = runners[1](x=x[:, at : at + 1], **given)
        np.testing.assert_array_equal(found["out0"], wanted["out0"][:, at : at + 1])
        given = {edge: found[f"out{place + 1}"] for place, edge in enumerate(states)}
    for place in range(len(states)):
        np.testing.assert_array_equal(found[f"out{place + 1}"], wanted[f"out{place + 1}"])


@pytest.mark.parametrize("name", MODELS)
def test_tflite_micro_gives_what_litert_gives(name: str) -> None:
    runtime = pytest.importorskip("tflite_micro").runtime
    made = MODELS[name]
    content = lowered(made, "micro")
    micro = runtime.Interpreter.from_bytes(content, arena_size=64 * 1024)
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    runner: Any = interpreter.get_signature_runner()
    inputs, outputs = places(interpreter, runner)
    for at in range(3):
        given = {key: value[at : at + 1] for key, value in made.inputs.items()}
        micro.reset()
        for key, value in given.items():
            micro.set_input(value, inputs[key])
        micro.invoke()
        interpreter.reset_all_variables()
        for key, value in runner(**given).items():
            # Kernels differ by a unit of 1/256 here and there, which a loop carries on.
            np.testing.assert_allclose(micro.get_output(outputs[key]), value, atol=16 / 256)


def places(interpreter: Any, runner: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Positions of the signature's inputs and outputs, by which tflite-micro knows them."""
    sides = (
        (interpreter.get_input_details(), runner.get_input_details()),
        (interpreter.get_output_details(), runner.get_output_details()),
    )
    found = []
    for details, named in sides:
        order = [entry["index"] for entry in details]
        found.append({name: order.index(entry["index"]) for name, entry in named.items()})
    return found[0], found[1]


def test_a_microcontroller_is_not_asked_for_all_projections_at_once() -> None:
    """The arena of tflite-micro stays small: 100 steps of 3 x 64 would be 19 KB alone."""
    runtime = pytest.importorskip("tflite_micro").runtime
    x = Input(name="x", spec=TensorSpec(shape=(None, 100, 8)))
    made = case([x], [gru("r", "x", 8, 64)], "r.y")
    made.inputs["x"] = floats(3, 100, 8)
    runtime.Interpreter.from_bytes(lowered(made, "micro"), arena_size=12 * 1024)
