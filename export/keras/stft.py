"""STFTSpectrogram of Keras as a front end: rows of a spectrum, without its phase."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from edgernn.errors import DataError
from edgernn.export.keras.call import Call
from edgernn.export.keras.config import LayerConfig
from edgernn.export.keras.keras_class import KerasClass, Variable
from edgernn.export.keras.spectrograms import BEHIND_INPUT, SWAP
from edgernn.graph import RELU, Activate, Affine, FloatArray, Reshape, TensorSpec, Transpose
from edgernn.recipe import SoundRecipe
from edgernn.recipe.sound import RATE_UNKNOWN_HZ
from edgernn.recipe.tables import Doubles, window

_MODES: Final = {"log": "power", "magnitude": "magnitude", "psd": "power"}
_WINDOWS: Final[dict[str | None, str]] = {
    None: "rectangular",
    **{name: name for name in ("hann", "hamming", "blackman")},
}
#: keras.backend.epsilon(): smaller powers count as this.
_EPSILON: Final = 1e-7
#: Of a kernel's largest number: Keras multiplies angles of hundreds in float32.
_ROUNDED: Final = 3e-4


def stft_spectrogram(call: Call) -> list[str]:
    layer = call.layer
    sound = call.builder.sound_shape(call.edge)
    if sound is None or len(sound) != 3 or sound[2] != 1:
        raise layer.unsupported(
            "makes features of something else than an input of one channel",
            "Put it directly behind keras.Input((samples, 1))",
        )
    batch, samples, _ = sound
    recipe = _recipe(layer, samples or 0)
    for name, expected in zip(("real_kernel", "imag_kernel"), _kernels(recipe), strict=True):
        _require_fixed(layer, call.weight(name, expected.shape), expected)
    steps = None if samples is None else recipe.rows_of_recording(samples)
    first, second = call.aside("turned"), call.aside("back")
    spec = TensorSpec(shape=(batch, steps, recipe.width))
    if steps == 0 or not call.builder.rows_of(call.edge, spec, recipe, readers=(first,)):
        raise layer.unsupported(
            "makes features of sound that is too short, or that something else reads, too",
            BEHIND_INPUT,
        )
    call.add(Transpose(name=first, input=call.edge, output=first, permutation=SWAP))
    call.add(Transpose(name=second, input=first, output=second, permutation=SWAP))
    edge = _as_mode(call, second, recipe)
    if layer.flag("expand_dims"):
        image = call.aside("image")
        sizes = (-1 if steps is None else steps, recipe.width, 1)
        call.add(Reshape(name=image, input=edge, output=image, target=sizes))
        return [image]
    return [edge]


def _as_mode(call: Call, edge: str, recipe: SoundRecipe) -> str:
    """What is left to do behind the rows: the least magnitude, or both halves of a spectrum."""
    mode = call.layer.text("mode", default="log")
    if mode == "psd":
        both = np.full(recipe.width, 2, np.float32)
        both[[0, -1]] = 1
        return _scaled(call, edge, "density", scale=both)
    if mode == "magnitude":
        least = float(np.sqrt(_EPSILON))
        above, positive = _scaled(call, edge, "above", offset=-least), call.aside("positive")
        call.add(Activate(name=positive, input=above, output=positive, activation=RELU))
        return _scaled(call, positive, "magnitude", offset=least)
    return edge


def _scaled(
    call: Call, edge: str, suffix: str, *, scale: FloatArray | None = None, offset: float = 0.0
) -> str:
    name = call.aside(suffix)
    call.add(Affine(
        name=name, input=edge, output=name,
        scale=np.ones(1, np.float32) if scale is None else scale,
        offset=np.full(1, offset, np.float32),
    ))  # fmt: skip
    return name


def _recipe(layer: LayerConfig, samples: int) -> SoundRecipe:
    """The layer's rows as a front end, at a rate that the file does not say."""
    length = layer.size("frame_length", default=256)
    step, fft = layer.options.get("frame_step"), layer.options.get("fft_length")
    mode = layer.text("mode", default="log")
    try:
        recipe = SoundRecipe(
            rate_hz=RATE_UNKNOWN_HZ,
            window_samples=length,
            hop_samples=length // 2 if step is None else layer.size("frame_step"),
            window=_WINDOWS[layer.options.get("window", "hann")],
            periodic=layer.flag("periodic"),
            fft_samples=1 << (length - 1).bit_length() if fft is None else layer.size("fft_length"),
            spectrum=_MODES[mode],
            bins=0,
            lowest_hz=0.0,
            compression="log" if mode == "log" else "none",
            floor=_EPSILON,
            log_scale=0.5,  # of the power: the logarithm of the magnitude
            clip_samples=samples,
            name=f"STFTSpectrogram {layer.name}",
        )
        return _with_scaling(layer, recipe)
    except DataError as error:
        raise layer.unsupported(
            f"cannot be a front end: {error.what}", error.remedy or BEHIND_INPUT
        ) from error


def _with_scaling(layer: LayerConfig, recipe: SoundRecipe) -> SoundRecipe:
    """The samples divided by what Keras divides its window by."""
    scaling, shape = layer.options.get("scaling", "density"), window(recipe)
    if layer.options.get("window", "hann") is None or scaling is None:
        return recipe
    by = np.sqrt((shape**2).sum()) if scaling == "density" else np.abs(shape).sum()
    return replace(recipe, scale=float(1 / by))


def _kernels(recipe: SoundRecipe) -> tuple[Doubles, Doubles]:
    """Cosines and sines as Keras begins with them, [frame, 1, frequencies] each."""
    time, frequency = np.arange(recipe.window_samples), np.arange(recipe.width)
    angle = -2 * np.pi * time[:, None, None] * frequency / recipe.fft_samples
    shape = window(recipe)[:, None, None] * recipe.scale
    return shape * np.cos(angle), shape * np.sin(angle)


def _require_fixed(layer: LayerConfig, kernel: FloatArray, expected: Doubles) -> None:
    if np.abs(kernel - expected).max() > _ROUNDED * np.abs(expected).max():
        raise layer.unsupported(
            "has trained its kernels, which are no spectrum any more",
            "Train the model with STFTSpectrogram(trainable=False)",
        )


def _refuse(layer: LayerConfig) -> None:
    """Arguments that a front end cannot follow."""
    mode = layer.text("mode", default="log")
    if mode not in _MODES:
        raise layer.unsupported(
            f"gives the phase of the spectrum (mode='{mode}')",
            f"Use one of {', '.join(_MODES)} as its mode",
        )
    given = layer.options.get("window", "hann")
    if isinstance(given, dict | list) or given not in _WINDOWS:
        raise layer.unsupported(
            "has a window of its own (window)", "Use window='hann', 'hamming' or 'blackman'"
        )
    if layer.options.get("padding", "valid") != "valid":
        raise layer.unsupported(
            "fills the end of the sound with zeros (padding='same'), and a stream has no end",
            "Use padding='valid'",
        )
    if layer.options.get("data_format", "channels_last") == "channels_first":
        raise layer.unsupported(
            "has its channels first (data_format)", "Use data_format='channels_last'"
        )


def _variables(_layer: LayerConfig) -> tuple[Variable, ...]:
    return tuple(Variable(name=name) for name in ("real_kernel", "imag_kernel"))


STFT: Final[dict[str, KerasClass]] = {
    "STFTSpectrogram": KerasClass(emit=stft_spectrogram, variables=_variables, refuse=_refuse),
}
