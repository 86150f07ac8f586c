"""The models of the benchmarks, and what stock tools make of them.

Run as a script in a process of its own (`python -m bench.keras_models FOLDER`), for TensorFlow
takes seconds to start and hundreds of MB.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

CELLS = ("gru", "lstm")
STEPS, FEATURES, UNITS = 100, 40, 128


def main(folder: Path) -> None:
    """Writes <cell>.keras, stock-<cell>.onnx and stock-<cell>.tflite."""
    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    for cell in CELLS:
        model = _classifier(keras, cell, (None, STEPS, FEATURES))
        batch_1 = _classifier(keras, cell, (1, STEPS, FEATURES))
        batch_1.set_weights(model.get_weights())
        model(np.zeros((1, STEPS, FEATURES), np.float32))  # Keras exports only what was called
        model.save(folder / f"{cell}.keras")
        converter = tf.lite.TFLiteConverter.from_keras_model(batch_1)
        (folder / f"stock-{cell}.tflite").write_bytes(converter.convert())
        model.export(folder / f"stock-{cell}.onnx", format="onnx", verbose=False)


def language_model(cell: str, path: Path) -> None:
    """Writes the next-byte task's model, untrained: 42 MB as LSTM, 32 MB as GRU."""
    command = ["edgernn", "train", "next-byte", "--cell", cell, "--epochs", "0", "-o", str(path)]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)


def _classifier(keras: Any, cell: str, shape: tuple[int | None, ...]) -> Any:
    """The keyword spotter of the benchmarks.  Stock TFLite conversion needs a batch of 1."""
    layer = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}[cell]
    return keras.Sequential(
        [
            keras.Input(batch_shape=shape, name="x"),
            layer(UNITS),
            keras.layers.Dense(12, activation="softmax"),
        ],
        name=cell,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
