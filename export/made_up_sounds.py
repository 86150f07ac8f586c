"""Sounds for a model that makes features of sound itself, so that Keras makes its own of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgernn.export.cases import Case
from edgernn.graph import AnyArray, Graph
from edgernn.recipe import SoundRecipe


def sounds_of(
    graph: Graph, calls: Sequence[Case], *, seed: int = 0
) -> tuple[list[Case], list[dict[str, AnyArray]]]:
    """(the calls with rows of made-up sounds, the sounds of each call by input).

    Each call has one sound, since Keras compares each moment with the loudest of a whole batch
    (top_db of MelSpectrogram).  A model that takes rows keeps its calls, and has no sounds.
    """
    takers = {entry.name: entry.sound for entry in graph.inputs if entry.sound is not None}
    if not takers:
        return list(calls), [{} for _ in calls]
    random = np.random.default_rng(seed)
    made_calls, made_sounds = [], []
    for call in calls:
        inputs, sounds = {name: array[:1] for name, array in call.inputs.items()}, {}
        for name, recipe in takers.items():
            sounds[name], inputs[name] = _sound_like(recipe, inputs[name].shape[1], random)
        made_calls.append(replace(call, inputs=inputs))
        made_sounds.append(sounds)
    return made_calls, made_sounds


def _sound_like(
    recipe: SoundRecipe, steps: int, random: np.random.Generator
) -> tuple[AnyArray, AnyArray]:
    """(a sound [1, N], or [1, N, 1] as Keras takes it; its rows [1, T, width])"""
    from edgernn.runtime.audio import features_of

    samples = recipe.clip_samples or recipe.fft_samples + steps * recipe.hop_samples
    sound = _made_up(samples, random)
    column = sound[None, :, None] if recipe.ends == "zeros" else sound[None]
    return column, features_of(sound, recipe)[None]


def _made_up(samples: int, random: np.random.Generator) -> npt.NDArray[np.float32]:
    """Noise that swells, and a tone that rises: energy at all frequencies, 20 dB up and down."""
    time = np.linspace(0, 1, samples)
    level = 10 ** (random.uniform(-1, 0) * np.sin(2 * np.pi * random.uniform(1, 3) * time))
    tone = np.sin(np.pi * samples * (0.02 + 0.3 * time) * time)
    noise = random.standard_normal(samples)
    return np.asarray(np.clip(level * (0.05 * noise + 0.1 * tone), -1, 1), np.float32)
