"""Sound into rows of features, by the C library: the same code in training, here and in apps."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgernn.errors import DataError
from edgernn.recipe import SoundRecipe, sound_record
from edgernn.runtime.library import OK, ffi, lib, status_text

if TYPE_CHECKING:
    from edgernn.graph import AnyArray

_ALIGNMENT = 64


class FrontEnd:
    """Turns samples into the rows that a model takes, as they come.

    >>> front_end = FrontEnd(recipe, rate_hz=48000)  # resamples to recipe.rate_hz
    >>> rows = front_end.feed(samples)               # [n] -> [rows, recipe.width], float32

    Any number of samples a call gives the same rows, bit for bit.  One front end is for one stream
    and one thread.
    Raises DataError for a rate that cannot be resampled: one below the recipe's lacks frequencies
    that the model was trained on.
    """

    def __init__(
        self, recipe: SoundRecipe, *, rate_hz: int | None = None, record: bytes | None = None
    ) -> None:
        """`record`: the recipe as an .ernn file stores it; made of the recipe where it is None."""
        self.recipe = recipe
        self.rate_hz = rate_hz or recipe.rate_hz
        record = sound_record(recipe) if record is None else record
        self._record = _aligned(len(record))
        self._record[:] = np.frombuffer(record, np.uint8)
        pointer = ffi.from_buffer(self._record)
        _check(lib.ernn_check_sound(pointer, len(record)), self)
        size = ffi.new("size_t *")
        _check(lib.ernn_sound_size(pointer, self.rate_hz, size), self)
        self._arena = _aligned(size[0])
        made = ffi.new("ernn_audio **")
        arena = ffi.from_buffer(self._arena)
        _check(lib.ernn_sound_init(made, pointer, self.rate_hz, arena, size[0]), self)
        self._audio = made[0]
        self._ready = ffi.new("int *")

    def feed(self, samples: AnyArray) -> npt.NDArray[np.float32]:
        """The rows that these samples complete, [rows, width]; the rest is kept.

        samples: [n] of one channel, int16 or float32 in -1..1.
        Raises DataError for other types and shapes, and for a sample that is NaN or far outside of
        -1..1 (16-bit samples as floats are).
        """
        samples = np.ascontiguousarray(samples)
        if samples.ndim != 1:
            raise DataError(
                f"the sound has shape {samples.shape}",
                remedy="Give one channel as [samples]; of stereo, the mean of both or one of them",
            )
        if samples.dtype == np.float64:
            samples = samples.astype(np.float32)
        if samples.dtype == np.int16:
            feed, kind = lib.ernn_audio_feed_s16, "int16_t[]"
        elif samples.dtype == np.float32:
            feed, kind = lib.ernn_audio_feed_f32, "float[]"
        else:
            raise DataError(
                f"the sound has the type {samples.dtype}", remedy="Give int16, or float32 in -1..1"
            )
        pointer, at = ffi.from_buffer(kind, samples), 0
        rows = []
        while at < len(samples):
            row = np.empty(self.recipe.width, np.float32)
            place = ffi.from_buffer("float[]", row)
            at += feed(self._audio, pointer + at, len(samples) - at, place, self._ready)
            if self._ready[0]:
                rows.append(row)
            elif at < len(samples):
                status = lib.ernn_audio_status(self._audio)
                raise DataError(f"sample {at}: {status_text(status)}")
        return np.stack(rows) if rows else np.empty((0, self.recipe.width), np.float32)

    def reset(self) -> None:
        """Forgets the samples: the next one is the first of a stream."""
        lib.ernn_audio_reset(self._audio)


def features_of(
    samples: AnyArray, recipe: SoundRecipe, *, rate_hz: int | None = None
) -> npt.NDArray[np.float32]:
    """The rows of a whole recording, [rows, recipe.width].

    >>> rows = features_of(samples, recipe, rate_hz=8000)

    Raises DataError as FrontEnd does, and for fewer samples than the first row needs.
    """
    rate_hz = rate_hz or recipe.rate_hz
    clip = -(-recipe.clip_samples * rate_hz // recipe.rate_hz)
    clipped = np.asarray(samples)[:clip] if clip else samples
    rows = FrontEnd(recipe, rate_hz=rate_hz).feed(followed(clipped, recipe, rate_hz=rate_hz))
    if not len(rows):
        window_ms = 1000 * recipe.window_samples / recipe.rate_hz
        raise DataError(
            f"{len(samples)} samples are fewer than one window of {window_ms:g} ms",
            remedy="Give a longer recording",
        )
    return rows[: recipe.rows_of_recording(-(-len(samples) * recipe.rate_hz // rate_hz))]


def followed(samples: AnyArray, recipe: SoundRecipe, *, rate_hz: int) -> AnyArray:
    """A whole recording and what its recipe has behind its end, as a stream gets it.

    samples: [n] of one channel.  Zeros fill it up to the recipe's clip; then comes the sound
    backwards, where the recipe mirrors its ends.
    """
    samples = np.asarray(samples)
    if samples.ndim != 1:
        return samples  # feed says what is wrong
    clip = -(-recipe.clip_samples * rate_hz // recipe.rate_hz)
    if len(samples) < clip:
        samples = np.concatenate([samples, np.zeros(clip - len(samples), samples.dtype)])
    if recipe.ends != "mirror":
        return samples
    count = -(-len(samples) * recipe.rate_hz // rate_hz)
    last = count // recipe.hop_samples * recipe.hop_samples + recipe.first_samples
    behind = max(0, -(-(last - count) * rate_hz // recipe.rate_hz))
    if rate_hz != recipe.rate_hz:
        behind += rate_hz // 100  # the filter's answers come later
    return np.concatenate([samples, samples[-2 : -2 - behind : -1]])


def known_sound(samples: int) -> npt.NDArray[np.int16]:
    """Noise that each language makes alike: s = (1103515245 s + 12345) mod 2^31 from s = 1; a
    sample is s / 2^17, rounded down, minus 8192.
    """
    state, made = 1, np.empty(samples, np.int16)
    for index in range(samples):
        state = (1103515245 * state + 12345) % (1 << 31)
        made[index] = (state >> 17) - 8192
    return made


def check_value(recipe: SoundRecipe) -> dict[str, Any]:
    """What another implementation of the recipe can be held against.

    The first row and the CRC-32 of the first 20 rows (float32, little-endian) of `known_sound`.
    """
    samples = recipe.window_samples + 19 * recipe.hop_samples
    rows = features_of(known_sound(samples), recipe)[:20].astype("<f4")
    return {
        "samples": samples,
        "rows": len(rows),
        "crc32": zlib.crc32(rows.tobytes()),
        "first_row": [float(f"{value:.7g}") for value in rows[0].tolist()],
    }


def _check(status: int, front_end: FrontEnd) -> None:
    if status != OK:
        recipe = front_end.recipe
        why, _, _about_sensors = status_text(status).partition(";")
        raise DataError(
            f"sound of {front_end.rate_hz} samples a second cannot be used where the model takes "
            f"{recipe.rate_hz}: {why}",
            remedy="Record at the model's rate, or at 44100 or 48000",
        )


def _aligned(size: int) -> Any:
    """Bytes at a multiple of what the library asks for."""
    room = np.empty(size + _ALIGNMENT, np.uint8)
    offset = -room.ctypes.data % _ALIGNMENT
    return room[offset : offset + size]
