"""Recipes by name: `kaldi-fbank40@16000` is that of a model trained on Kaldi's features."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edgernn.errors import DataError
from edgernn.recipe.sound import SoundRecipe, decibels, sound_of
from edgernn.recipe.stored_kinds import RowRecipe, rows_of
from edgernn.regular_file import opened

#: The front end of `edgernn train` on recordings, at their rate.
TRAINED_ON: Final = "kaldi-fbank40"


def _kaldi(rate_hz: int, bins: int, *, coefficients: int = 0) -> SoundRecipe:
    """Kaldi's and kaldi-native-fbank's defaults without dither, for samples in -1..1."""
    window = rate_hz * 25 // 1000
    return SoundRecipe(
        rate_hz=rate_hz,
        window_samples=window,
        hop_samples=rate_hz // 100,
        fft_samples=_power_of_two(window),
        remove_mean=True,
        pre_emphasis=0.97,
        window="povey",
        bins=bins,
        coefficients=coefficients,
        lifter=22.0 if coefficients else 0.0,
        name=f"kaldi-{f'mfcc{coefficients}' if coefficients else f'fbank{bins}'}@{rate_hz}",
    )


def _kaldi_mfcc(rate_hz: int, coefficients: int) -> SoundRecipe:
    return _kaldi(rate_hz, max(23, coefficients), coefficients=coefficients)


def _torchaudio(rate_hz: int, bins: int) -> SoundRecipe:
    """MelSpectrogram with windows of 25 ms every 10 ms in n_fft=a power of two, log(x + 1e-6)."""
    window = rate_hz * 25 // 1000
    return SoundRecipe(
        rate_hz=rate_hz,
        window_samples=window,
        hop_samples=rate_hz // 100,
        lead_samples=window // 2,
        fft_samples=_power_of_two(window),
        periodic=True,
        bins=bins,
        lowest_hz=0.0,
        filter_edges="hertz",
        floor=0.0,
        log_add=1e-6,
        name=f"torchaudio-mel{bins}@{rate_hz}",
    )


def _librosa(rate_hz: int, bins: int) -> SoundRecipe:
    """power_to_db(melspectrogram(y, sr=rate), top_db=None), default n_fft and hop_length."""
    return SoundRecipe(
        rate_hz=rate_hz,
        window_samples=2048,
        hop_samples=512,
        lead_samples=1024,
        fft_samples=2048,
        periodic=True,
        bins=bins,
        lowest_hz=0.0,
        mel_scale="slaney",
        filter_edges="hertz",
        filter_norm="slaney",
        floor=1e-10,
        log_scale=decibels(),
        name=f"librosa-mel{bins}@{rate_hz}",
    )


def _keras(rate_hz: int, bins: int) -> SoundRecipe:
    """keras.layers.MelSpectrogram with its defaults, and a top_db that cuts nothing off."""
    return SoundRecipe(
        rate_hz=rate_hz,
        window_samples=2048,
        hop_samples=512,
        lead_samples=1024,
        fft_samples=2048,
        periodic=True,
        bins=bins,
        lowest_hz=20.0,
        floor=1e-10,
        log_scale=decibels(),
        name=f"keras-mel{bins}@{rate_hz}",
    )


def _tensorflow(rate_hz: int, bins: int, *, coefficients: int = 0) -> SoundRecipe:
    """tf.signal: stft of 25 ms every 10 ms, abs, linear_to_mel_weight_matrix, log(x + 1e-6)."""
    window = rate_hz * 25 // 1000
    return SoundRecipe(
        rate_hz=rate_hz,
        window_samples=window,
        hop_samples=rate_hz // 100,
        fft_samples=_power_of_two(window),
        periodic=True,
        spectrum="magnitude",
        bins=bins,
        lowest_hz=80.0,
        highest_hz=min(7600.0, 0.475 * rate_hz),
        floor=0.0,
        log_add=1e-6,
        coefficients=coefficients,
        dct="htk" if coefficients else "orthonormal",
        name=f"tf-{f'mfcc{coefficients}' if coefficients else f'mel{bins}'}@{rate_hz}",
    )


def _tensorflow_mfcc(rate_hz: int, coefficients: int) -> SoundRecipe:
    return _tensorflow(rate_hz, max(40, coefficients), coefficients=coefficients)


#: By the name before the number of features.
FAMILIES: Final[dict[str, Callable[[int, int], SoundRecipe]]] = {
    "kaldi-fbank": _kaldi,
    "kaldi-mfcc": _kaldi_mfcc,
    "torchaudio-mel": _torchaudio,
    "librosa-mel": _librosa,
    "keras-mel": _keras,
    "tf-mel": _tensorflow,
    "tf-mfcc": _tensorflow_mfcc,
}

_NAME: Final = re.compile(r"(?P<family>[a-z]+-[a-z]+)(?P<number>\d{1,4})@(?P<rate>\d{1,6})")
_FORM: Final = "A preset is NAME@RATE, such as kaldi-fbank40@16000"


def preset(name: str) -> SoundRecipe:
    """The recipe with this name, such as "kaldi-fbank40@16000": 40 features of sound at 16 kHz.

    >>> preset("kaldi-fbank40@16000").window_samples
    400

    Raises DataError for a name that is none.
    """
    found = _NAME.fullmatch(name)
    families = ", ".join(FAMILIES)
    if found is None or found["family"] not in FAMILIES:
        import difflib

        near = difflib.get_close_matches(name.rstrip("0123456789@"), FAMILIES, n=1)
        hint = f"Did you mean {near[0]}40@16000? " if near else ""
        raise DataError(
            f"there is no front end '{name}'",
            remedy=f"{hint}{_FORM}, with one of {families} as its name; or give a recipe.toml",
        )
    return FAMILIES[found["family"]](int(found["rate"]), int(found["number"]))


def front_end_named(text: str) -> RowRecipe:
    """A preset, or the recipe in a .toml file, of sound or (kind = "sensor") of sensors.

    Raises DataError.
    """
    if text.endswith(".toml"):
        return _read(Path(text))
    return preset(text)


def _read(path: Path) -> RowRecipe:
    """The fields of SoundRecipe as a table; those that are not there are of `preset`, if given."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with opened(path) as file:
            table = tomllib.load(file)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", remedy="Check the path") from error
    except ValueError as error:
        raise DataError(f"{path} is not a TOML file ({error})") from error
    base = table.pop("preset", None)
    try:
        if base is None or table.get("kind") == "sensor":
            return rows_of(table)
        return sound_of(preset(str(base)).as_json() | {"name": path.stem} | table)
    except DataError as error:
        raise DataError(f"{path}: {error.what}", remedy=error.remedy) from error


def _power_of_two(samples: int) -> int:
    return max(32, 1 << (samples - 1).bit_length())
