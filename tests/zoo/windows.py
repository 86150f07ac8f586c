"""Layers that slide a window over time: convolutions and pooling."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from tests.zoo.case import BOTH, Case, Gaps, Keras, sequence


def cases() -> Iterator[Case]:
    yield from _convolutions()
    yield from _pools()


def _convolutions() -> Iterator[Case]:
    for padding, stride in product(("valid", "same", "causal"), (1, 2, 3)):
        yield Case(
            name=f"conv1d-{padding}-stride_{stride}",
            build=_layer("Conv1D", filters=5, kernel_size=3, padding=padding, strides=stride),
            steps=8 if stride < 3 else 9,
            generations=BOTH if stride < 3 else BOTH[:1],
        )
    for padding, dilation in product(("valid", "same", "causal"), (2, 3)):
        yield Case(
            name=f"conv1d-{padding}-dilation_{dilation}",
            build=_layer(
                "Conv1D", filters=5, kernel_size=3, padding=padding, dilation_rate=dilation
            ),
            steps=9,
            generations=BOTH if dilation == 2 else BOTH[:1],
        )
    for padding in ("valid", "same", "causal"):
        yield Case(
            name=f"conv1d-{padding}-fixed_time",
            build=_layer("Conv1D", steps=8, filters=5, kernel_size=4, padding=padding, strides=2),
        )
        yield Case(
            name=f"conv1d-{padding}-groups",
            build=_layer("Conv1D", filters=6, kernel_size=3, padding=padding, groups=2),
            generations=BOTH if padding == "same" else BOTH[:1],
        )
        yield Case(
            name=f"conv1d-{padding}-even_window",
            build=_layer("Conv1D", filters=3, kernel_size=4, padding=padding),
            steps=7,
        )
    for padding in ("same", "causal"):
        yield Case(
            name=f"conv1d-{padding}-one_step",
            build=_layer("Conv1D", filters=5, kernel_size=3, padding=padding),
            steps=1,
        )
    yield from _transposed()
    for activation in ("relu", "tanh", "softmax", "gelu"):
        yield Case(
            name=f"conv1d-{activation}",
            build=_layer("Conv1D", filters=5, kernel_size=2, activation=activation),
        )
    yield Case(
        name="conv1d-no_bias", build=_layer("Conv1D", filters=5, kernel_size=3, use_bias=False)
    )
    yield Case(name="conv1d-window_1", build=_layer("Conv1D", filters=5, kernel_size=1))
    for padding, stride in product(("valid", "same"), (1, 2)):
        yield Case(
            name=f"depthwise-{padding}-stride_{stride}",
            build=_layer("DepthwiseConv1D", kernel_size=3, padding=padding, strides=stride),
            steps=7,
        )
    yield Case(
        name="depthwise-multiplier",
        build=_layer("DepthwiseConv1D", kernel_size=3, depth_multiplier=2, activation="relu"),
        generations=BOTH,
    )
    yield Case(
        name="depthwise-dilation",
        build=_layer("DepthwiseConv1D", kernel_size=2, dilation_rate=2),
    )
    for padding in ("valid", "same"):
        yield Case(
            name=f"separable-{padding}",
            build=_layer("SeparableConv1D", filters=5, kernel_size=3, padding=padding),
            generations=BOTH if padding == "valid" else BOTH[:1],
        )
    yield Case(
        name="separable-multiplier-stride",
        build=_layer(
            "SeparableConv1D",
            filters=5,
            kernel_size=3,
            depth_multiplier=2,
            strides=2,
            activation="relu",
        ),
        steps=8,
    )
    yield Case(name="convolutions-wavenet", build=_wavenet, steps=9, generations=BOTH)
    yield Case(name="convolutions-tiny_kws", build=_tiny_kws, steps=9)
    yield Case(name="convolution-masked", build=_masked, gaps=Gaps.HOLES)


def _transposed() -> Iterator[Case]:
    for padding, window, stride in product(("valid", "same"), (2, 3, 4), (1, 2, 3)):
        yield Case(
            name=f"conv1d_transpose-{padding}-{window}-{stride}",
            build=_layer(
                "Conv1DTranspose", filters=5, kernel_size=window, strides=stride, padding=padding
            ),
            generations=BOTH if window == 3 and stride == 2 else BOTH[:1],
        )
    options: dict[str, dict[str, Any]] = {
        "no_bias-relu": {"use_bias": False, "activation": "relu"},
        "dilation": {"dilation_rate": 2},
        "dilation-same": {"dilation_rate": 2, "padding": "same"},
        "output_padding": {"strides": 2, "output_padding": 1},
        "output_padding-same": {"strides": 3, "padding": "same", "output_padding": 2},
        "output_padding-none": {"strides": 2, "padding": "same", "output_padding": 0},
    }
    for name, given in options.items():
        yield Case(
            name=f"conv1d_transpose-{name}",
            build=_layer("Conv1DTranspose", **{"filters": 3, "kernel_size": 3, **given}),
        )


def _pools() -> Iterator[Case]:
    kinds = ("MaxPooling1D", "AveragePooling1D")
    for kind, padding, stride in product(kinds, ("valid", "same"), (None, 1, 2)):
        yield Case(
            name=f"{kind}-{padding}-stride_{stride}",
            build=_layer(kind, pool_size=3, padding=padding, strides=stride),
            steps=8,
            generations=BOTH if stride is None else BOTH[:1],
        )
    for kind in kinds:
        yield Case(
            name=f"{kind}-fixed_time", build=_layer(kind, steps=7, pool_size=2, padding="same")
        )
        yield Case(name=f"{kind}-one_step", build=_layer(kind, pool_size=1), steps=1)
    for kind, keepdims in product(("GlobalMaxPooling1D", "GlobalAveragePooling1D"), (False, True)):
        what = "-keepdims" if keepdims else ""
        yield Case(name=f"{kind}{what}", build=_layer(kind, keepdims=keepdims), generations=BOTH)
        yield Case(
            name=f"{kind}{what}-masked",
            build=_layer(kind, masked=True, keepdims=keepdims),
            gaps=Gaps.HOLES,
        )
    yield Case(
        name="GlobalAveragePooling1D-after_masked_rnn",
        build=_pooled_rnn,
        gaps=Gaps.LEFT,
        generations=BOTH,
    )


def _layer(
    class_name: str, *, masked: bool = False, steps: int | None = None, **options: Any
) -> Any:
    def build(k: Keras) -> Any:
        entry = sequence(k, 4, steps)
        valid = k.layers.Masking()(entry) if masked else entry
        return k.Model(entry, getattr(k.layers, class_name)(**options)(valid))

    return build


def _wavenet(k: Keras) -> Any:
    entry = sequence(k, 3)
    x = k.layers.Conv1D(4, 1)(entry)
    skips = []
    for dilation in (1, 2, 4):
        options = {"padding": "causal", "dilation_rate": dilation}
        filtered = k.layers.Conv1D(4, 2, activation="tanh", **options)(x)
        gated = k.layers.Conv1D(4, 2, activation="sigmoid", **options)(x)
        both = k.layers.Multiply()([filtered, gated])
        skips.append(k.layers.Conv1D(4, 1)(both))
        x = k.layers.Add()([x, skips[-1]])
    x = k.layers.ReLU()(k.layers.Add()(skips))
    return k.Model(entry, k.layers.Conv1D(2, 1)(x))


def _tiny_kws(k: Keras) -> Any:
    entry = sequence(k, 4)
    x = k.layers.Conv1D(6, 3, strides=2, padding="same", use_bias=False)(entry)
    x = k.layers.BatchNormalization()(x)
    x = k.layers.ReLU(max_value=6.0)(x)
    x = k.layers.DepthwiseConv1D(3, padding="same")(x)
    x = k.layers.Conv1D(5, 1)(x)
    x = k.layers.GRU(4)(x)
    return k.Model(entry, k.layers.Dense(3, activation="softmax")(x))


def _masked(k: Keras) -> Any:
    """The mask ends at the convolution, or goes on: as the version of Keras has it."""
    entry = sequence(k)
    x = k.layers.Masking()(entry)
    x = k.layers.Conv1D(5, 3, padding="same")(x)
    return k.Model(entry, k.layers.GRU(4, return_sequences=True)(x))


def _pooled_rnn(k: Keras) -> Any:
    entry = sequence(k)
    x = k.layers.Masking()(entry)
    x = k.layers.LSTM(5, return_sequences=True)(x)
    return k.Model(entry, k.layers.GlobalAveragePooling1D()(x))
