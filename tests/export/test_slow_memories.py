"""Memories of hundreds of steps, built by hand in Keras: int8 files keep their time constants.

One unit averages or counts; the others are fast, with weights of any kind.  All rows are fresh.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgernn.artefact import Artefact
from edgernn.export.keras.object import from_keras
from edgernn.export.pipeline import export_model, float_graph, quantized, with_fine_layers
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.request import Request
from edgernn.export.rows import Examples
from edgernn.scheme import Scheme
from edgernn.streaming import to_streaming
from tests.zoo.runtimes import open_file, open_session, run_calls

UNITS = 8


def _with_weights(cell: str, arrange: Callable[[Any, Any, Any, Any], float]) -> Any:
    """Input(2) -> cell -> Dense(1), of which `arrange` fills the first unit's columns."""
    import keras

    layers = keras.layers
    kind = layers.GRU if cell == "gru" else layers.LSTM
    model = keras.Sequential([layers.Input((None, 2)), kind(UNITS), layers.Dense(1)])
    rng = np.random.default_rng(5)
    gates = 3 if cell == "gru" else 4
    kernel = rng.normal(size=(2, gates, UNITS))
    recurrent = 0.3 * rng.normal(size=(UNITS, gates, UNITS))
    bias = rng.normal(size=(gates, UNITS))
    kernel[:, :, 0] = recurrent[:, :, 0] = bias[:, 0] = 0
    head = np.zeros((UNITS, 1))
    head[0] = arrange(kernel, recurrent, bias, 0)
    biases = bias.reshape(-1)
    if cell == "gru":
        biases = np.stack([biases, np.zeros_like(biases)])
    flat = [kernel.reshape(2, -1), recurrent.reshape(UNITS, -1), biases]
    model.layers[0].set_weights(flat)
    model.layers[1].set_weights([head, np.zeros(1)])
    return model


def average(cell: str, slowness: float, steps: int) -> Any:
    """Averages the first feature with the time constant of a gate at sigmoid(slowness)."""
    kept = 1 / (1 + np.exp(-slowness))

    def arrange(kernel: Any, _recurrent: Any, bias: Any, unit: int) -> float:
        kernel[0, 2, unit] = 1.0
        if cell == "gru":
            bias[0, unit] = slowness
        else:
            bias[:, unit] = [-slowness, slowness, 0.0, 4.0]
        return float(1 / (1 - kept**steps))

    return _with_weights(cell, arrange)


def counter(steps: int) -> Any:
    """tanh(n / steps), n the number of ones in the first feature."""

    def arrange(kernel: Any, _recurrent: Any, bias: Any, unit: int) -> float:
        kernel[0, 0, unit] = 8.0
        bias[:, unit] = [-4.0, 12.0, np.arctanh(1 / steps), 8.0]
        return 1.0

    return _with_weights("lstm", arrange)


def numbers(rows: int, steps: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    mean = rng.normal(0, 0.4, (rows, 1))
    first = mean + 0.5 * rng.normal(size=(rows, steps))
    return np.stack([first, rng.normal(size=(rows, steps))], axis=-1).astype(np.float32)


def events(rows: int, steps: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.1, 0.9, (rows, 1))
    first = rng.random((rows, steps)) < share
    return np.stack([first, rng.normal(size=(rows, steps))], axis=-1).astype(np.float32)


CASES: dict[str, tuple[Callable[[], Any], Callable[..., Any], int]] = {
    **{
        f"{cell} sigmoid({slowness}) over {steps}": (
            partial(average, cell, slowness, steps),
            numbers,
            steps,
        )
        for cell in ("gru", "lstm")
        for slowness in (5, 7)
        for steps in (100, 400)
    },
    **{f"counter over {steps}": (partial(counter, steps), events, steps) for steps in (100, 400)},
}


def r_squared(wanted: Any, given: Any) -> float:
    return float(1 - np.square(wanted - given).mean() / wanted.var())


def int8(model: Any, calibration: Any) -> Request:
    graph = float_graph(from_keras(model).graph)
    name = graph.inputs[0].name
    return Request(
        scheme=Scheme.INT8,
        ranges=calibrate(graph, {name: calibration[16:]}),
        examples=Examples(inputs={name: calibration[:16]}),
        verify=False,
    )


def answers(artefact: Artefact, folder: Path, x: Any) -> Any:
    """Row by row, as on a device."""
    session = open_file(artefact.backend, (folder / artefact.name).read_bytes())
    name = artefact.inputs[0].name
    calls = [session({name: x[row : row + 1]}) for row in range(len(x))]
    return np.concatenate([next(iter(call.values())) for call in calls])


@pytest.mark.parametrize("case", CASES)
def test_int8_files_keep_a_slow_memory_in_every_format(
    case: str, tmp_path: Path, record_property
) -> None:
    make, data, steps = CASES[case]
    model = make()
    x = data(48, steps, seed=1)
    wanted = model.predict(x, verbose=0)
    request = int8(model, data(64, steps, seed=2))
    for artefact in export_model(from_keras(model), tmp_path, request):
        found = r_squared(wanted, answers(artefact, tmp_path, x))
        record_property("figure", f"R² of {case}, int8 in {artefact.backend}: {found:.4f}")
        assert found >= 0.99, artefact.backend


def test_eight_bits_alone_would_lose_a_slow_memory() -> None:
    """The choice is not idle: without it the same file says nothing, and the meter knows."""
    model = average("gru", 7.0, 100)
    graph = float_graph(from_keras(model).graph)
    name = graph.inputs[0].name
    request = with_fine_layers(graph, int8(model, numbers(64, 100, seed=2)))
    x = numbers(48, 100, seed=1)
    session = open_session("tflite", quantized(graph, replace(request, fine={})))
    coarse = np.concatenate([next(iter(session({name: row[None]}).values())) for row in x])
    wanted = model.predict(x, verbose=0)
    assert r_squared(wanted, coarse) < 0.5
    assert request.fine is not None
    (cost,) = (cost for cost in request.fine["tflite"].costs if cost.kind == "Gru")
    assert cost.activations_snr_db < 3
    assert cost.weights_snr_db > 30
    assert cost.layer in request.fine["tflite"].in_float
    (native,) = (cost for cost in request.fine["native"].costs if cost.kind == "Gru")
    assert native.activations_snr_db > 40


def test_a_file_says_which_layers_keep_float_gates(tmp_path: Path) -> None:
    model = average("gru", 7.0, 100)
    made = {
        artefact.backend: artefact
        for artefact in export_model(
            from_keras(model), tmp_path, int8(model, numbers(64, 100, seed=2))
        )
    }
    (said,) = (text for key, text in made["tflite"].details.items() if key.startswith("layer gru"))
    assert said.startswith("keeps its gates and states in float32: 8 bits leave")


@pytest.mark.parametrize("target", ["native", "onnx", "tflite"])
def test_a_streamed_slow_memory_is_that_of_the_whole_sequence(target: str) -> None:
    """Step files keep what was chosen: their states are handed from call to call."""
    model = average("lstm", 7.0, 100)
    graph = float_graph(from_keras(model).graph)
    request = with_fine_layers(graph, int8(model, numbers(64, 100, seed=2)))
    step = to_streaming(quantized(graph, request, target))
    x = numbers(24, 100, seed=1)
    frames = [[x[:, time : time + 1]] for time in range(x.shape[1])]
    calls = run_calls(open_session(target, step), step, frames, outputs=[graph.outputs[0].name])
    wanted = model.predict(x, verbose=0)
    assert r_squared(wanted, calls[-1][0].reshape(wanted.shape)) >= 0.99
