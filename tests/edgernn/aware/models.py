"""A model that is small, and rows to train it on."""

from __future__ import annotations

from typing import Any

import numpy as np


def small(keras: Any, *middle: Any) -> Any:
    """Tokens to classes: a table, layers, a GRU, a head."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential([
        layers.Input((12,), dtype="int32"),
        layers.Embedding(20, 8),
        *middle,
        layers.GRU(5),
        layers.Dropout(0.5),
        layers.BatchNormalization(),
        layers.Dense(3, activation="softmax"),
    ])  # fmt: skip


def rows() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 20, (48, 12)).astype(np.int32), rng.integers(0, 3, 48)
