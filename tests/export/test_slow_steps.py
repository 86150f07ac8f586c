"""Step models are checked over whole streams: errors of single calls add up in the states."""

from __future__ import annotations

import numpy as np
import pytest

import edgernn
from edgernn.errors import VerificationError


def slow(rows: int, steps: int = 120, seed: int = 4) -> np.ndarray:
    random = np.random.default_rng(seed)
    noise = random.normal(size=(rows, steps, 2)) + 2 * random.normal(size=(rows, 1, 2))
    return noise.astype(np.float32)


@pytest.fixture(scope="module")
def averaging():
    """A GRU whose state moves by a fiftieth of the way in each step for z = sigmoid(4)."""
    keras = pytest.importorskip("keras")

    def made(bias_of_z):
        keras.utils.set_random_seed(3)
        x = keras.Input((None, 2), name="x")
        layer = keras.layers.GRU(8)
        model = keras.Model(x, keras.layers.Dense(1)(layer(x)))
        kernel, recurrent, bias = layer.get_weights()
        bias[0, :8] += bias_of_z
        layer.set_weights([kernel, recurrent, bias])
        return model

    return made


def test_a_memory_that_stops_in_the_stream_is_refused(tmp_path):
    """Gates of an LSTM of integers only have 8 bits: f = sigmoid(6) becomes 1."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(3)
    x = keras.Input((None, 2), name="x")
    layer = keras.layers.LSTM(8)
    model = keras.Model(x, keras.layers.Dense(1)(layer(x)))
    kernel, recurrent, bias = layer.get_weights()
    bias[:8] -= 4.0
    bias[8:16] = 6.0
    layer.set_weights([kernel, 0.1 * recurrent, bias])
    with pytest.raises(VerificationError, match=r"over sequences of 128 calls, differs") as off:
        edgernn.load(model).export(
            tmp_path,
            to="tflite",
            scheme="int8",
            calibrate=slow(100, steps=400, seed=0),
            streaming=True,
            tflite_profile="integer-only",
        )
    # Other schemes have no file of integers only that could be checked.
    assert "Nor does" not in str(off.value)


def test_a_good_file_is_not_refused_for_first_steps_that_hardly_vary(averaging, tmp_path):
    """Eight kept rows are judged at steps 0 to 7, where the memory holds next to nothing."""
    for seed in range(3):
        made = edgernn.load(averaging(6.0)).export(
            tmp_path / str(seed), to="tflite", scheme="int8", calibrate=slow(32), streaming=True
        )
        found = made.artefacts[0].verification
        assert found.status.value == "passed"
        assert found.mean_error is not None
        assert found.mean_error < 0.02


def test_the_error_of_a_step_model_is_that_of_its_streams(averaging, tmp_path):
    model = averaging(4.0)
    exported = edgernn.load(model).export(
        tmp_path, to="native", scheme="int8", calibrate=slow(200), streaming=True
    )
    fresh = slow(30, seed=5)
    exact = model.predict(fresh, verbose=0)
    native, given = edgernn.Model(exported["native"].path), []
    for row in fresh:
        session = native.session()
        given.append([session.step(step) for step in row][-1])
    error = np.abs(np.reshape(given, exact.shape) - exact).mean() / exact.std()
    found = exported.artefacts[0].verification
    assert found.status.value == "passed"
    assert found.mean_error is not None
    assert error < 0.02
    assert found.mean_error == pytest.approx(error, rel=1.0)
