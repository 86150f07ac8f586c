"""The models of bench.native and the stock converter's dynamic-range files of them.

Keyword spotters are trained on made-up words: what bits a layer needs is a matter of trained
weights.  The others keep the weights that Keras starts with.

Run as a script in a process of its own (`python -m bench.native_models FOLDER`): TensorFlow is slow
to start, and ours needs none of it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from bench.made_up_words import FEATURES, STEPS, WORDS, spoken

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

SAMPLES: Final = 32
TRAINED_ON: Final = 1200  # words
EPOCHS: Final = 6


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


def _both(steps: int, features: int, units: int, layers: int = 1) -> tuple[Shape, Shape]:
    gru = Shape(cell="gru", steps=steps, features=features, units=units, layers=layers)
    return gru, replace(gru, cell="lstm")


KWS: Final = _both(STEPS, FEATURES, 128)
STEP: Final = _both(1, 64, 256)
STACK: Final = _both(100, 40, 256, 2)
WIDE: Final = _both(50, 256, 512)
LANGUAGE: Final = _both(20, 650, 650)

SHAPES: Final = (*KWS, *STEP, *STACK, *WIDE, *LANGUAGE)


def main(folder: Path) -> None:
    """Writes <shape>.keras, <shape>.npz (calibration) and stock-<shape>.tflite."""
    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    for shape in SHAPES:
        model = _model(keras, shape, batch=None)
        if shape in KWS:
            _train(keras, model)
            x, _ = spoken(SAMPLES, seed=1)
        else:
            random = np.random.default_rng(0)
            x = random.normal(size=(SAMPLES, shape.steps, shape.features)).astype(np.float32)
        model.save(folder / f"{shape}.keras")
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


def _train(keras: Any, model: Any) -> None:
    """Learns words by a dense layer on the last h, which is left off again."""
    x, words = spoken(TRAINED_ON, seed=0)
    learner = keras.Sequential([model, keras.layers.Dense(WORDS)])
    learner.compile(
        keras.optimizers.Adam(2e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    learner.fit(x, words, batch_size=64, epochs=EPOCHS, verbose=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
