"""Scores of a training on a grid: the integers of its file, in the order of Keras' outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgernn.aware.deployed import deployed
from edgernn.aware.integers import in_integers
from edgernn.aware.model import quantization_aware
from edgernn.tasks.keras_backend import load_keras

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def layers() -> Any:
    load_keras().utils.set_random_seed(0)
    return load_keras().layers


def test_outputs_have_the_order_of_keras(layers: Any) -> None:
    inputs = layers.Input((6, 3), name="x")
    read = layers.GRU(8)(inputs)
    wide = layers.Dense(4, activation="softmax", name="word")(read)
    narrow = layers.Dense(1, name="angle")(read)
    model = quantization_aware(load_keras().Model(inputs, [wide, narrow]), "int4")
    x = np.random.default_rng(0).normal(size=(40, 6, 3)).astype(np.float32)
    scored = in_integers(deployed(model.inner, model.on_grid), x, "int4")
    assert scored is not None
    given, wanted = scored.predict(x, batch_size=16), model.predict(x, verbose=0)
    assert [one.shape for one in given] == [(40, 4), (40, 1)]
    for one, other in zip(given, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=0.02)
        assert not np.array_equal(one, other)  # 8 bits of the states


def test_a_model_that_takes_sound_has_no_integers_of_its_own(layers: Any) -> None:
    sound = layers.Input((1600,), name="sound")
    rows = layers.MelSpectrogram(
        fft_length=256, sequence_stride=80, sequence_length=200, num_mel_bins=8,
        sampling_rate=8000, top_db=300,
    )(sound)  # fmt: skip
    read = layers.GRU(4)(layers.Permute((2, 1))(rows))
    outputs = layers.Dense(2, activation="softmax")(read)
    model = quantization_aware(load_keras().Model(sound, outputs), "int4")
    x = np.zeros((4, 1600), np.float32)
    assert in_integers(deployed(model.inner, model.on_grid), x, "int4") is None
