"""Keras layers that make features of sound: a front end before the model, as text has one.

MelSpectrogram mirrors half a frame of sound at both ends (`center=True` in keras.ops.stft); the
recipe does the same, so a recording has the rows of Keras.  Keras gives [features, time], a front
end rows: a Transpose stands between, and goes where the model turns the axes back.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

import numpy as np

from edgernn.errors import DataError
from edgernn.export.keras.call import Call
from edgernn.export.keras.config import LayerConfig
from edgernn.export.keras.keras_class import KerasClass
from edgernn.graph import (
    Affine,
    GlobalPool1D,
    Graph,
    Merge,
    MergeKind,
    PoolKind,
    Reshape,
    Shape,
    TensorSpec,
    Transpose,
    with_edges,
)
from edgernn.recipe import SoundRecipe
from edgernn.recipe.sound import decibels
from edgernn.recipe.tables import mel_filters, window

_WINDOWS: Final[dict[str | None, str]] = {
    None: "rectangular",
    "hann": "hann",
    "hamming": "hamming",
}
_SPECTRA: Final = {1.0: "magnitude", 2.0: "power"}
BEHIND_INPUT: Final = (
    "Put it directly behind keras.Input((samples,)), and read the sound by nothing else"
)
SWAP: Final = (0, 2, 1)


def mel_spectrogram(call: Call) -> list[str]:
    layer = call.layer
    sound = call.builder.sound_shape(call.edge)
    if sound is None or len(sound) != 2:
        raise layer.unsupported("makes features of something else than an input", BEHIND_INPUT)
    batch, samples = sound
    recipe = _recipe(layer, samples or 0)
    steps = None if samples is None else recipe.rows_of_recording(samples)
    spec = TensorSpec(shape=(batch, steps, recipe.width))
    turned = call.aside("turned")
    if not call.builder.rows_of(call.edge, spec, recipe, readers=(turned,)):
        raise layer.unsupported(
            "makes features of sound that something else reads, too", BEHIND_INPUT
        )
    call.add(Transpose(name=turned, input=call.edge, output=turned, permutation=SWAP))
    cut = _cut_db(layer, recipe)
    if cut is None:
        return [turned]
    if steps is None:
        raise layer.unsupported(
            f"compares each moment with the loudest of the whole sound (top_db={cut:g}), and the "
            "end of a stream is not known",
            f"Give the model a fixed number of samples, keras.Input((16000,)), or train it with "
            f"top_db={_harmless_db(recipe):g}, which cuts nothing off",
        )
    return [_above_loudest(call, turned, (recipe.width, steps), cut)]


def _recipe(layer: LayerConfig, samples: int) -> SoundRecipe:
    """The layer's features as a front end.  Raises UnsupportedLayer for what none can make."""
    fft = layer.size("fft_length", default=2048)
    length = layer.options.get("sequence_length")
    if length is None or layer.options.get("window", "hann") is None:
        length = fft  # without a window Keras takes the whole frame
    else:
        length = layer.size("sequence_length")
    in_decibels = layer.flag("power_to_db", default=True)
    least = layer.number("min_power", default=1e-10)
    reference = max(abs(layer.number("ref_power", default=1.0)), least)
    highest = layer.options.get("max_freq")
    bins, rate = layer.size("num_mel_bins", default=128), layer.size("sampling_rate", default=16000)
    of_decibels: dict[str, Any] = {}
    if in_decibels:
        of_decibels = {"floor": least, "log_scale": decibels()}
        if least > 0:
            of_decibels["log_shift"] = -10 * math.log10(reference)
    try:
        return SoundRecipe(
            rate_hz=rate,
            window_samples=length,
            hop_samples=layer.size("sequence_stride", default=512),
            lead_samples=fft // 2 - (fft - length) // 2,
            ends="mirror",
            window=_WINDOWS[layer.options.get("window", "hann")],
            periodic=True,
            fft_samples=fft,
            spectrum=_SPECTRA[layer.number("mag_exp", default=2.0)],
            bins=bins,
            lowest_hz=layer.number("min_freq", default=20.0),
            highest_hz=0.0 if highest is None else layer.number("max_freq"),
            compression="log" if in_decibels else "none",
            clip_samples=samples,
            name=f"MelSpectrogram {layer.name}",
            **of_decibels,
        )
    except DataError as error:
        keras = next((name for field, name in _NAMES.items() if f"{field} is" in error.what), "")
        named = f" ({keras})" if keras else ""
        raise layer.unsupported(
            f"cannot be a front end{named}: {error.what}", error.remedy or BEHIND_INPUT
        ) from error


