"""Keyword spotters with GRU and LSTM layers, and what the stock TFLite converter makes of them.

Run as a script in a process of its own (`python -m bench.stock_int8 FOLDER [MODEL …]`): TensorFlow
is slow to start, and its int8 conversion of a recurrent layer that is not unrolled ends in a
segmentation fault (tensorflow#75140).  So int8 is converted with unroll=True, the only way that it
offers.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

#: Model name -> (cell, recurrent layers).
MODELS = {"gru": ("gru", 1), "lstm": ("lstm", 1), "gru-2": ("gru", 2), "lstm-2": ("lstm", 2)}
#: The same cells over a sequence of any length.
OPEN_MODELS = {"gru-open": ("gru", False), "gru-open-sequences": ("gru", True),
               "lstm-open": ("lstm", False), "lstm-open-sequences": ("lstm", True)}  # fmt: skip
STEPS, FEATURES, UNITS, SAMPLES = 100, 40, 128, 128


def main(folder: Path, wanted: Collection[str]) -> None:
    """Writes <model>.keras, stock-<model>.int8.tflite, .dynamic.tflite and calibration.npz."""
    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    samples = np.random.default_rng(0).normal(size=(SAMPLES, STEPS, FEATURES)).astype(np.float32)
    np.savez(folder / "calibration.npz", x=samples)
    for name, (cell, layers) in MODELS.items():
        if wanted and name not in wanted:
            continue
        model = classifier(keras, cell, layers)
        model.save(folder / f"{name}.keras")
        dynamic = _converter(tf, keras, model, (cell, layers), unroll=False)
        (folder / f"stock-{name}.dynamic.tflite").write_bytes(dynamic.convert())
        int8 = _converter(tf, keras, model, (cell, layers), unroll=True)
        int8.representative_dataset = lambda: ([sample[None]] for sample in samples[:32])
        int8.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        (folder / f"stock-{name}.int8.tflite").write_bytes(int8.convert())
    for name, (cell, return_sequences) in OPEN_MODELS.items():
        if wanted and name not in wanted:
            continue
        x = keras.Input((None, FEATURES), name="x")
        layer = _layer(keras, cell)(UNITS, return_sequences=return_sequences)
        keras.Model(x, layer(x), name=name).save(folder / f"{name}.keras")


def classifier(
    keras: Any, cell: str, layers: int, *, batch: int | None = None, unroll: bool = False
) -> Any:
    """x [batch, 100, 40] -> `layers` recurrent layers of 128 units -> 12 classes."""
    stack = [
        _layer(keras, cell)(UNITS, return_sequences=at < layers - 1, unroll=unroll)
        for at in range(layers)
    ]
    return keras.Sequential(
        [
            keras.Input(batch_shape=(batch, STEPS, FEATURES), name="x"),
            *stack,
            keras.layers.Dense(12, activation="softmax"),
        ],
        name=cell,
    )


def _layer(keras: Any, cell: str) -> Any:
    return {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}[cell]


def _converter(tf: Any, keras: Any, model: Any, kind: tuple[str, int], *, unroll: bool) -> Any:
    """With the same weights at batch 1, without which conversion fails; dynamic range so far."""
    fixed = classifier(keras, *kind, batch=1, unroll=unroll)
    fixed.set_weights(model.get_weights())
    converter = tf.lite.TFLiteConverter.from_keras_model(fixed)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
