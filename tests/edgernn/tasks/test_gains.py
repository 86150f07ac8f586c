"""Training rows of another loudness are those that louder sound gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgernn.recipe import SoundRecipe, preset
from edgernn.runtime.audio import features_of, known_sound
from edgernn.tasks.gains import LOUDEST_DB, SOFTEST_DB, response, with_gains
from edgernn.tasks.samples import Samples, Splits, ending_together

FBANK = preset("kaldi-fbank40@16000")
NORMALIZED = replace(preset("tf-mfcc13@16000"), add=(2.0,) * 13, multiply=(0.5,) * 13)


def splits(recipe: SoundRecipe | None, rows: int = 40) -> Splits:
    sound = known_sound(4000)
    width = 40 if recipe is None else recipe.width
    features = np.zeros((24, width), np.float32) if recipe is None else features_of(sound, recipe)
    x = ending_together([features] * rows, 30)
    part = Samples(name="words", x=x, y=np.arange(rows) % 2, front_end=recipe)
    return Splits(train=part, validation=part, calibration=part, test=part)


@pytest.mark.parametrize("recipe", [FBANK, NORMALIZED], ids=["fbank", "normalized mfcc"])
def test_half_of_the_training_rows_are_those_of_softer_or_louder_sound(recipe: SoundRecipe) -> None:
    before = splits(recipe)
    after = with_gains(before, seed=3)
    assert after.validation.x is before.validation.x
    assert after.test.x is before.test.x
    changed = np.flatnonzero((after.train.x != before.train.x).any(axis=(1, 2)))
    assert len(changed) == 20
    sound = known_sound(4000).astype(np.float32) / 32768
    gains = []
    for row in changed:
        real = after.train.x[row, 30 - recipe.frames(4000) :]
        assert not after.train.x[row, : 30 - len(real)].any()  # padding stays zero
        shift = (real - before.train.x[row, 30 - len(real) :]) @ response(recipe)
        logarithm = shift.mean() / (response(recipe) ** 2).sum()
        powers = 2 if recipe.spectrum == "power" else 1
        gains.append(np.exp(logarithm / powers))
        expected = features_of((sound * gains[-1]).astype(np.float32), recipe)
        assert np.abs(real - expected).max() < 0.02
    assert 20 * np.log10(min(gains)) > SOFTEST_DB
    assert 20 * np.log10(max(gains)) < LOUDEST_DB
    assert 20 * np.log10(min(gains)) < SOFTEST_DB + 8


def test_energies_at_the_floor_stay_there() -> None:
    silent = features_of(np.zeros(4000, np.int16), FBANK)
    part = Samples(name="words", x=np.stack([silent] * 10), y=np.arange(10) % 2, front_end=FBANK)
    train = with_gains(
        Splits(train=part, validation=part, calibration=part, test=part), seed=0
    ).train
    assert train.x.min() >= silent.min() - 1e-5


@pytest.mark.parametrize("recipe", [None, replace(FBANK, compression="pcen")], ids=["none", "pcen"])
def test_rows_without_logarithms_of_sound_stay_as_they_are(recipe: SoundRecipe | None) -> None:
    before = splits(recipe)
    assert with_gains(before, seed=0) is before