#: Arguments of Keras by fields of the recipe.
_NAMES: Final = {
    "fft_samples": "fft_length",
    "window_samples": "sequence_length",
    "hop_samples": "sequence_stride",
    "rate_hz": "sampling_rate",
    "bins": "num_mel_bins",
    "floor": "min_power",
    "lead_samples": "sequence_length",
    "clip_samples": "the number of samples of the input",
}


def _cut_db(layer: LayerConfig, recipe: SoundRecipe) -> float | None:
    """How far below the loudest features are cut off; None where that cuts nothing."""
    if recipe.compression != "log":
        return None
    top = layer.number("top_db", default=80.0)
    return None if top >= _harmless_db(recipe) else top


def _harmless_db(recipe: SoundRecipe) -> float:
    """From here on top_db cuts nothing: the loudest sound in -1..1 over the least power."""
    largest = float(window(recipe).sum()) ** (2 if recipe.spectrum == "power" else 1)
    largest *= float(mel_filters(recipe).sum(axis=1).max())
    return max(10.0, 10 * math.ceil(math.log10(max(largest, recipe.floor) / recipe.floor)))


def _above_loudest(call: Call, edge: str, sizes: Shape, cut_db: float) -> str:
    """max(x, max of all x - cut_db), as Keras has it for one sound."""
    flat, loudest, least, name = (
        call.aside(part) for part in ("flat", "loudest", "least", "top_db")
    )
    count = math.prod(size or 1 for size in sizes)
    call.add(Reshape(name=flat, input=edge, output=flat, target=(count, 1)))
    call.add(GlobalPool1D(
        name=loudest, input=flat, output=loudest, kind=PoolKind.MAX, keepdims=True
    ))  # fmt: skip
    call.add(Affine(
        name=least, input=loudest, output=least,
        scale=np.ones(1, np.float32), offset=np.full(1, -cut_db, np.float32),
    ))  # fmt: skip
    call.add(Merge(name=name, inputs=(edge, least), output=name, kind=MergeKind.MAXIMUM))
    return name


def _refuse(layer: LayerConfig) -> None:
    """Arguments that a front end cannot follow."""
    given = layer.options.get("window", "hann")
    if isinstance(given, dict | list) or given not in _WINDOWS:
        raise layer.unsupported(
            "has a window of its own (window)", "Use window='hann', 'hamming' or None"
        )
    length = layer.options.get("sequence_length")
    if given is not None and isinstance(length, int) and length % 2:
        raise layer.unsupported(
            f"has a window of {length} samples (sequence_length), an odd number, for which Keras "
            "has one window with TensorFlow and another with JAX and PyTorch",
            "Use an even sequence_length",
        )
    power = layer.number("mag_exp", default=2.0)
    if power not in _SPECTRA:
        raise layer.unsupported(
            f"raises magnitudes to the power of {power:g} (mag_exp)", "Use mag_exp=2 or mag_exp=1"
        )


def without_turns(graph: Graph) -> Graph:
    """The graph without pairs of Transpose that give what the first one took."""
    turns: dict[str, Transpose] = {}
    same: dict[str, str] = {}  # edges by edges with the same values
    layers = []
    for one in graph.layers:
        layer = with_edges(one, same)
        if isinstance(layer, Transpose):
            first = turns.get(layer.input)
            if first is not None and [first.permutation[axis] for axis in layer.permutation] == [
                *range(len(layer.permutation))
            ]:
                same[layer.output] = first.input
                continue
            turns[layer.output] = layer
        layers.append(layer)
    outputs = tuple(
        replace(output, edge=same.get(output.edge, output.edge)) for output in graph.outputs
    )
    return replace(graph, layers=tuple(layers), outputs=outputs)


#: Layers that take sound.
SPECTRA: Final = frozenset({"MelSpectrogram", "STFTSpectrogram"})

SPECTROGRAMS: Final[dict[str, KerasClass]] = {
    "MelSpectrogram": KerasClass(emit=mel_spectrogram, refuse=_refuse),
}
