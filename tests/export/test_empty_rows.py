"""Rows that the float model answers with NaN: an average over no valid step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgernn
from edgernn.export.mean_error import with_answers

keras = pytest.importorskip("keras")


@pytest.fixture(scope="module")
def classifier():
    keras.utils.set_random_seed(2)
    x = keras.Input((12, 4), name="x")
    steps = keras.layers.LSTM(8, return_sequences=True)(keras.layers.Masking(-9.0)(x))
    mean = keras.layers.GlobalAveragePooling1D()(steps)
    return keras.Model(x, keras.layers.Dense(3)(mean))


def padded(rows: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 12, 4)).astype(np.float32).cumsum(axis=1)
    for row, length in enumerate(rng.integers(3, 13, rows)):
        x[row, length:] = -9.0
    return x


@pytest.mark.parametrize("scheme", ["int8", "dynamic"])
def test_a_masked_average_is_exported_though_integers_have_no_nan(classifier, scheme, tmp_path):
    made = edgernn.load(classifier).export(tmp_path, scheme=scheme, calibrate=padded(40, 0))
    assert {one.verification.status.value for one in made.artefacts} == {"passed"}
    fresh = padded(100, 1)
    fresh[7] = -9.0
    exact = classifier.predict(fresh, verbose=0)
    assert np.isnan(exact[7]).all()  # Keras itself has no answer
    others = np.arange(len(fresh)) != 7
    given = edgernn.Model(Path(made["native"].path))(fresh)[others]
    assert np.abs(given - exact[others]).mean() < 0.03 * exact[others].std()


def test_only_where_the_model_has_no_answer_any_number_is_one():
    exact = [{"y": np.array([[np.nan], [1.0]])}]
    (filled,) = with_answers([{"y": np.array([[5.0], [2.0]])}], exact)
    assert np.array_equal(filled["y"], [[np.nan], [2.0]], equal_nan=True)
    (lost,) = with_answers([{"y": np.array([[5.0], [np.nan]])}], exact)
    assert np.isnan(lost["y"]).all()  # a NaN of its own stays, and fails the check
    (other,) = with_answers([{"y": np.ones((3, 1))}], exact)
    assert other["y"].shape == (3, 1)
