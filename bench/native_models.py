"""The models of bench.native and the stock converter's dynamic-range files of them.

Run as a script in a process of its own (`python -m bench.native_models FOLDER`): TensorFlow is slow
to start, and ours needs none of it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

SAMPLES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """`layers` recurrent layers of `units` over x [steps, features]; the output is the last h."""

    cell: str
    steps: int
    features: int
    units: int
    layers: int = 1

    def __str__(self) -> str:
        return f"{self.cell}-{self.steps}-{self.features}-{self.layers}x{self.units}"


KWS_GRU: Final = Shape(cell="gru", steps=100, features=40, units=128)
KWS_LSTM: Final = Shape(cell="lstm", steps=100, features=40, units=128)
STACK: Final = Shape(cell="gru", steps=100, features=40, units=256, layers=2)
WIDE: Final = Shape(cell="gru", steps=50, features=256, units=512)
STEP: Final = Shape(cell="gru", steps=1, features=64, units=256)
LANGUAGE: Final = Shape(cell="lstm", steps=20, features=650, units=650)

SHAPES: Final = (KWS_GRU, KWS_LSTM, STACK, WIDE, STEP, LANGUAGE)


def main(folder: Path) -> None:
    """Writes <shape>.keras, <shape>.npz (calibration) and stock-<shape>.tflite."""
    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    for shape in SHAPES:
        model = _model(keras, shape, batch=None)
        model.save(folder / f"{shape}.keras")
        random = np.random.default_rng(0)
        x = random.normal(size=(SAMPLES, shape.steps, shape.features)).astype(np.float32)
        np.savez(folder / f"{shape}.npz", x=x)
        fixed = _model(keras, shape, batch=1)  # without which conversion fails
        fixed.set_weights(model.get_weights())
        converter = tf.lite.TFLiteConverter.from_keras_model(fixed)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        (folder / f"stock-{shape}.tflite").write_bytes(converter.convert())


def _model(keras: Any, shape: Shape, *, batch: int | None) -> Any:
    layer = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}[shape.cell]
    return keras.Sequential(
        [
            keras.Input(batch_shape=(batch, shape.steps, shape.features), name="x"),
            *(
                layer(shape.units, return_sequences=at < shape.layers - 1)
                for at in range(shape.layers)
            ),
        ],
        name=shape.cell,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
