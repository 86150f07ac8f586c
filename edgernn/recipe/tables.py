"""The tables that the C library computes with, and the record of an .ernn file that holds them.

Its layout is `ernn_sound` of edgernn/runtime/c/ernn_sound.h; docs/sound.md says the same in words.
"""

from __future__ import annotations

import struct
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgernn.recipe.sound import SoundRecipe

Doubles: TypeAlias = npt.NDArray[np.float64]

_HEADER: Final = "<8I12f12I"
_HEADER_BYTES: Final = struct.calcsize(_HEADER)
_REMOVE_MEAN, _FRAMEWISE, _MAGNITUDE, _LOG, _PCEN = 1, 2, 4, 8, 16
_MIRROR, _SILENCE = 32, 64

# History of the record: 1, the first version.  A library refuses a flag that it does not know.
SOUND_RECORD_VERSION: Final = 1


def sound_record(recipe: SoundRecipe) -> bytes:
    """The record of ERNN_FRONT_END_SOUND, version 1."""
    body = bytearray(_HEADER_BYTES)

    def table(values: Any) -> int:
        body.extend(bytes(-len(body) % 16))
        at = len(body)
        body.extend(np.asarray(values, np.float32).astype("<f4").tobytes())
        return at

    shape = table(_padded(window(recipe), 8))
    turns = table(_turns(recipe.fft_samples // 2))
    untangle = table(_untangle(recipe.fft_samples // 2))
    filters = weights = weight_count = dct = normalize = 0
    if recipe.bins:
        records, values = _sparse(mel_filters(recipe))
        weights, weight_count = table(values), len(values)
        body.extend(bytes(-len(body) % 16))
        filters = len(body)
        body.extend(records.astype("<u4").tobytes())
    if recipe.coefficients:
        dct = table(np.stack([_padded(row, 4) for row in cosines(recipe)]))
    if recipe.add or recipe.multiply:
        add = recipe.add or (0.0,) * recipe.width
        normalize = table([*add, *(recipe.multiply or (1.0,) * recipe.width)])
    struct.pack_into(
        _HEADER,
        body,
        0,
        recipe.rate_hz,
        recipe.window_samples,
        recipe.hop_samples,
        recipe.lead_samples,
        recipe.fft_samples,
        recipe.bins,
        recipe.width,
        _flags(recipe),
        recipe.scale,
        recipe.pre_emphasis,
        recipe.floor,
        recipe.log_add,
        recipe.log_scale,
        recipe.log_shift,
        recipe.pcen_smooth,
        recipe.pcen_gain,
        recipe.pcen_bias,
        recipe.pcen_power,
        recipe.pcen_floor,
        recipe.pcen_start,
        shape,
        turns,
        untangle,
        filters,
        weights,
        weight_count,
        dct,
        normalize,
        *(0,) * 4,
    )
    return bytes(body)


def _flags(recipe: SoundRecipe) -> int:
    framewise = recipe.pre_emphasis != 0 and recipe.pre_emphasis_in == "frame"
    return (
        _REMOVE_MEAN * recipe.remove_mean
        | _FRAMEWISE * framewise
        | _MAGNITUDE * (recipe.spectrum == "magnitude")
        | _LOG * (recipe.compression == "log")
        | _PCEN * (recipe.compression == "pcen")
        | _MIRROR * (recipe.ends == "mirror")
        | _SILENCE * (recipe.clip_samples > 0)
    )


def window(recipe: SoundRecipe) -> Doubles:
    """The numbers that a frame is multiplied by, [window_samples]."""
    count = recipe.window_samples
    angle = 2 * np.pi * np.arange(count) / max(1, count - (not recipe.periodic))
    match recipe.window:
        case "povey":
            return np.asarray((0.5 - 0.5 * np.cos(angle)) ** 0.85)
        case "hann":
            return np.asarray(0.5 - 0.5 * np.cos(angle))
        case "hamming":
            return np.asarray(0.54 - 0.46 * np.cos(angle))
        case "blackman":
            return np.asarray(0.42 - 0.5 * np.cos(angle) + 0.08 * np.cos(2 * angle))
        case _:
            return np.ones(count)


def _turns(points: int) -> Doubles:
    """re and im of w^p, w^2p, w^3p for p < points / 4: [6, points / 4]."""
    p = np.arange(points // 4)
    angles = [-2 * np.pi * j * p / points for j in (1, 2, 3)]
    return np.stack([part for angle in angles for part in (np.cos(angle), np.sin(angle))])


def _untangle(points: int) -> Doubles:
    """cos and sin of pi k / points for k = 1..points / 2: [2, points / 2]."""
    angle = np.pi * np.arange(1, points // 2 + 1) / points
    return np.stack([np.cos(angle), np.sin(angle)])


def to_mel(hertz: Any, scale: str) -> Any:
    """Frequencies on the mel scale, of HTK or of Slaney's toolbox."""
    hertz = np.asarray(hertz, np.float64)
    if scale == "htk":
        return 1127.0 * np.log1p(hertz / 700.0)
    linear = 3.0 * hertz / 200.0
    return np.where(hertz < 1000, linear, 15 + 27 * np.log(np.maximum(hertz, 1) / 1000) / _STEP)


_STEP: Final = float(np.log(6.4))


def from_mel(mel: Any, scale: str) -> Any:
    """The inverse of `to_mel`."""
    mel = np.asarray(mel, np.float64)
    if scale == "htk":
        return 700.0 * np.expm1(mel / 1127.0)
    return np.where(mel < 15, 200.0 * mel / 3.0, 1000 * np.exp((mel - 15) * _STEP / 27))


def mel_filters(recipe: SoundRecipe) -> Doubles:
    """The triangles over the spectrum, [bins, fft_samples / 2 + 1]."""
    scale = recipe.mel_scale
    low, high = (float(to_mel(hertz, scale)) for hertz in (recipe.lowest_hz, recipe.top_hz))
    corners = np.linspace(low, high, recipe.bins + 2)
    spectrum = np.arange(recipe.fft_samples // 2 + 1) * (recipe.rate_hz / recipe.fft_samples)
    hertz = from_mel(corners, scale)
    at, edges = (to_mel(spectrum, scale), corners)
    if recipe.filter_edges == "hertz":
        at, edges = spectrum, hertz
    rise = (at - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - at) / (edges[2:] - edges[1:-1])[:, None]
    filters = np.maximum(0.0, np.minimum(rise, fall))
    if recipe.filter_norm == "slaney":
        filters *= (2.0 / (hertz[2:] - hertz[:-2]))[:, None]
    return np.asarray(filters)


def _sparse(filters: Doubles) -> tuple[npt.NDArray[np.uint32], list[float]]:
    """Of each filter (first, count, start), and all weights; counts are multiples of 4.

    A filter between two numbers of the spectrum has a count of 0: its energy is always 0, as in
    Kaldi.
    """
    records: list[tuple[int, int, int]] = []
    weights: list[float] = []
    for row in filters:
        used = np.flatnonzero(row)
        if not len(used):
            records.append((0, 0, 0))
            continue
        part = _padded(row[used[0] : used[-1] + 1], 4)
        # The spectrum is followed by zeros, up to a multiple of 4.
        first = min(int(used[0]), (len(row) + 3) // 4 * 4 - len(part))
        part = np.roll(part, int(used[0]) - first)
        records.append((first, len(part), len(weights)))
        weights += part.tolist()
    return np.array(records, np.uint32), weights


def cosines(recipe: SoundRecipe) -> Doubles:
    """The discrete cosine transform (type II) with the lifter, [coefficients, bins]."""
    k, bins = np.arange(recipe.coefficients)[:, None], recipe.bins
    matrix = np.sqrt(2 / bins) * np.cos(np.pi * k * (np.arange(bins) + 0.5) / bins)
    if recipe.dct == "orthonormal":
        matrix[0] *= np.sqrt(0.5)
    if recipe.lifter:
        matrix *= 1 + 0.5 * recipe.lifter * np.sin(np.pi * k / recipe.lifter)
    return np.asarray(matrix)


def _padded(values: Doubles, multiple: int) -> Doubles:
    return np.pad(values, (0, -len(values) % multiple))
