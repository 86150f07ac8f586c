"""Training rows of sound are those that a listener sees: a word anywhere, with noise around it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from edgernn.recipe import SoundRecipe, preset
from edgernn.runtime.audio import features_of
from edgernn.tasks import augmentation
from edgernn.tasks.augmentation import LATEST_S, MOST_TIMES, SHIFT_S, augmented, why_not_in_noise
from edgernn.tasks.samples import InputArray, Samples, Splits, ending_together

RECIPE = preset("kaldi-fbank40@8000")
STEPS = 100
WORD_ROWS = 30
LABELS = ("_silence", "high", "low")


def tone(hertz: float, seed: int) -> npt.NDArray[np.float32]:
    t = np.arange(RECIPE.window_samples + (WORD_ROWS - 1) * RECIPE.hop_samples) / RECIPE.rate_hz
    hiss = 0.001 * np.random.default_rng(seed).standard_normal(len(t))
    return np.asarray(0.3 * np.sin(2 * np.pi * hertz * t) + hiss, np.float32)


def words(recipe: SoundRecipe = RECIPE, *, each: int = 20, steps: int = STEPS) -> Splits:
    """Two words, and a noise of 1 kHz and up in place of silence."""
    sounds = {1: 2500.0, 2: 500.0}
    rows = [
        features_of(tone(hertz, seed), recipe) for hertz in sounds.values() for seed in range(each)
    ]
    rng = np.random.default_rng(0)
    for _ in range(each):
        hiss = np.diff(rng.standard_normal(RECIPE.rate_hz + 1), 1) * 0.01
        rows.append(features_of(hiss.astype(np.float32), recipe))
    y = np.repeat([1, 2, 0], each)
    x = ending_together(rows, steps)
    part = Samples(name="words", x=x, y=y, labels=LABELS, named=True, front_end=recipe)
    return Splits(train=part, validation=part, calibration=part, test=part)


def loudest_bin(rows: npt.NDArray[np.float32]) -> int:
    return int(rows.argmax(axis=1)[rows.max(axis=1).argmax()])


def test_most_words_stand_anywhere_in_their_window_with_noise_around_them() -> None:
    before = words()
    train = augmented(before, seed=1).train
    assert len(train) == MOST_TIMES * len(before.train)
    assert np.array_equal(train.classified, np.tile(before.train.classified, MOST_TIMES))
    filled = ~(train.x == 0).all(axis=2).any(axis=1)
    spoken = train.classified != 0
    assert filled[spoken].mean() == pytest.approx(0.75, abs=0.08)
    behind = []
    for row in np.flatnonzero(filled & spoken):
        power = np.exp(train.x[row]).sum(axis=1)
        loud = np.flatnonzero(power > power.max() / 2)
        assert WORD_ROWS - 8 <= loud[-1] - loud[0] + 1 <= WORD_ROWS
        behind.append(STEPS - 1 - loud[-1])
        expected = loudest_bin(before.train.x[20 * (train.classified[row] - 1)])
        assert abs(loudest_bin(train.x[row]) - expected) <= 1
    latest = round(1000 * LATEST_S / RECIPE.hop_ms)
    assert min(behind) <= 3
    assert latest - 5 <= max(behind) <= latest + 3


def test_noise_is_as_much_softer_than_the_word_as_was_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(augmentation, "NOISIEST_DB", 12.0)
    monkeypatch.setattr(augmentation, "QUIETEST_DB", 12.0)
    before = words()
    train = augmented(before, seed=1).train
    filled = ~(train.x == 0).all(axis=2).any(axis=1)
    below, silent = [], 0
    for row in np.flatnonzero(filled & (train.classified != 0)):
        power = np.exp(train.x[row].astype(np.float64)).mean(axis=1)
        loud = np.flatnonzero(power > power.max() / 2)
        around = np.r_[power[: max(0, loud[0] - 4)], power[loud[-1] + 5 :]].mean()
        if around < 2 * RECIPE.floor:
            silent += 1
        else:
            below.append(10 * np.log10(power[loud].mean() / around))
    assert np.median(below) == pytest.approx(12, abs=0.7)
    assert np.percentile(np.abs(np.array(below) - 12), 90) < 3
    assert 0.02 < silent / (silent + len(below)) < 0.2


def test_the_validation_has_its_rows_as_they_are_and_in_noise_and_the_test_its_own() -> None:
    before = words()
    after = augmented(before, seed=0)
    count = len(before.validation)
    assert np.array_equal(after.validation.x[:count], before.validation.x)
    assert len(after.validation) == 2 * count
    assert not (after.validation.x[count:] == 0).all(axis=2).any()
    assert after.test.x is before.test.x
    assert after.calibration.x is before.calibration.x
    again, other = augmented(before, seed=0), augmented(before, seed=1)
    assert np.array_equal(after.train.x, again.train.x)
    assert not np.array_equal(after.train.x, other.train.x)


def test_a_recording_that_fills_its_window_is_moved_by_a_tenth_of_a_second() -> None:
    """A word in the middle of a second of hiss, as data sets of commands have them."""
    before = words()
    clip = 0.0005 * np.random.default_rng(1).standard_normal((40, 8200)).astype(np.float32)
    clip[:, 2500 : 2500 + len(tone(500, 0))] += tone(500, 0)
    x = ending_together([features_of(one, RECIPE) for one in clip], STEPS)
    part = replace(before.train, x=x, y=np.full(40, 2))
    train = augmented(replace(before, train=part), seed=0).train

    def ends(rows: InputArray) -> npt.NDArray[np.int64]:
        power = np.exp(rows).sum(axis=2)
        assert all((one > one.max() / 2).sum() >= WORD_ROWS - 8 for one in power)
        return np.array([np.flatnonzero(one > one.max() / 2)[-1] for one in power])

    at = int(np.median(ends(x)))
    latest = round(1000 * SHIFT_S / RECIPE.hop_ms)
    assert at - latest - 2 <= ends(train.x).min() < at - latest + 3
    assert at + latest - 3 < ends(train.x).max() <= at + latest + 2
    assert not (train.x == 0).all(axis=2).any()


@pytest.mark.parametrize("steps", [1, 4])
def test_windows_of_a_few_rows_keep_something_of_their_recording(steps: int) -> None:
    before = words(each=10, steps=steps)
    assert np.isfinite(augmented(before, seed=0).train.x).all()


def test_many_recordings_come_once() -> None:
    before = words(each=10)
    many = before.train.rows(np.arange(6000) % 30, name="words")
    assert len(augmented(replace(before, train=many), seed=0).train) == 6000


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        (replace(RECIPE, compression="pcen"), "PCEN does not give the energies back"),
        (replace(RECIPE, compression="none"), "logarithms of energies alone"),
        (replace(RECIPE, multiply=(1.0, 0.0) * 20), "factors of zero do not give the energies"),
    ],
    ids=["pcen", "no logarithm", "times zero"],
)
def test_rows_whose_energies_are_not_to_be_had_keep_their_places(
    recipe: SoundRecipe, reason: str
) -> None:
    before = words(recipe, each=10)
    assert reason in str(why_not_in_noise(before.train))
    after = augmented(before, seed=0)
    assert after.train.x.shape == before.train.x.shape
    padding = (before.train.x == 0).all(axis=2)
    assert padding.any()
    assert not after.train.x[padding].any()


@pytest.mark.parametrize("name", ["kaldi-mfcc13@8000", "tf-mfcc13@8000"])
@pytest.mark.parametrize("below_db", [5.0, 25.0])
def test_cepstra_in_noise_are_near_those_of_the_mixed_sound(name: str, below_db: float) -> None:
    recipe = replace(preset(name), add=(3.0,) * 13, multiply=(0.5,) * 13)
    scale = augmentation._Scale(recipe=recipe)
    sound = tone(700, 0)
    hiss = np.diff(np.random.default_rng(1).standard_normal(len(sound) + 1)).astype(np.float32)
    hiss *= np.sqrt((sound**2).mean() / (hiss**2).mean()) * 10 ** (-below_db / 20)
    word, noise, mixed = (features_of(one, recipe) for one in (sound, hiss, sound + hiss))
    assert np.abs(scale.features(scale.decibels(word)) - word).max() < 1e-4
    natural = np.log(10) / 10
    energies = np.logaddexp(scale.decibels(word) * natural, scale.decibels(noise) * natural)
    error = scale.features(energies / natural) - mixed
    assert (error**2).mean() < 0.1 * ((word - mixed) ** 2).mean()


def test_cepstra_of_words_move_and_get_noise_or_digital_silence() -> None:
    recipe = preset("kaldi-mfcc13@8000")
    before = words(recipe, each=10)
    train = augmented(before, seed=1).train
    filled = ~(train.x == 0).all(axis=2).any(axis=1)
    assert filled[train.classified != 0].mean() == pytest.approx(0.75, abs=0.1)
    silence = features_of(np.zeros(4000, np.float32), recipe)[0]
    is_silent = np.abs(train.x - silence).max(axis=2) < 1e-3
    assert is_silent.any(axis=1).any()
    assert not is_silent.all(axis=1)[train.classified != 0].any()


@pytest.mark.parametrize("name", ["librosa-mel40@8000", "tf-mel40@8000"])
def test_far_above_the_noise_a_word_keeps_its_rows_and_digital_silence_is_around_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """librosa's rows are decibels, those of tf.signal logarithms of magnitudes; both scaled."""
    recipe = replace(preset(name), add=(3.0,) * 40, multiply=(0.5,) * 40)
    monkeypatch.setattr(augmentation, "with_gains", lambda splits, _seed: splits)
    monkeypatch.setattr(augmentation, "NOISIEST_DB", 290.0)
    monkeypatch.setattr(augmentation, "QUIETEST_DB", 300.0)
    before = words(recipe, each=10)
    train = augmented(before, seed=3).train
    silence = features_of(np.zeros(4000, np.float32), recipe)[0]
    original = np.tile(before.train.x, (MOST_TIMES, 1, 1))
    moved = np.flatnonzero((train.x != original).any(axis=(1, 2)) & (train.classified != 0))
    assert len(moved) > 40
    for row in moved:
        real = original[row, (original[row] != 0).any(axis=1)]
        loudest = real[real.max(axis=1).argmax()]
        assert np.abs(train.x[row] - loudest).max(axis=1).min() < 2e-3
        assert np.abs(train.x[row, :15] - silence).max() < 2e-3
