"""Keras' activation functions by name, for the Keras version that wrote the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from edgernn.export.keras.config import LayerConfig
from edgernn.export.keras.version import KerasVersion
from edgernn.graph import (
    HARD_SIGMOID_KERAS2,
    HARD_SIGMOID_KERAS3,
    LINEAR,
    RELU,
    SIGMOID,
    SOFTMAX,
    TANH,
    Activation,
    ActivationKind,
)

_BY_NAME: Final = {
    "linear": LINEAR,
    "relu": RELU,
    "relu6": Activation(kind=ActivationKind.RELU, max_value=6.0),
    "leaky_relu": Activation(kind=ActivationKind.RELU, alpha=0.2),
    "sigmoid": SIGMOID,
    "tanh": TANH,
    "softmax": SOFTMAX,
    "log_softmax": Activation(kind=ActivationKind.LOG_SOFTMAX),
    "softplus": Activation(kind=ActivationKind.SOFTPLUS),
    "softsign": Activation(kind=ActivationKind.SOFTSIGN),
    "elu": Activation(kind=ActivationKind.ELU, alpha=1.0),
    "celu": Activation(kind=ActivationKind.ELU, alpha=1.0),  # the same for celu's alpha of 1
    "selu": Activation(kind=ActivationKind.SELU),
    "gelu": Activation(kind=ActivationKind.GELU),
    "silu": Activation(kind=ActivationKind.SILU),
    "swish": Activation(kind=ActivationKind.SILU),
    "hard_silu": Activation(kind=ActivationKind.HARD_SILU),
    "hard_swish": Activation(kind=ActivationKind.HARD_SILU),
    "mish": Activation(kind=ActivationKind.MISH),
    "exponential": Activation(kind=ActivationKind.EXPONENTIAL),
}

KNOWN_ACTIVATIONS: Final = tuple(sorted({*_BY_NAME, "hard_sigmoid"}))


def activation(
    layer: LayerConfig, keras: KerasVersion, option: str = "activation", *, default: Any = "linear"
) -> Activation:
    """The function that `option` names: a string, or an object as Keras serializes it.

    Raises UnsupportedLayer for a function that is custom or has no `ActivationKind`.
    """
    value = layer.options.get(option, default)
    if isinstance(value, dict):
        kind, config = value.get("class_name"), value.get("config")
        if kind in ACTIVATION_LAYERS and kind != "Activation" and isinstance(config, dict):
            return layer_activation(_like(layer, str(kind), config), keras)
        value = config.get("name", kind) if isinstance(config, dict) else config
    return named_activation(layer, keras, value, option)


def named_activation(
    layer: LayerConfig, keras: KerasVersion, value: Any, option: str = "activation"
) -> Activation:
    """The activation called `value`; None is linear."""
    if value is None:
        return LINEAR
    name = str(value)
    if name == "hard_sigmoid":
        return HARD_SIGMOID_KERAS3 if keras.major >= 3 else HARD_SIGMOID_KERAS2
    if name not in _BY_NAME:
        raise layer.unsupported(
            f"has {option} '{name}', which edgernn does not support",
            f"Use one of {', '.join(KNOWN_ACTIVATIONS)}",
        )
    return _BY_NAME[name]


def layer_activation(layer: LayerConfig, keras: KerasVersion) -> Activation:
    """The function of a layer that computes only an activation."""
    return ACTIVATION_LAYERS[layer.kind](layer, keras)


def _relu(layer: LayerConfig, _keras: KerasVersion) -> Activation:
    ceiling = layer.options.get("max_value")
    return Activation(
        kind=ActivationKind.RELU,
        alpha=layer.number("negative_slope", default=0.0),
        beta=layer.number("threshold", default=0.0),
        max_value=None if ceiling is None else layer.number("max_value"),
    )


def _leaky_relu(layer: LayerConfig, _keras: KerasVersion) -> Activation:
    slope = "negative_slope" if "negative_slope" in layer.options else "alpha"  # in Keras 2
    return Activation(kind=ActivationKind.RELU, alpha=layer.number(slope, default=0.3))


def _thresholded_relu(layer: LayerConfig, _keras: KerasVersion) -> Activation:
    return Activation(kind=ActivationKind.RELU, beta=layer.number("theta", default=1.0))


def _elu(layer: LayerConfig, _keras: KerasVersion) -> Activation:
    return Activation(kind=ActivationKind.ELU, alpha=layer.number("alpha", default=1.0))


def _softmax(layer: LayerConfig, _keras: KerasVersion) -> Activation:
    axes = layer.axes("axis")
    if len(axes) != 1:
        raise layer.unsupported(f"normalizes over the axes {list(axes)} together", "Use one axis")
    return Activation(kind=ActivationKind.SOFTMAX, axis=axes[0])


#: The functions of layer classes that compute only an activation.
ACTIVATION_LAYERS: Final[dict[str, Callable[[LayerConfig, KerasVersion], Activation]]] = {
    "Activation": activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "ThresholdedReLU": _thresholded_relu,
    "ELU": _elu,
    "Softmax": _softmax,
}


def _like(layer: LayerConfig, kind: str, options: dict[str, Any]) -> LayerConfig:
    """An activation layer given as another layer's `activation`, under that layer's name."""
    return LayerConfig(
        kind=kind, module=layer.module, name=layer.name, options=options, where=layer.where,
        path=layer.path, children={},
    )  # fmt: skip
