"""Two trained models over rows and columns, and the data that they are measured on.

`python -m tests.golden.crnn` trains them again.

image_crnn: signs in a picture of 48 x 160, read from left to right: which sign, or none, is at each
of 20 places.  keyword_crnn: spoken digits as 40 frames of 13 features, the shape of "Hello Edge".
"""

# It prints what training reports.
# ruff: noqa: T201

from __future__ import annotations

import os
from typing import Any, Final, NamedTuple

import numpy as np

from tests.golden import GOLDEN

ROWS, COLUMNS, PLACES = 48, 160, 20
SIGNS: Final = 10
NOTHING: Final = SIGNS
_SCALE: Final = 3
_SIGN_ROWS, _SIGN_COLUMNS = 11, 8


class Pictures(NamedTuple):
    x: Any  # float32 [N, 48, 160, 1]
    y: Any  # int32 [N, 20]


def pictures(count: int, seed: int) -> Pictures:
    """Signs at random places and heights in noise."""
    shapes = np.random.default_rng(7).random((SIGNS, _SIGN_ROWS, _SIGN_COLUMNS)) < 0.5
    signs = shapes.repeat(_SCALE, 1).repeat(_SCALE, 2)
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.35, (count, ROWS, COLUMNS)).astype(np.float32)
    y = np.full((count, PLACES), NOTHING, np.int32)
    step = COLUMNS // PLACES
    for picture, labels in zip(x, y, strict=True):
        at = int(rng.integers(0, 12))
        while at + signs.shape[2] <= COLUMNS:
            sign, top = int(rng.integers(SIGNS)), int(rng.integers(0, ROWS - signs.shape[1]))
            picture[top : top + signs.shape[1], at : at + signs.shape[2]] += signs[sign]
            middles = np.arange(PLACES) * step + step // 2
            labels[(middles >= at) & (middles < at + signs.shape[2])] = sign
            at += signs.shape[2] + int(rng.integers(4, 30))
    return Pictures(x=x[..., None], y=y)


def image_crnn(keras: Any) -> Any:
    layers = keras.layers
    x = keras.Input((ROWS, COLUMNS, 1), name="picture")
    y = layers.Conv2D(12, 3, strides=2, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.SeparableConv2D(24, 3, strides=2, padding="same", use_bias=False)(y)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.SeparableConv2D(32, 3, padding="same", activation="relu")(y)
    y = layers.AveragePooling2D((3, 2))(y)  # [4, 20, 32]
    y = layers.Reshape((PLACES, 4 * 32))(layers.Permute((2, 1, 3))(y))
    y = layers.LSTM(32, return_sequences=True)(y)
    y = layers.Dense(SIGNS + 1, activation="softmax", name="signs")(y)
    return keras.Model(x, y, name="image_crnn")


def keyword_crnn(keras: Any) -> Any:
    layers = keras.layers
    x = keras.Input((40, 13), name="features")
    y = layers.Normalization(name="standardize")(x)
    y = layers.Reshape((40, 13, 1))(y)
    y = layers.Conv2D(24, (6, 4), strides=(2, 2), activation="relu")(y)  # [18, 5, 24]
    y = layers.Reshape((18, 5 * 24))(y)
    y = layers.GRU(32)(y)
    y = layers.Dense(24, activation="relu")(y)
    y = layers.Dense(10, activation="softmax", name="words")(y)
    return keras.Model(x, y, name="keyword_crnn")


def main() -> None:
    import keras

    from tests.edgernn.tasks.reference_data import splits_of

    keras.utils.set_random_seed(0)
    train, test = pictures(1500, 0), pictures(200, 1)
    model = image_crnn(keras)
    model.compile(
        keras.optimizers.Adam(0.004), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(*train, epochs=int(os.environ.get("EPOCHS", "10")), batch_size=32, verbose=2)
    print("image_crnn", model.evaluate(*test, verbose=0))
    model.save(GOLDEN / "trained" / "image_crnn.keras", include_optimizer=False)

    splits = splits_of("digits")
    model = keyword_crnn(keras)
    model.get_layer("standardize").adapt(splits.train.x)
    model.compile(
        keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(splits.train.x, splits.train.y, epochs=12, batch_size=32, verbose=2)
    print("keyword_crnn", model.evaluate(splits.test.x, splits.test.y, verbose=0))
    model.save(GOLDEN / "trained" / "keyword_crnn.keras", include_optimizer=False)


if __name__ == "__main__":
    main()
