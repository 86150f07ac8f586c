"""Layers of int16 activations in files of integers only, in LiteRT and in tflite-micro."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from edgernn.export import tflite
from edgernn.export.in_scheme import float_graph, quantized, with_fine_layers
from edgernn.export.keras.object import from_keras
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import (
    AnyArray,
    Dense,
    DType,
    Graph,
    Input,
    Layer,
    TensorSpec,
    at_shapes,
)
from edgernn.reference import run
from edgernn.scheme import Scheme
from tests.export.test_slow_memories import average, int8, numbers, r_squared
from tests.export.tflite.interpreters import run_litert
from tests.export.tflite.models import (
    BATCH,
    STEPS,
    Case,
    case,
    floats,
    gru,
    rnn,
    row,
    sequence,
    weights,
)

PROFILES = ["integer-only", "micro"]
MASK = Input(name="m", spec=TensorSpec(shape=(None, STEPS), dtype=DType.BOOL))


def head(x: str) -> Dense:
    return Dense(name="d", input=x, output="y", kernel=weights(6, 4), bias=floats(4))


def of(*layers: Layer, inputs: Sequence[Input] = (), edges: Sequence[str] = ("y",)) -> Case:
    return case([sequence(steps=STEPS), *inputs], layers, *edges)


MODELS = {
    "gru": of(gru("r", "x"), head("r.y")),
    "reset before": of(gru("r", "x", reset_after=False), head("r.y")),
    "simple": of(rnn("r", "x"), head("r.y")),
    "backwards": of(gru("r", "x", go_backwards=True), head("r.y")),
    "stack": of(
        gru("a", "x", return_sequences=True), gru("b", "a.y", 6, return_sequences=True),
        head("b.y"),
    ),
    "initial state": of(gru("r", "x", initial_h="h0"), head("r.y"), inputs=[row("h0")]),
    "mask": of(gru("r", "x", mask="m"), head("r.y"), inputs=[MASK]),
    "outputs of all kinds": of(
        gru("r", "x", return_sequences=True), head("r.y"), edges=("y", "r.y", "r.h")
    ),
}  # fmt: skip


def in_int8(made: Case, *, wide: bool) -> Graph:
    rows = {name: np.concatenate([value] * 4) for name, value in made.inputs.items()}
    ranges = calibrate(made.graph, rows)
    names = [layer.name for layer in made.graph.layers] if wide else []
    return quantize(made.graph, ranges, Scheme.INT8, accurate=names)


def error(given: AnyArray, wanted: AnyArray) -> float:
    return float(np.sqrt(np.square(given - wanted).mean()))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", MODELS)
def test_it_is_nearer_to_its_weights_than_bytes_are(name: str, profile: str) -> None:
    made = MODELS[name]
    errors = []
    for wide in (False, True):
        graph = in_int8(made, wide=wide)
        wanted = run(replace(graph, quantization=None), made.inputs)
        content = tflite.lower(graph, metadata={}, profile=profile).content
        calls = [
            run_litert(content, {key: value[at : at + 1] for key, value in made.inputs.items()})
            for at in range(BATCH)
        ]
        given = {key: np.concatenate([call[key] for call in calls]) for key in wanted}
        errors.append(max(error(given[key], wanted[key]) for key in wanted))
    assert errors[1] < 0.7 * errors[0]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_slow_memory_keeps_its_time_constant_without_floats(profile: str) -> None:
    """The study finds it; tflite-micro and LiteRT give the same numbers."""
    model = average("gru", 7.0, 100)
    graph = float_graph(from_keras(model).graph)
    name = graph.inputs[0].name
    request = int8(model, numbers(64, 100, seed=2))
    request = replace(request, backends=("tflite",), options={"tflite": {"profile": profile}})
    request = with_fine_layers(graph, request)
    x = numbers(24, 100, seed=1)
    wanted = model.predict(x, verbose=0)
    found = []
    for one in (replace(request, fine={}), request):
        made = at_shapes(quantized(graph, one, "tflite"), {name: (1, 100, 2)})
        content = tflite.lower(made, metadata={}, profile=profile).content
        calls = [run_litert(content, {name: row[None]}, xnnpack=False) for row in x]
        given = np.concatenate([next(iter(call.values())) for call in calls])
        found.append(r_squared(wanted, given))
        if profile == "micro":
            assert np.abs(given - in_micro(content, x)).max() < 0.02 * wanted.std()
    assert found[0] < 0.5
    assert found[1] > 0.99


def in_micro(content: bytes, x: AnyArray) -> AnyArray:
    runtime = pytest.importorskip("tflite_micro").runtime
    micro = runtime.Interpreter.from_bytes(content, arena_size=64 * 1024)
    rows = []
    for row_ in x:
        micro.reset()
        micro.set_input(row_[None], 0)
        micro.invoke()
        rows.append(micro.get_output(0).copy())
    return np.concatenate(rows)
