"""How sound becomes the rows that a model takes: the recipe that training, files and apps share."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from edgernn.errors import DataError
from edgernn.recipe.fields import recipe_from

# History of the recipe's format:
#   1  first version
#   2  ends and clip_samples, which are left out where they are as in 1
SOUND_VERSION: Final = 2

_CHOICES: Final = {
    "ends": ("zeros", "mirror"),
    "window": ("povey", "hann", "hamming", "blackman", "rectangular"),
    "pre_emphasis_in": ("frame", "stream"),
    "spectrum": ("power", "magnitude"),
    "mel_scale": ("htk", "slaney"),
    "filter_edges": ("mel", "hertz"),
    "filter_norm": ("none", "slaney"),
    "compression": ("log", "pcen", "none"),
    "dct": ("orthonormal", "htk"),
}
#: Of features that do not depend on the rate, in a file that does not say it.
RATE_UNKNOWN_HZ: Final = 1
_HIGHEST_RATE_HZ: Final = 768_000
_FFT_SAMPLES: Final = (32, 8192)
_LEAST: Final = 1.2e-38  # smaller floats lose bits

#: The least and the largest value of numbers, as the C library accepts them.
_LIMITS: Final[dict[str, tuple[float, float]]] = {
    "rate_hz": (1, _HIGHEST_RATE_HZ),
    "scale": (-1e5, 1e5),
    "pre_emphasis": (-1, 1),
    "floor": (0, 1e30),
    "log_add": (0, 1e30),
    "log_scale": (-1e4, 1e4),
    "log_shift": (-1e6, 1e6),
    "pcen_smooth": (0, 1),
    "pcen_gain": (0, 1),
    "pcen_bias": (_LEAST, 1e4),
    "pcen_power": (0, 1),
    "pcen_floor": (_LEAST, 1e4),
    "pcen_start": (-1, 1e6),
    "hop_samples": (1, 1 << 20),
    "clip_samples": (0, 1 << 28),
    "lifter": (0, 1000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundRecipe:
    """Each step from samples in -1..1 to a row of features, in the order of the fields.

    >>> recipe = SoundRecipe(rate_hz=16000, window_samples=400, hop_samples=160, fft_samples=512)
    >>> recipe.width  # numbers in a row
    40

    Raises DataError for a value that the C library cannot compute with.
    """

    rate_hz: int
    scale: float = 1.0  # of the samples; 32768 where training took 16-bit numbers as they are
    window_samples: int
    hop_samples: int
    lead_samples: int = 0  # before the first sample, so that frames are around their time
    ends: str = (
        "zeros"  # before the first sample; "mirror": the sound itself backwards, at both ends
    )
    remove_mean: bool = False  # of each frame
    pre_emphasis: float = 0.0  # x[t] - this * x[t - 1]
    pre_emphasis_in: str = "frame"  # each frame begins anew with itself, or the whole stream
    window: str = "hann"
    periodic: bool = False  # a window for spectra; False: its first and last number are the same
    fft_samples: int
    spectrum: str = "power"
    bins: int = 40  # mel filters; 0: the spectrum itself
    lowest_hz: float = 20.0
    highest_hz: float = 0.0  # 0: half the rate
    mel_scale: str = "htk"
    filter_edges: str = "mel"  # on this axis the edges of the triangles are straight
    filter_norm: str = "none"  # slaney: triangles of the same area
    compression: str = "log"
    floor: float = 1.1920929e-07  # smaller energies count as this
    log_add: float = 0.0
    log_scale: float = 1.0  # 4.3429448 (10 / log 10): decibels
    log_shift: float = 0.0
    pcen_smooth: float = 0.025
    pcen_gain: float = 0.98
    pcen_bias: float = 2.0
    pcen_power: float = 0.5
    pcen_floor: float = 1e-6
    pcen_start: float = -1.0  # of the smoothed energies; -1: the first frame's
    coefficients: int = 0  # of the cosine transform (MFCC); 0: none
    dct: str = "orthonormal"  # htk: without the smaller first row
    lifter: float = 0.0
    add: tuple[float, ...] = ()  # to each number of a row; minus the mean of training
    multiply: tuple[float, ...] = ()  # then; one over the deviation
    clip_samples: int = (
        0  # recordings are cut at the end, or filled with zeros there; 0: as they are
    )
    name: str = ""  # of the preset

    def __post_init__(self) -> None:
        for field, choices in _CHOICES.items():
            if getattr(self, field) not in choices:
                raise _wrong(field, getattr(self, field), f"one of {', '.join(choices)}")
        for field, (least, most) in _LIMITS.items():
            if not least <= getattr(self, field) <= most:  # NaN too
                raise _wrong(field, getattr(self, field), f"{least:g} to {most:g}")
        low, high = _FFT_SAMPLES
        if not low <= self.fft_samples <= high or self.fft_samples & (self.fft_samples - 1):
            raise _wrong("fft_samples", self.fft_samples, f"a power of two from {low} to {high}")
        if not 1 <= self.window_samples <= self.fft_samples:
            raise _wrong("window_samples", self.window_samples, "1 to fft_samples")
        if not 0 <= self.lead_samples < self.window_samples:
            raise _wrong("lead_samples", self.lead_samples, "fewer than a window")
        if self.ends == "mirror":
            self._check_mirror()
        if not 0 <= self.bins <= self.fft_samples // 2:
            raise _wrong("bins", self.bins, "0 to half of fft_samples")
        if self.coefficients and not 0 < self.coefficients <= self.bins:
            raise _wrong("coefficients", self.coefficients, "at most the bins")
        if not 0 <= self.lowest_hz < self.top_hz <= self.rate_hz / 2:
            raise DataError(
                f"the recipe's filters go from {self.lowest_hz:g} to {self.top_hz:g} Hz",
                remedy=f"lowest_hz and highest_hz must lie in 0 to {self.rate_hz / 2:g}",
            )
        if self.compression == "log" and self.floor + self.log_add < _LEAST:
            raise _wrong("floor", self.floor, "above 0 where log_add is 0")
        for field in ("add", "multiply"):
            values = getattr(self, field)
            if values and len(values) != self.width:
                raise DataError(
                    f"the recipe's {field} has {len(values)} numbers, a row {self.width}",
                    remedy="Give one for each number of a row",
                )
            if not all(abs(value) <= 1e9 for value in values):  # NaN too
                raise _wrong(field, "not finite", "numbers up to 1e9")

    def _check_mirror(self) -> None:
        """The first frame waits for at most two samples behind it, and the second follows them."""
        if self.ahead_samples > 2 or self.lead_samples == 0:
            middle = (self.window_samples + 1) // 2
            raise _wrong("lead_samples", self.lead_samples, f"1 to {middle} where ends is mirror")
        if self.hop_samples <= self.ahead_samples:
            least = self.ahead_samples + 1
            raise _wrong("hop_samples", self.hop_samples, f"at least {least} where ends is mirror")
        if self.clip_samples and self.clip_samples < self.first_samples:
            raise _wrong("clip_samples", self.clip_samples, f"at least {self.first_samples}")

    @property
    def ahead_samples(self) -> int:
        """Samples behind the first frame that its mirrored beginning needs."""
        if self.ends != "mirror":
            return 0
        return max(0, 2 * self.lead_samples + 1 - self.window_samples)

    @property
    def first_samples(self) -> int:
        """Samples that the first row needs."""
        return self.window_samples - self.lead_samples + self.ahead_samples

    @property
    def top_hz(self) -> float:
        """Where the highest filter ends."""
        return self.highest_hz or self.rate_hz / 2

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return self.coefficients or self.bins or self.fft_samples // 2 + 1

    @property
    def hop_ms(self) -> float:
        """From one row to the next."""
        return 1000 * self.hop_samples / self.rate_hz

    def frames(self, samples: int) -> int:
        """How many rows `samples` samples of the recipe's rate give as they come."""
        if samples < self.first_samples:
            return 0
        return 1 + (samples + self.lead_samples - self.window_samples) // self.hop_samples

    def rows_of_recording(self, samples: int) -> int:
        """How many rows a whole recording of `samples` samples has."""
        samples = self.clip_samples or samples
        if self.ends == "mirror" and samples >= self.first_samples:
            return 1 + samples // self.hop_samples
        return self.frames(samples)

    def description(self) -> str:
        """One line for a reader: what the features are."""
        made = f"{self.bins} mel filters from {self.lowest_hz:g} to {self.top_hz:g} Hz"
        made = made if self.bins else "the spectrum"
        kind = {"log": "logarithms of ", "pcen": "PCEN of ", "none": ""}[self.compression]
        cepstra = f"{self.coefficients} cepstra of " if self.coefficients else ""
        window_ms = 1000 * self.window_samples / self.rate_hz
        return (
            f"{self.name or 'own recipe'}: {cepstra}{kind}{made}, windows of {window_ms:g} ms "
            f"every {self.hop_ms:g} ms, {self.rate_hz} samples a second in -1..1"
        )

    def as_json(self) -> dict[str, Any]:
        """The recipe as JSON values, with its kind and version."""
        entry = asdict(self)
        for field in ("add", "multiply"):
            entry[field] = list(entry[field])
        newer = {name: entry.pop(name) for name in ("ends", "clip_samples")}
        if newer == {"ends": "zeros", "clip_samples": 0}:  # for readers of version 1
            return {"kind": "sound", "version": 1, **entry}
        return {"kind": "sound", "version": SOUND_VERSION, **entry, **newer}


def sound_of(entry: Mapping[str, Any]) -> SoundRecipe:
    """The recipe that `as_json` wrote.  Raises DataError for another kind, version or field."""
    return recipe_from(entry, SoundRecipe, kind="sound", of="sound", version=SOUND_VERSION)


def _wrong(field: str, value: object, wanted: str) -> DataError:
    shown = repr(value) if isinstance(value, str) else value
    return DataError(f"the recipe's {field} is {shown}", remedy=f"It must be {wanted}")


def recipe_text(recipe: SoundRecipe) -> str:
    """The recipe as the JSON text that files store."""
    return json.dumps(recipe.as_json(), separators=(",", ":"))


def recipe_of_text(text: str, *, where: str) -> SoundRecipe:
    """The recipe in a file's text.  Raises DataError, naming the file."""
    try:
        return sound_of({**json.loads(text)})
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{where}: the recipe of its features is damaged ({error})") from error
    except DataError as error:
        raise DataError(f"{where}: {error.what}", remedy=error.remedy) from error


def decibels() -> float:
    """log_scale for 10 log10(x)."""
    return 10 / math.log(10)
