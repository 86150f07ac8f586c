"""Layers without time of their own: activations, norms, shapes, layers that inference drops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from tests.zoo.case import BOTH, Case, Gaps, Keras, sequence, tokens

ACTIVATIONS: Final = (
    "linear",
    "relu",
    "relu6",
    "sigmoid",
    "hard_sigmoid",
    "tanh",
    "softmax",
    "log_softmax",
    "softplus",
    "softsign",
    "elu",
    "selu",
    "gelu",
    "silu",
    "hard_silu",
    "mish",
    "exponential",
    "leaky_relu",
)
KERAS2_ACTIVATIONS: Final = frozenset(
    {"relu", "hard_sigmoid", "softmax", "elu", "selu", "gelu", "exponential", "swish", "softplus"}
)

#: name -> (class, options) of layers that map [B, T, F] to [B, T, F'] by themselves
LAYERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "relu-max_value": ("ReLU", {"max_value": 0.7}),
    "relu-negative_slope": ("ReLU", {"negative_slope": 0.2, "threshold": 0.3}),
    "relu-all": ("ReLU", {"max_value": 0.9, "negative_slope": 0.1, "threshold": 0.2}),
    "softmax": ("Softmax", {}),
    "softmax-over_time": ("Softmax", {"axis": 1}),
    "batch_normalization": ("BatchNormalization", {}),
    "batch_normalization-plain": ("BatchNormalization", {"center": False, "scale": False}),
    "batch_normalization-epsilon": ("BatchNormalization", {"epsilon": 0.1, "center": False}),
    "layer_normalization": ("LayerNormalization", {}),
    "layer_normalization-plain": ("LayerNormalization", {"center": False, "scale": False}),
    "layer_normalization-epsilon": ("LayerNormalization", {"epsilon": 0.1, "scale": False}),
    "rescaling": ("Rescaling", {"scale": 0.25, "offset": 1.5}),
    "normalization": (
        "Normalization",
        {"mean": [0.1, -0.2, 0.3, 0.5], "variance": [1.0, 2.0, 0.5, 0.1]},
    ),
    "normalization-over_time": (
        "Normalization",
        {"axis": 1, "mean": [0.1, -0.2, 0.3, 0.5, 0.7], "variance": [1.0, 2.0, 0.5, 0.1, 3.0]},
    ),
    "normalization-two_axes": (
        "Normalization",
        {"axis": (1, 2), "mean": [0.1, -0.2, 0.3, 0.5], "variance": [1.0, 2.0, 0.5, 0.1]},
    ),
    "normalization-scalar": ("Normalization", {"axis": None, "mean": 0.3, "variance": 2.0}),
    "dense": ("Dense", {"units": 3}),
    "dense-no_bias": ("Dense", {"units": 3, "use_bias": False}),
    "flatten-sequence": ("Flatten", {}),
    "permute": ("Permute", {"dims": (2, 1)}),
    "reshape": ("Reshape", {"target_shape": (2, 10)}),
    "reshape-free": ("Reshape", {"target_shape": (-1, 2)}),
    "zero_padding": ("ZeroPadding1D", {"padding": 2}),
    "zero_padding-unlike": ("ZeroPadding1D", {"padding": (1, 3)}),
    "cropping": ("Cropping1D", {"cropping": (1, 2)}),
    "cropping-right_only": ("Cropping1D", {"cropping": (0, 1)}),
    "cropping-left_only": ("Cropping1D", {"cropping": (2, 0)}),
    "upsampling": ("UpSampling1D", {"size": 3}),
    "elu": ("ELU", {"alpha": 0.3}),
    "prelu": ("PReLU", {}),
    "prelu-shared": ("PReLU", {"shared_axes": [1]}),
    "identity": ("Activation", {"activation": "linear"}),
}
KERAS3_LAYERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "leaky_relu": ("LeakyReLU", {"negative_slope": 0.2}),
    "normalization-inverted": (
        "Normalization",
        {"mean": 0.5, "variance": 4.0, "invert": True, "axis": None},
    ),
    "identity-layer": ("Identity", {}),
    "layer_normalization-two_axes": ("LayerNormalization", {"axis": [1, 2]}),
    "layer_normalization-rms": ("LayerNormalization", {"rms_scaling": True}),
    "rms_normalization": ("RMSNormalization", {}),
    "unit_normalization": ("UnitNormalization", {}),
    "group_normalization": ("GroupNormalization", {"groups": 2}),
    "batch_normalization-over_time": ("BatchNormalization", {"axis": 1}),
}
KERAS2_LAYERS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "leaky_relu": ("LeakyReLU", {"alpha": 0.2}),
    "thresholded_relu": ("ThresholdedReLU", {"theta": 0.4}),
}
#: Layers that work on batches of vectors.
ON_VECTORS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "repeat_vector": ("RepeatVector", {"n": 3}),
    "reshape-to_sequence": ("Reshape", {"target_shape": (3, 2)}),
    "flatten-vector": ("Flatten", {}),
    "batch_normalization-vector": ("BatchNormalization", {}),
    "dense-vector": ("Dense", {"units": 3, "activation": "softmax"}),
}


def cases() -> Iterator[Case]:
    for activation in ACTIVATIONS:
        yield Case(
            name=f"activation-{activation}",
            build=_layer("Activation", {"activation": activation}),
            generations=BOTH if activation in KERAS2_ACTIVATIONS else BOTH[:1],
        )
        yield Case(
            name=f"dense-{activation}",
            build=_layer("Dense", {"units": 3, "activation": activation}, vector=True),
        )
    for name, (class_name, options) in LAYERS.items():
        yield Case(name=f"layer-{name}", build=_layer(class_name, options, steps=5))
    for name in ("batch_normalization", "layer_normalization", "cropping", "zero_padding"):
        yield Case(name=f"layer-{name}-free_time", build=_layer(*LAYERS[name]), steps=4)
    for name in ("upsampling", "reshape-free", "permute", "prelu-shared", "softmax-over_time"):
        yield Case(name=f"layer-{name}-free_time", build=_layer(*LAYERS[name]), steps=6)
    for name, (class_name, options) in KERAS3_LAYERS.items():
        yield Case(name=f"layer-{name}", build=_layer(class_name, options, steps=5))
    for name, (class_name, options) in ON_VECTORS.items():
        yield Case(
            name=f"layer-{name}", build=_layer(class_name, options, vector=True), generations=BOTH
        )
    for name, (class_name, options) in KERAS2_LAYERS.items():
        yield Case(
            name=f"layer-{name}-old",
            build=_layer(class_name, options),
            generations=BOTH[1:],
        )
    for name in ("batch_normalization", "layer_normalization", "permute", "prelu", "relu-all"):
        class_name, options = LAYERS[name]
        yield Case(
            name=f"layer-{name}-old",
            build=_layer(class_name, options, steps=5),
            generations=BOTH[1:],
        )
    yield Case(name="dropped_layers", build=_dropped, generations=BOTH)
    yield Case(name="dropped_layers-masked", build=_dropped_masked, gaps=Gaps.HOLES)
    yield Case(name="embedding", build=_embedding, generations=BOTH)
    yield Case(name="embedding-flat", build=_embedding_flat, generations=BOTH)
    yield Case(name="masking-alone", build=_masking_alone, gaps=Gaps.HOLES, generations=BOTH)
    yield Case(name="image_rows", build=_image_rows)


def _layer(
    class_name: str, options: dict[str, Any], *, vector: bool = False, steps: int | None = None
) -> Callable[[Keras], Any]:
    def build(k: Keras) -> Any:
        entry = k.Input(batch_shape=(None, 6)) if vector else sequence(k, 4, steps)
        arrays = {
            key: np.array(value, np.float32) if key in {"mean", "variance"} else value
            for key, value in options.items()
        }
        return k.Model(entry, getattr(k.layers, class_name)(**arrays)(entry))

    return build


def _dropped(k: Keras) -> Any:
    entry = sequence(k)
    x = k.layers.Dropout(0.4)(entry)
    x = k.layers.SpatialDropout1D(0.4)(x)
    x = k.layers.GaussianNoise(0.4)(x)
    x = k.layers.GaussianDropout(0.4)(x)
    x = k.layers.AlphaDropout(0.4)(x)
    x = k.layers.ActivityRegularization(l2=0.1)(x)
    return k.Model(entry, k.layers.LSTM(4)(x))


def _dropped_masked(k: Keras) -> Any:
    entry = sequence(k)
    x = k.layers.Masking()(entry)
    x = k.layers.Dropout(0.4)(x)
    x = k.layers.Activation("tanh")(x)
    return k.Model(entry, k.layers.GRU(4, return_sequences=True)(x))


def _embedding(k: Keras) -> Any:
    entry = tokens(k)
    return k.Model(entry, k.layers.Embedding(11, 4)(entry))


def _embedding_flat(k: Keras) -> Any:
    entry = tokens(k, 5)
    x = k.layers.Flatten()(k.layers.Embedding(11, 4)(entry))
    return k.Model(entry, k.layers.Dense(2)(x))


def _masking_alone(k: Keras) -> Any:
    entry = sequence(k)
    return k.Model(entry, k.layers.Masking()(entry))


def _image_rows(k: Keras) -> Any:
    """An image read row by row: Reshape between four and three dimensions."""
    entry = k.Input(batch_shape=(None, 5, 4, 2))
    x = k.layers.Reshape((5, 8))(entry)
    x = k.layers.GRU(6, return_sequences=True)(x)
    return k.Model(entry, k.layers.Permute((2, 1))(x))
