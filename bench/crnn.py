"""Convolutions over time and frequency in front of GRUs: keyword spotters beside the stock file.

Run as a script in a process of its own (`python -m bench.crnn FOLDER`), as TensorFlow is slow to
start.  hello-edge-crnn-s has the shape of the small CRNN of Hello Edge (Zhang et al., 2017): 49
frames of 10 features, 48 filters of 10 x 4 with strides of 2, two GRUs of 60, Dense of 84.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.alternate import alternate
from bench.comparison import Comparison, faster
from bench.latency import tflite_call

NAMES: Final = ("keyword-crnn", "hello-edge-crnn-s")
_OURS, _STOCK, _OUR_TFLITE = "native int8", "LiteRT, stock dynamic", "LiteRT, our int8"


def compare_crnn(folder: Path) -> Iterator[Comparison]:
    """Builds the models and the converter's files in `folder`, exports ours, compares."""
    folder.mkdir(exist_ok=True)
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([sys.executable, "-m", "bench.crnn", str(folder)], **quiet)  # type: ignore[call-overload]
    for name in NAMES:
        subprocess.run(
            [
                *(sys.executable, "-m", "edgernn", "export", str(folder / f"{name}.keras")),
                *("--to", "native,tflite", "--scheme", "int8", "--no-verify"),
                *("--calibrate", str(folder / f"{name}.npz"), "-o", str(folder / "out")),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        timed = alternate(_calls(folder, name), rounds=60, block_ms=6)
        title = f"{_OURS} {name} against "
        yield faster(title + _STOCK, timed, ours=_OURS, peer=_STOCK, target=2.0)
        yield faster(title + _OUR_TFLITE, timed, ours=_OURS, peer=_OUR_TFLITE, target=1.0)


def _calls(folder: Path, name: str) -> dict[str, Callable[[], object]]:
    import edgernn

    with np.load(folder / f"{name}.npz") as arrays:
        x = arrays["x"][:1]
    native = edgernn.Model(folder / "out" / f"{name}.int8.ernn")
    return {
        _OURS: lambda: native(x),
        _STOCK: tflite_call(folder / f"stock-{name}.tflite", x),
        _OUR_TFLITE: tflite_call(folder / "out" / f"{name}.int8.tflite", x),
    }


def _keyword(keras: Any, entry: Any) -> Any:
    layers = keras.layers
    y = layers.Reshape((*entry.shape[1:], 1))(entry)
    y = layers.Conv2D(24, (6, 4), strides=(2, 2), activation="relu")(y)
    y = layers.Reshape((y.shape[1], y.shape[2] * y.shape[3]))(y)
    y = layers.Dense(24, activation="relu")(layers.GRU(32)(y))
    return layers.Dense(10, activation="softmax")(y)


def _hello_edge(keras: Any, entry: Any) -> Any:
    layers = keras.layers
    y = layers.Reshape((*entry.shape[1:], 1))(entry)
    y = layers.Conv2D(48, (10, 4), strides=(2, 2), activation="relu")(y)
    y = layers.Reshape((y.shape[1], y.shape[2] * y.shape[3]))(y)
    y = layers.GRU(60)(layers.GRU(60, return_sequences=True)(y))
    y = layers.Dense(84, activation="relu")(y)
    return layers.Dense(12, activation="softmax")(y)


def main(folder: Path) -> None:
    """Writes <name>.keras, <name>.npz (calibration) and stock-<name>.tflite."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    made = {NAMES[0]: (_keyword, (40, 13)), NAMES[1]: (_hello_edge, (49, 10))}
    for name, (network, shape) in made.items():
        entry = keras.Input(shape, name="x")
        model = keras.Model(entry, network(keras, entry), name=name)
        model.save(folder / f"{name}.keras")
        x = np.random.default_rng(0).normal(size=(64, *shape)).astype(np.float32)
        np.savez(folder / f"{name}.npz", x=x)
        one = keras.Input(batch_shape=(1, *shape), name="x")  # without which conversion fails
        fixed = keras.Model(one, network(keras, one))
        fixed.set_weights(model.get_weights())
        converter = tf.lite.TFLiteConverter.from_keras_model(fixed)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        (folder / f"stock-{name}.tflite").write_bytes(converter.convert())


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main(Path(sys.argv[1]))
