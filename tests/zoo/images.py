"""Layers over rows and columns, alone, at each step of time, and in front of recurrent layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from tests.zoo.case import BOTH, Case, Keras


def cases() -> Iterator[Case]:
    yield from _convolutions()
    yield from _pools()
    yield from _shapes()
    yield from _elements()
    yield from _each_step()
    yield from _before_recurrence()


def _image(k: Keras, rows: int | None = None, columns: int | None = 6, channels: int = 3) -> Any:
    return k.Input(batch_shape=(None, rows, columns, channels))


def _layer(
    kind: str,
    *,
    rows: int | None = None,
    columns: int | None = 6,
    channels: int = 3,
    **options: Any,
) -> Callable[[Keras], Any]:
    def build(k: Keras) -> Any:
        x = _image(k, rows, columns, channels)
        return k.Model(x, getattr(k.layers, kind)(**options)(x))

    return build


def _convolutions() -> Iterator[Case]:
    for padding, stride in product(("valid", "same"), (1, 2)):
        yield Case(
            name=f"conv2d-{padding}-stride_{stride}",
            build=_layer("Conv2D", filters=5, kernel_size=3, padding=padding, strides=stride),
            steps=7,
            generations=BOTH,
        )
        yield Case(
            name=f"conv2d-{padding}-stride_{stride}-fixed",
            build=_layer(
                "Conv2D", rows=8, filters=4, kernel_size=(4, 3), padding=padding, strides=stride
            ),
        )
        yield Case(
            name=f"depthwise2d-{padding}-stride_{stride}",
            build=_layer("DepthwiseConv2D", kernel_size=3, padding=padding, strides=stride),
            steps=7,
            generations=BOTH if stride == 1 else BOTH[:1],
        )
        yield Case(
            name=f"separable2d-{padding}-stride_{stride}",
            build=_layer(
                "SeparableConv2D", filters=4, kernel_size=(2, 3), padding=padding, strides=stride
            ),
            steps=6,
            generations=BOTH if stride == 2 else BOTH[:1],
        )
    for padding in ("valid", "same"):
        yield Case(
            name=f"conv2d-{padding}-unlike_strides",
            build=_layer(
                "Conv2D", rows=9, filters=4, kernel_size=(3, 2), padding=padding, strides=(2, 1)
            ),
        )
        yield Case(
            name=f"conv2d-{padding}-dilation",
            build=_layer(
                "Conv2D", filters=4, kernel_size=(3, 2), padding=padding, dilation_rate=(1, 2)
            ),
            steps=7,
            generations=BOTH,
        )
        yield Case(
            name=f"conv2d-{padding}-groups",
            build=_layer("Conv2D", channels=4, filters=6, kernel_size=3, padding=padding, groups=2),
        )
    yield Case(
        name="conv2d-one_channel", build=_layer("Conv2D", channels=1, filters=4, kernel_size=3)
    )
    yield Case(
        name="conv2d-window_1", build=_layer("Conv2D", filters=20, kernel_size=1, use_bias=False)
    )
    for activation in ("relu", "tanh", "sigmoid", "softmax", "elu"):
        yield Case(
            name=f"conv2d-{activation}",
            build=_layer("Conv2D", filters=5, kernel_size=2, activation=activation),
        )
    yield Case(
        name="depthwise2d-multiplier",
        build=_layer("DepthwiseConv2D", kernel_size=(2, 3), depth_multiplier=2, activation="relu"),
    )
    yield Case(
        name="depthwise2d-dilation",
        build=_layer("DepthwiseConv2D", kernel_size=2, dilation_rate=2),
    )


def _pools() -> Iterator[Case]:
    for kind, padding in product(("MaxPooling2D", "AveragePooling2D"), ("valid", "same")):
        name = kind.removesuffix("Pooling2D").lower()
        yield Case(
            name=f"{name}_pool2d-{padding}",
            build=_layer(kind, pool_size=2, padding=padding),
            steps=7,
            generations=BOTH,
        )
        yield Case(
            name=f"{name}_pool2d-{padding}-overlapping",
            build=_layer(kind, rows=7, pool_size=(3, 2), strides=(1, 2), padding=padding),
        )
    for kind, keepdims in product(("GlobalMaxPooling2D", "GlobalAveragePooling2D"), (False, True)):
        name = kind.removesuffix("Pooling2D").lower()
        kept = "-keepdims" if keepdims else ""
        yield Case(
            name=f"{name}_pool2d{kept}",
            build=_layer(kind, keepdims=keepdims),
            generations=BOTH,
        )
    yield Case(
        name="globalaverage_pool2d-any_size",
        build=_layer("GlobalAveragePooling2D", columns=None),
    )


def _shapes() -> Iterator[Case]:
    yield Case(
        name="zero_padding2d",
        build=_layer("ZeroPadding2D", padding=((1, 2), (0, 3))),
        generations=BOTH,
    )
    yield Case(name="zero_padding2d-one_number", build=_layer("ZeroPadding2D", padding=1))
    yield Case(
        name="cropping2d", build=_layer("Cropping2D", cropping=((1, 0), (2, 1))), generations=BOTH
    )
    yield Case(name="upsampling2d", build=_layer("UpSampling2D", size=(2, 3)), generations=BOTH)
    for order in ((2, 1, 3), (1, 3, 2), (3, 1, 2), (2, 3, 1), (3, 2, 1)):
        name = "".join(map(str, order))
        yield Case(name=f"permute4d-{name}", build=_layer("Permute", rows=5, dims=order))
    yield Case(
        name="permute4d-rows_stay", build=_layer("Permute", dims=(1, 3, 2)), generations=BOTH
    )
    yield Case(name="reshape4d-to_sequence", build=_layer("Reshape", target_shape=(-1, 18)))
    yield Case(name="reshape4d-flatten", build=_layer("Flatten", rows=4), generations=BOTH)

    def from_sequence(k: Keras) -> Any:
        x = k.Input(batch_shape=(None, None, 12))
        image = k.layers.Reshape((-1, 6, 2))(x)
        return k.Model(x, k.layers.Conv2D(3, 2)(image))

    yield Case(name="reshape4d-from_sequence", build=from_sequence, generations=BOTH)


def _elements() -> Iterator[Case]:
    yield Case(name="elements4d-dense", build=_layer("Dense", units=5), generations=BOTH)
    yield Case(
        name="elements4d-batch_normalization", build=_layer("BatchNormalization"), generations=BOTH
    )
    yield Case(
        name="elements4d-batch_normalization-rows",
        build=_layer("BatchNormalization", rows=5, axis=1),
    )
    yield Case(name="elements4d-layer_normalization", build=_layer("LayerNormalization"))
    yield Case(name="elements4d-prelu", build=_layer("PReLU", shared_axes=[1, 2]), generations=BOTH)
    yield Case(name="elements4d-relu", build=_layer("ReLU", max_value=2.0))
    yield Case(name="elements4d-softmax", build=_layer("Softmax"))
    yield Case(name="elements4d-spatial_dropout", build=_layer("SpatialDropout2D", rate=0.3))

    def residual(k: Keras) -> Any:
        x = _image(k, channels=4)
        y = k.layers.Conv2D(4, 3, padding="same", activation="relu")(x)
        both = k.layers.Concatenate()([k.layers.Add()([x, y]), y])
        return k.Model(x, k.layers.Conv2D(2, 1)(both))

    yield Case(name="image-residual", build=residual, generations=BOTH)

    def squeeze(k: Keras) -> Any:
        x = _image(k, 5, channels=4)
        y = k.layers.Conv2D(4, 3, padding="same")(x)
        gate = k.layers.GlobalAveragePooling2D(keepdims=True)(y)
        gate = k.layers.Conv2D(4, 1, activation="sigmoid")(gate)
        return k.Model(x, k.layers.Multiply()([y, gate]))

    yield Case(name="image-squeeze_and_excite", build=squeeze)

    def joined(k: Keras) -> Any:
        x = _image(k, 4)
        left, right = k.layers.Conv2D(3, 3, padding="same")(x), k.layers.ReLU()(x)
        rows = k.layers.Concatenate(axis=1)([left, right])
        return k.Model(x, k.layers.Concatenate(axis=2)([rows, rows]))

    yield Case(name="image-concatenated_rows_and_columns", build=joined)


def _each_step() -> Iterator[Case]:
    """TimeDistributed over images: video, or patches of a spectrogram."""

    def wrapped(*inner: Callable[[Keras], Any], channels: int = 2) -> Callable[[Keras], Any]:
        def build(k: Keras) -> Any:
            x = y = k.Input(batch_shape=(None, None, 5, 6, channels))
            for make in inner:
                y = k.layers.TimeDistributed(make(k))(y)
            return k.Model(x, y)

        return build

    yield Case(
        name="each_image-conv2d",
        build=wrapped(lambda k: k.layers.Conv2D(3, 3, padding="same", strides=2)),
        generations=BOTH,
    )
    yield Case(
        name="each_image-pools",
        build=wrapped(
            lambda k: k.layers.DepthwiseConv2D(2),
            lambda k: k.layers.BatchNormalization(),
            lambda k: k.layers.MaxPooling2D(2, strides=1),
            lambda k: k.layers.GlobalAveragePooling2D(),
        ),
    )
    yield Case(
        name="each_image-shapes",
        build=wrapped(
            lambda k: k.layers.ZeroPadding2D(1),
            lambda k: k.layers.UpSampling2D(2),
            lambda k: k.layers.Cropping2D(((1, 2), (0, 1))),
            lambda k: k.layers.AveragePooling2D((2, 3), padding="same"),
            lambda k: k.layers.Permute((2, 1, 3)),
        ),
    )

    def video(k: Keras) -> Any:
        x = k.Input(batch_shape=(None, None, 6, 6, 1))
        y = k.layers.TimeDistributed(k.layers.Conv2D(4, 3, activation="relu"))(x)
        y = k.layers.TimeDistributed(k.layers.MaxPooling2D())(y)
        y = k.layers.TimeDistributed(k.layers.Flatten())(y)
        return k.Model(x, k.layers.Dense(3)(k.layers.LSTM(5)(y)))

    yield Case(name="each_image-video", build=video, generations=BOTH)


def _before_recurrence() -> Iterator[Case]:
    def image_crnn(k: Keras) -> Any:
        x = k.Input(batch_shape=(None, 12, 20, 1))
        y = k.layers.Conv2D(6, 3, padding="same", strides=(2, 1), use_bias=False)(x)
        y = k.layers.ReLU()(k.layers.BatchNormalization()(y))
        y = k.layers.SeparableConv2D(8, 3, padding="same", activation="relu")(y)
        y = k.layers.AveragePooling2D((3, 2))(y)  # [2, 10, 8]
        y = k.layers.Reshape((10, 16))(k.layers.Permute((2, 1, 3))(y))
        y = k.layers.Bidirectional(k.layers.LSTM(5, return_sequences=True))(y)
        return k.Model(x, k.layers.Dense(7, activation="softmax")(y))

    def keyword_crnn(k: Keras) -> Any:
        x = k.Input(batch_shape=(None, None, 10))
        y = k.layers.Reshape((-1, 10, 1))(x)
        y = k.layers.Conv2D(6, (5, 4), strides=(2, 2), activation="relu")(y)
        y = k.layers.Reshape((-1, 4 * 6))(y)
        y = k.layers.GRU(8)(y)
        return k.Model(x, k.layers.Dense(4, activation="softmax")(y))

    yield Case(name="image-crnn", build=image_crnn, generations=BOTH)
    yield Case(name="image-keyword_crnn", build=keyword_crnn, steps=15, generations=BOTH)
