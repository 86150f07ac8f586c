"""Words in a stream have sound around them: training rows get background noise and a time shift.

A recording of one word ends with it.  A listener asks ten times a second, and the word that it
hears ended some time ago, with noise since then: a model that was trained on recordings as they are
has forgotten the word a tenth of a second later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn.recipe import SoundRecipe
from edgernn.recipe.tables import cosines
from edgernn.tasks.gains import with_gains
from edgernn.tasks.samples import AnyArray, FloatArray, Samples, Splits
from edgernn.tasks.target import Target

#: A word ended up to so long before a window does.
LATEST_S: Final = 0.5
#: A recording that fills its window has a word at a place of its own: it is moved by less.
SHIFT_S: Final = 0.1
_FILLED_SHARE: Final = 0.9  # of the window
#: The word's power over the background's, in decibels.
NOISIEST_DB: Final = 5.0
QUIETEST_DB: Final = 50.0
#: Labels of noise, by their usual names ("_silence_" is one): their rows are backgrounds too.
NOISES: Final = frozenset({"background", "noise", "silence"})
#: Sound that is softer than the loudest row by so much is the recording's own background.
_SOUNDING_DB: Final = 30.0
#: A half of so many recordings, or fewer, come several times, each time with another background.
_ENOUGH_ROWS: Final = 6000
MOST_TIMES: Final = 4
_SILENT_SHARE: Final = 0.1  # of the backgrounds: a microphone that is switched off
_MADE_NOISES: Final = 32


def augmented(splits: Splits, seed: int) -> Splits:
    """The parts with training and validation rows as a listener gets them.

    Half of the training rows get another loudness (`with_gains`).  Three quarters of them stand
    anywhere in their window, with noise behind, in front and below: that of recordings with a label
    in NOISES, and computed noise.  Few training rows come several times, each time another way.
    The validation has its rows as they are, then once more in noise.  Classes and labels alone, of
    sound whose features are logarithms of energies: other rows keep their places.
    """
    recipe = splits.train.front_end
    if not isinstance(recipe, SoundRecipe) or not _can_move(splits.train):
        return with_gains(splits, seed)
    train = splits.train
    times = int(np.clip(_ENOUGH_ROWS // len(train), 1, MOST_TIMES))
    splits = with_gains(replace(splits, train=_repeated(train, times)), seed)
    noises = _backgrounds(train, recipe, seed)
    rng = np.random.default_rng([seed, len(train), times])
    moved = np.sort(rng.permutation(len(splits.train))[len(splits.train) // 4 :])
    twice = _repeated(splits.validation, 2)
    second = np.arange(len(splits.validation), len(twice))
    return replace(
        splits,
        train=_in_noise(splits.train, moved, noises, recipe, rng),
        validation=_in_noise(twice, second, noises, recipe, np.random.default_rng(seed)),
    )


def why_not_in_noise(samples: Samples) -> str | None:
    """Why training rows of labelled sound stay as they were recorded.

    None where they get noise, and for rows of anything else.
    """
    recipe = samples.front_end
    if not isinstance(recipe, SoundRecipe) or not _has_labels(samples):
        return None
    if recipe.compression == "pcen":
        return "PCEN does not give the energies back"
    if recipe.compression != "log":
        return "noise is added to logarithms of energies alone, and the recipe has none"
    if recipe.clip_samples:
        return "each begins with its word, as the clip of the recipe says"
    is_invertible = recipe.log_scale != 0 and all(recipe.multiply)
    if is_invertible and recipe.coefficients:
        is_invertible = np.linalg.matrix_rank(cosines(recipe)) == recipe.coefficients
    return None if is_invertible else "factors of zero do not give the energies back"


def _can_move(samples: Samples) -> bool:
    return why_not_in_noise(samples) is None and _has_labels(samples)


def _has_labels(samples: Samples) -> bool:
    return (
        samples.lengths is None
        and samples.x.ndim == 3
        and all(one.target in (Target.CLASS, Target.LABELS) for one in samples.outputs)
    )


def _repeated(samples: Samples, times: int) -> Samples:
    if times == 1:
        return samples
    rows = np.tile(np.arange(len(samples), dtype=np.int64), times)
    return samples.rows(rows, name=samples.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Features as decibels of power in each filter, and back.

    Fewer cepstra than filters give the smoothest energies that have these cepstra: those come back
    as they were, and a mixture's are near those of the mixed sound.
    """

    recipe: SoundRecipe

    @property
    def _each(self) -> float:
        """Decibels of a natural logarithm."""
        return (10.0 if self.recipe.spectrum == "power" else 20.0) / math.log(10)

    @property
    def lowest(self) -> float:
        return float(self._each * np.log(self.recipe.floor + self.recipe.log_add))

    def decibels(self, features: AnyArray) -> npt.NDArray[np.float64]:
        rows = np.asarray(features, np.float64)
        if self.recipe.multiply:
            rows = rows / np.asarray(self.recipe.multiply)
        if self.recipe.add:
            rows = rows - np.asarray(self.recipe.add)
        if self.recipe.coefficients:
            rows = rows @ np.linalg.pinv(cosines(self.recipe)).T
        return np.asarray((rows - self.recipe.log_shift) / self.recipe.log_scale * self._each)

    def features(self, decibels: AnyArray) -> FloatArray:
        is_smooth = bool(self.recipe.coefficients)  # between energies it may be below the lowest
        rows = np.maximum(decibels, -np.inf if is_smooth else self.lowest)
        rows = np.where(np.isneginf(rows), self.lowest, rows) / self._each
        rows = rows * self.recipe.log_scale + self.recipe.log_shift
        if self.recipe.coefficients:
            rows = rows @ cosines(self.recipe).T
        if self.recipe.add:
            rows = rows + np.asarray(self.recipe.add)
        if self.recipe.multiply:
            rows = rows * np.asarray(self.recipe.multiply)
        return np.asarray(rows, np.float32)


