"""Samples from a folder of recordings, with one sub-folder of .wav files for each class.

    recordings/yes/ann_001.wav
    recordings/yes/bob_001.wav
    recordings/no/ann_002.wav

The front end is the C library's: the code that makes the features of a training also makes them in
an app, from the recipe that the model's files carry.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgernn.errors import DataError, MissingRuntime
from edgernn.recipe import TRAINED_ON, SoundRecipe, preset
from edgernn.regular_file import opened
from edgernn.tasks.samples import AnyArray, FloatArray, Samples, ending_together

_LOWEST_RATE_HZ: Final = 1_000
_HIGHEST_RATE_HZ: Final = 768_000
_MOST_SAMPLES: Final = 1 << 28  # an hour of stereo at 37 kHz
_LAYOUT: Final = "Make a folder with one sub-folder of .wav files for each class"


#: Rows of a recording: a second.  Longer ones are cut at the end, shorter ones get zeros in front.
STEPS: Final = 100


def read_recordings(
    folder: Path, front_end: SoundRecipe | None = None, *, steps: int | None = None
) -> Samples:
    """x [N, steps, width]; a row's origin is its path inside the folder ("yes/ann_001.wav").

    front_end: how sound becomes rows; None is the recipe of trainings at the recordings' own rate,
    which is then the same for all of them.
    steps: of each recording; None is STEPS, or those of the recipe's clip.
    Raises DataError for damaged files, mixed sample rates and one below the recipe's,
    MissingRuntime if the package that reads sound, or the C library, is not installed.
    """
    from edgernn.runtime.audio import features_of  # the C library: other data do without it

    paths = sorted(path for path in folder.glob("*/*.wav") if not path.name.startswith("."))
    if not paths:
        raise DataError(f"{folder} has no recordings", remedy=_LAYOUT)
    labels = sorted({path.parent.name for path in paths})
    first_rate = read_waveform(paths[0])[1]
    recipe = front_end or preset(f"{TRAINED_ON}@{first_rate}")
    if steps is None:
        steps = recipe.rows_of_recording(0) if recipe.clip_samples else STEPS
    sequences = []
    for path in paths:
        waveform, rate_hz = read_waveform(path)
        if front_end is None and rate_hz != first_rate:
            raise DataError(
                f"{path} has {rate_hz} samples a second, {paths[0]} has {first_rate}",
                remedy="Resample the recordings to one rate",
            )
        try:
            sequences.append(features_of(waveform, recipe, rate_hz=rate_hz))
        except DataError as error:
            raise DataError(f"{path}: {error.what}", remedy=error.remedy) from error
    number = {label: index for index, label in enumerate(labels)}
    return Samples(
        name=folder.resolve().name,
        x=ending_together(sequences, steps),
        y=np.array([number[path.parent.name] for path in paths], dtype=np.int64),
        labels=tuple(labels),
        named=True,
        origins=tuple(path.relative_to(folder).as_posix() for path in paths),
        features=recipe.description(),
        front_end=recipe,
    )


def rows_of_sounds(sounds: AnyArray, recipe: SoundRecipe, name: str) -> FloatArray:
    """The rows of sounds of one length at the recipe's rate, [N, samples] to [N, T, width].

    sounds: int16, or floats in -1..1.
    Raises DataError for sounds that cannot be used.
    """
    from edgernn.runtime.audio import features_of

    try:
        return np.stack([features_of(one, recipe) for one in sounds])
    except DataError as error:
        raise DataError(f"{name}: {error.what}", remedy=error.remedy) from error


def read_waveform(path: Path) -> tuple[FloatArray, int]:
    """Samples in -1..1, the channels averaged, and how many there are in a second.

    Raises DataError for a file that is no sound, MissingRuntime without the package soundfile.
    """
    soundfile = _package("soundfile")
    try:
        with opened(path) as file, soundfile.SoundFile(file) as sound:
            rate_hz = sound.samplerate
            # No recording has 2^31 samples a second, and a window of them would cost seconds.
            if not _LOWEST_RATE_HZ <= rate_hz <= _HIGHEST_RATE_HZ:
                raise DataError(
                    f"{path} claims {rate_hz} samples a second; recordings have "
                    f"{_LOWEST_RATE_HZ} to {_HIGHEST_RATE_HZ}",
                    remedy="Save it again at the rate of your microphone, or remove it",
                )
            if sound.frames * sound.channels > _MOST_SAMPLES:
                raise DataError(
                    f"{path} claims {sound.frames} samples of {sound.channels} channels",
                    remedy="Cut it into recordings of a few seconds, or remove it",
                )
            channels = sound.read(dtype="float32", always_2d=True)  # [samples, C]
    except OSError as error:
        raise DataError(
            f"cannot read {path} ({error.strerror or error})", remedy="Check the path"
        ) from error
    # soundfile's own error is a RuntimeError; damaged numbers in a header are TypeError, ValueError
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:
        reason = getattr(error, "error_string", None) or error
        raise DataError(
            f"{path} is not a valid wav file ({str(reason).rstrip('.')})",
            remedy="Save it again as .wav, with 16-bit samples",
        ) from error
    if not len(channels):
        raise DataError(f"{path} holds no samples", remedy="Remove it")
    waveform: FloatArray = channels.mean(axis=1)
    if not np.isfinite(waveform).all():
        raise DataError(
            f"{path} contains NaN or infinity", remedy="Save it again with 16-bit samples"
        )
    return waveform, int(rate_hz)


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingRuntime(
            f"reading recordings needs the package {name.replace('_', '-')} ({error})",
            remedy="Install it with: pip install 'edgernn[audio]'",
        ) from error
