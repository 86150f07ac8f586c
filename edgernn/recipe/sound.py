"""How sound becomes the rows that a model takes: the recipe that training, files and apps share."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from edgernn.errors import DataError

# History of the recipe's format:
#   1  first version
# A field that a reader does not know is an error: leaving out a step gives other features.
SOUND_VERSION: Final = 1

_CHOICES: Final = {
    "window": ("povey", "hann", "hamming", "blackman", "rectangular"),
    "pre_emphasis_in": ("frame", "stream"),
    "spectrum": ("power", "magnitude"),
    "mel_scale": ("htk", "slaney"),
    "filter_edges": ("mel", "hertz"),
    "filter_norm": ("none", "slaney"),
    "compression": ("log", "pcen", "none"),
    "dct": ("orthonormal", "htk"),
}
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
    lead_samples: int = 0  # zeros before the first sample, so that frames are around their time
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
        """How many rows `samples` samples of the recipe's rate give."""
        return max(0, 1 + (samples + self.lead_samples - self.window_samples) // self.hop_samples)

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
        return {"kind": "sound", "version": SOUND_VERSION, **entry}


def sound_of(entry: Mapping[str, Any]) -> SoundRecipe:
    """The recipe that `as_json` wrote.  Raises DataError for another kind, version or field."""
    values = dict(entry)
    kind, version = values.pop("kind", "sound"), values.pop("version", SOUND_VERSION)
    if kind != "sound":
        raise DataError(f"the recipe is of the kind {kind!r}, not sound")
    if not isinstance(version, int) or version > SOUND_VERSION:
        raise DataError(
            f"the recipe has format {version}; this edgernn reads up to {SOUND_VERSION}",
            remedy="Update edgernn",
        )
    known = {field.name: field for field in fields(SoundRecipe)}
    for name, value in values.items():
        if name not in known:
            raise DataError(
                f"a recipe has no '{name}'", remedy=f"The fields are {', '.join(known)}"
            )
        values[name] = _typed(name, value, str(known[name].type))
    needed = ("rate_hz", "window_samples", "hop_samples", "fft_samples")
    missing = [name for name in needed if name not in values]
    if missing:
        raise DataError(f"the recipe has no {', '.join(missing)}")
    return SoundRecipe(**values)


def _typed(name: str, value: Any, kind: str) -> Any:
    """The value in its field's type.  Raises DataError for one of another type."""
    match kind:
        case "int" if isinstance(value, int) and not isinstance(value, bool):
            return value
        case "float" if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        case "bool" if isinstance(value, bool):
            return value
        case "str" if isinstance(value, str):
            return value
        case "tuple[float, ...]" if isinstance(value, (list, tuple)):
            return tuple(_typed(name, each, "float") for each in value)
    raise _wrong(name, value, f"of the type {kind}")


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
