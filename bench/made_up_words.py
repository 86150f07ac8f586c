"""Twelve made-up words: each is a path through the features, spoken faster or slower, in noise.

Only numpy: the Python of a peer's environment reads it too.
"""

from __future__ import annotations

from typing import Final

import numpy as np

STEPS: Final = 100
FEATURES: Final = 40
WORDS: Final = 12

_NOISE: Final = 2.0  # beside paths within -1 and 1: some words are missed


def spoken(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """x [count, STEPS, FEATURES] float32, and the words' numbers [count] below WORDS."""
    paths = np.cumsum(np.random.default_rng(99).normal(size=(WORDS, STEPS, FEATURES)), axis=1)
    paths /= np.abs(paths).max(axis=(1, 2), keepdims=True)
    random = np.random.default_rng(seed)
    labels = random.integers(0, WORDS, count)
    x = np.empty((count, STEPS, FEATURES), np.float32)
    for row, word in enumerate(labels):
        pace = random.uniform(0.7, 1.3)
        at = np.clip((np.arange(STEPS) - STEPS / 2) * pace + STEPS / 2, 0, STEPS - 1).astype(int)
        x[row] = paths[word, at] + random.normal(scale=_NOISE, size=(STEPS, FEATURES))
    return x, labels
