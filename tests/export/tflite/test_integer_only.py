"""The profiles for NPUs and microcontrollers: integers only, the fused LSTM, tflite-micro."""

from __future__ import annotations

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
    AnyArray,
    Concatenate,
    Conv1D,
    Dense,
    Embedding,
    FloatArray,
    Graph,
    Input,
    Layer,
    Padding,
    Reverse,
    TensorSpec,
)
from edgernn.reference import run
from edgernn.scheme import Scheme
from tests.export.tflite.models import (
    STEPS,
    Case,
    case,
    floats,
    gru,
    lstm,
    mask_input,
    rnn,
    row,
    sequence,
    tokens,
    weights,
)
from tests.export.tflite.test_quantized import assert_close

PROFILES = ["integer-only", "micro"]


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


MODELS = {
    "gru": classifier(gru),
    "lstm": classifier(lstm),
    "rnn": classifier(rnn),
    "bidirectional": bidirectional(),
    "convolution and stack": convolution_stack(),
    "words": words(),
}


def in_int8(made: Case) -> Graph:
    random = np.random.default_rng(3)
    data = {
        name: random.normal(size=(16, *value.shape[1:])).astype(np.float32)
        if value.dtype == np.float32
        else random.integers(0, 9, (16, *value.shape[1:])).astype(np.int32)
        for name, value in made.inputs.items()
    }
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
    made = MODELS["lstm"]
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


@pytest.mark.parametrize(
    ("options", "inputs", "reason"),
    [
        ({"mask": "m"}, [mask_input()], "has a mask"),
        ({"initial_h": "h0"}, [row("h0")], "starts from a given state"),
        ({"recurrent_activation": HARD_SIGMOID_KERAS3}, [], "uses a hard sigmoid"),
    ],
)
def test_what_the_fused_lstm_lacks_is_refused(
    options: dict[str, Any], inputs: list[Input], reason: str
) -> None:
    made = case([sequence(), *inputs], [lstm("memory", "x", **options)], "memory.y")
    data: dict[str, AnyArray] = {"x": floats(16, STEPS, 5)}
    if "m" in made.inputs:
        data["m"] = np.ones((16, STEPS), np.bool_)
    if "h0" in made.inputs:
        data["h0"] = np.zeros((16, 6), np.float32)
    graph = quantize(made.graph, calibrate(made.graph, data), Scheme.INT8)
    with pytest.raises(UnsupportedLayer, match=f"'memory' .*{reason}.*'default'"):
        tflite.lower(graph, metadata={}, profile="integer-only")


@pytest.mark.parametrize("name", ["gru", "lstm", "rnn"])
def test_tflite_micro_gives_what_litert_gives(name: str) -> None:
    runtime = pytest.importorskip("tflite_micro").runtime
    made = MODELS[name]
    content = lowered(made, "micro")
    micro = runtime.Interpreter.from_bytes(content, arena_size=32 * 1024)
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    runner: Any = interpreter.get_signature_runner()
    for at in range(3):
        x = made.inputs["x"][at : at + 1]
        micro.reset()
        micro.set_input(x, 0)
        micro.invoke()
        interpreter.reset_all_variables()
        # Kernels differ by a unit of 1/256 here and there, in what is a probability.
        np.testing.assert_allclose(micro.get_output(0), runner(x=x)["out0"], atol=8 / 256)


def test_a_microcontroller_is_not_asked_for_all_projections_at_once() -> None:
    """The arena of tflite-micro stays small: 100 steps of 3 x 64 would be 19 KB alone."""
    runtime = pytest.importorskip("tflite_micro").runtime
    x = Input(name="x", spec=TensorSpec(shape=(None, 100, 8)))
    made = case([x], [gru("r", "x", 8, 64)], "r.y")
    made.inputs["x"] = floats(3, 100, 8)
    runtime.Interpreter.from_bytes(lowered(made, "micro"), arena_size=12 * 1024)
