"""Whether the record in an .ernn file and the recipe beside it say the same."""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np

from edgernn.recipe.sound import SoundRecipe
from edgernn.recipe.tables import sound_record

# The numbers of ernn_sound (edgernn/runtime/c/ernn_sound.h), in its order.
_COUNTS: Final = ("rate_hz", "window_samples", "hop_samples", "lead_samples", "fft_samples")
_NUMBERS: Final = (
    *("scale", "pre_emphasis", "floor", "log_add", "log_scale", "log_shift"),
    *("pcen_smooth", "pcen_gain", "pcen_bias", "pcen_power", "pcen_floor", "pcen_start"),
)
_LAYOUT: Final = "<8I12f8I"

#: Cosines and logarithms differ in their last bits from machine to machine.
_TOLERANCE: Final = 1e-5


def difference(recipe: SoundRecipe, record: bytes) -> str:
    """The first field of `record` that `recipe` does not give; "" where they agree.

    record: bytes of ERNN_FRONT_END_SOUND, version 1, that the C library accepted.

    >>> difference(recipe, sound_record(recipe))
    ''
    >>> difference(replace(recipe, hop_samples=80), sound_record(recipe))
    'hop_samples'
    """
    expected, found = _fields(sound_record(recipe)), _fields(record)
    for name, wanted in expected.items():
        given = found[name]
        room = _TOLERANCE * float(np.abs(wanted).max(initial=0))
        if given.shape != wanted.shape or not np.allclose(
            given, wanted, rtol=_TOLERANCE, atol=room if wanted.size > 1 else 0
        ):
            return name
    return ""


def _fields(record: bytes) -> dict[str, Any]:
    """Every field as an array, tables as what they compute."""
    words = struct.unpack_from(_LAYOUT, record)
    *counts, bins, width, flags = words[:8]
    shape, turns, untangle, filters, weights, weight_count, dct, normalize = words[20:]
    window, fft = counts[1], counts[4]

    def table(offset: int, count: int) -> Any:
        return np.frombuffer(record, "<f4", count, offset) if offset else np.empty(0)

    fields = {
        **dict(zip(_COUNTS, counts, strict=True)),
        "bins": bins,
        "width": width,
        "steps that are taken": flags,
        **dict(zip(_NUMBERS, words[8:20], strict=True)),
        "window": table(shape, window),
        "turns of the Fourier transform": table(turns, fft // 8 * 6),
        "table of the Fourier transform": table(untangle, fft // 2),
        "coefficients": table(dct, width * (-(-bins // 4) * 4)),
        "add and multiply": table(normalize, 2 * width),
    }
    if bins:
        triangles = np.zeros((bins, fft // 2 + 8), np.float32)
        each = np.frombuffer(record, "<u4", 3 * bins, filters).reshape(bins, 3)
        values = table(weights, weight_count)
        for row, (first, count, start) in zip(triangles, each.tolist(), strict=True):
            row[first : first + count] = values[start : start + count]
        fields["filters"] = triangles
    return {name: np.asarray(field, np.float64) for name, field in fields.items()}