def _in_noise(
    samples: Samples,
    chosen: npt.NDArray[np.int64],
    noises: Sequence[AnyArray],
    recipe: SoundRecipe,
    rng: np.random.Generator,
) -> Samples:
    """The samples, the chosen rows of them moved and mixed with a background."""
    scale, x = _Scale(recipe=recipe), samples.x.copy()
    first, last = samples.real_steps()
    is_noise = _of_noise(samples)
    for row in chosen:
        sound = scale.decibels(x[row, first[row] : last[row] + 1])
        if is_noise[row] and rng.random() < _SILENT_SHARE:
            sound = np.full_like(sound, scale.lowest)
        window = _placed(sound, x.shape[1], recipe, rng)
        if rng.random() >= _SILENT_SHARE:
            window = _mixed(window, noises[int(rng.integers(len(noises)))], rng)
        x[row] = scale.features(window)  # silence where there is neither
    return replace(samples, x=x)


def _placed(sound: AnyArray, steps: int, recipe: SoundRecipe, rng: np.random.Generator) -> AnyArray:
    """[n, F] to [steps, F], decibels: -inf where the sound is not, and its ends may be cut off."""
    begin, end = _sounding(sound)
    at = steps - len(sound)  # of the recording's first row
    if len(sound) < _FILLED_SHARE * steps:
        latest = min(round(1000 * LATEST_S / recipe.hop_ms), steps - (end - begin))
        at = steps - end - int(rng.integers(0, latest + 1))
    else:
        shift = min(round(1000 * SHIFT_S / recipe.hop_ms), steps // 10)
        at += int(rng.integers(-shift, shift + 1))
    window = np.full((steps, sound.shape[1]), -np.inf)
    kept = sound[max(0, -at) : steps - at]
    window[max(0, at) : max(0, at) + len(kept)] = kept
    return window


def _mixed(window: AnyArray, noise: AnyArray, rng: np.random.Generator) -> AnyArray:
    """The energies of both; the noise [n, F] is repeated, and softer than the sound."""
    begin, end = _sounding(window)
    noise = np.take(noise, np.arange(len(window)) + rng.integers(len(noise)), axis=0, mode="wrap")
    below = rng.uniform(NOISIEST_DB, QUIETEST_DB)
    noise = noise - _mean_db(noise) + _mean_db(window[begin:end]) - below
    return np.asarray(np.logaddexp(window * _NATURAL, noise * _NATURAL) / _NATURAL)


def _sounding(decibels: AnyArray) -> tuple[int, int]:
    """The first row that is not background, and the one after the last."""
    loudness = _mean_db(decibels, axis=1)
    rows = np.flatnonzero(loudness >= loudness.max() - _SOUNDING_DB)
    return int(rows[0]), int(rows[-1]) + 1


_NATURAL: Final = math.log(10) / 10  # the natural logarithm of a decibel


def _mean_db(decibels: AnyArray, axis: int | None = None) -> npt.NDArray[np.float64]:
    """Of the mean power."""
    with np.errstate(divide="ignore"):  # -inf of nothing
        return np.asarray(10 * np.log10((10 ** (decibels / 10)).mean(axis=axis)))


def _backgrounds(train: Samples, recipe: SoundRecipe, seed: int) -> list[AnyArray]:
    """Noise in decibels, [n, F] each: as much of recordings as was computed, if there are any."""
    from edgernn.runtime.audio import features_of

    rng, scale = np.random.default_rng([seed, _MADE_NOISES]), _Scale(recipe=recipe)
    samples = max(recipe.rate_hz, 2 * recipe.window_samples)
    made = [
        scale.decibels(features_of(_coloured(rng, samples), recipe)) for _ in range(_MADE_NOISES)
    ]
    rows = np.flatnonzero(_of_noise(train))
    if not len(rows):
        return made
    first, last = train.real_steps()
    recorded = rng.choice(rows, size=_MADE_NOISES)
    return made + [scale.decibels(train.x[row, first[row] : last[row] + 1]) for row in recorded]


def _of_noise(samples: Samples) -> npt.NDArray[np.bool_]:
    """Which rows are recordings of noise alone, [N]."""
    names = [label.strip("_").lower() for label in samples.labels]
    quiet = [number for number, name in enumerate(names) if name in NOISES]
    if samples.target is not Target.CLASS:
        return np.zeros(len(samples), np.bool_)
    return np.isin(samples.classified, quiet)


def _coloured(rng: np.random.Generator, samples: int) -> FloatArray:
    """Noise from white to brown: its power falls with up to the square of the frequency."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    fall = np.arange(1, len(spectrum) + 1) ** (-rng.uniform(0, 2) / 2)
    sound = np.fft.irfft(spectrum * fall, samples)
    return np.asarray(0.1 * sound / np.abs(sound).max(), np.float32)
