"""The recipes that docs/sound.md gives for Keras' spectrograms make the features of Keras."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgernn.recipe import front_end_named, preset
from edgernn.recipe.sound import SoundRecipe
from edgernn.runtime.audio import features_of
from tests.edgernn.runtime.sounds import made_up

PAGE = Path(__file__).parents[3] / "docs" / "sound.md"
SAMPLES = made_up(32_000, rate_hz=16_000).astype(np.float32) / 32768


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


def test_mel_spectrogram_is_keras_mel_from_the_third_row_on(keras: Any) -> None:
    layer = keras.layers.MelSpectrogram(top_db=300)
    expected = np.asarray(layer(SAMPLES[None]))[0].T
    rows = features_of(SAMPLES, preset("keras-mel128@16000"))
    assert len(rows) > 55
    assert np.abs(rows[2:] - expected[2 : len(rows)]).max() < 0.02
    assert np.abs(rows[0] - expected[0]).max() > 0.1  # mirrored sound, not zeros


def test_stft_spectrogram_is_the_recipe_of_the_page(keras: Any, tmp_path: Path) -> None:
    section = PAGE.read_text("utf-8").partition("### Spectrograms of Keras")[2]
    (recipe_text, *_) = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    (tmp_path / "stft.toml").write_text(recipe_text)
    recipe = front_end_named(str(tmp_path / "stft.toml"))
    assert isinstance(recipe, SoundRecipe)
    window = np.hanning(256)
    assert recipe.scale == pytest.approx(1 / np.sqrt((window**2).sum()), abs=1e-6)
    layer = keras.layers.STFTSpectrogram(mode="log")
    expected = np.asarray(layer(SAMPLES[None, :, None]))[0]
    rows = features_of(SAMPLES, recipe)
    assert rows.shape == expected.shape
    loud = expected > -6
    assert loud.mean() > 0.5
    assert np.abs(rows - expected)[loud].max() < 0.01  # sums of float32 on both sides
    assert np.abs(rows - expected).max() < 0.2
