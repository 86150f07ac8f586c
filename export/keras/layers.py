"""Keras layers without a recurrence: each function adds the graph layers for one call of a class.

A new class is a function and a row of the table at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from edgernn.export.keras.activations import ACTIVATION_LAYERS, activation, layer_activation
from edgernn.export.keras.call import Call
from edgernn.export.keras.config import LayerConfig
from edgernn.export.keras.keras_class import (
    KerasClass,
    arrays,
    arrays_and_bias,
    scale_and_center,
)
from edgernn.export.keras.masks import feature_mask, passing, passing_since_keras_3, token_mask
from edgernn.graph import (
    LINEAR,
    Activate,
    ApplyMask,
    Dense,
    Embedding,
    LayerNorm,
    PRelu,
    Repeat,
    Reshape,
    Slice,
    Transpose,
    Upsample1D,
    ZeroPad1D,
)


def identity(call: Call) -> list[str]:
    """Dropout, noise and regularization do nothing in inference."""
    return [call.edge]


def dense(call: Call) -> list[str]:
    units = call.layer.size("units")
    kernel = call.weight("kernel", (call.shape[-1], units))
    call.add(Dense(
        name=call.name, input=call.edge, output=call.name, kernel=kernel,
        bias=call.optional_weight("bias", (units,)),
        activation=activation(call.layer, call.keras),
    ))  # fmt: skip
    return [call.name]


def embedding(call: Call) -> list[str]:
    call.builder.as_tokens(call.edge, call.layer)
    table = call.weight("embeddings", (call.layer.size("input_dim"), call.layer.size("output_dim")))
    call.add(Embedding(name=call.name, input=call.edge, output=call.name, table=table))
    return [call.name]


def masking(call: Call) -> list[str]:
    mask = feature_mask(call, call.edge, call.layer.number("mask_value", default=0.0))
    call.add(ApplyMask(name=call.name, input=call.edge, mask=mask, output=call.name))
    return [call.name]


def activate(call: Call) -> list[str]:
    function = layer_activation(call.layer, call.keras)
    if function == LINEAR:
        return [call.edge]
    if call.layer.kind == "Softmax" and call.mask is not None:
        raise call.layer.unsupported(
            "normalizes over masked steps", "Use Activation('softmax'), which takes no mask"
        )
    call.add(Activate(name=call.name, input=call.edge, output=call.name, activation=function))
    return [call.name]


def prelu(call: Call) -> list[str]:
    alpha = call.weight("alpha", (None,) * (call.rank - 1))
    call.add(PRelu(name=call.name, input=call.edge, output=call.name, alpha=alpha))
    return [call.name]


def layer_normalization(call: Call) -> list[str]:
    axes = sorted(axis % call.rank for axis in call.layer.axes("axis"))
    if axes != list(range(call.rank - len(axes), call.rank)) or 0 in axes:
        raise call.layer.unsupported(
            f"normalizes over the axes {axes} of {call.rank}", "Normalize over the last axes"
        )
    normalized = call.shape[-len(axes) :]
    call.add(LayerNorm(
        name=call.name, input=call.edge, output=call.name,
        gamma=call.optional_weight("gamma", normalized),
        beta=call.optional_weight("beta", normalized),
        epsilon=call.layer.number("epsilon", default=1e-3), axes=len(axes),
    ))  # fmt: skip
    return [call.name]


def rms_normalization(call: Call) -> list[str]:
    _only_last_axis(call)
    call.add(LayerNorm(
        name=call.name, input=call.edge, output=call.name,
        gamma=call.weight("scale", (call.shape[-1],)), beta=None,
        epsilon=call.layer.number("epsilon", default=1e-6), rms=True,
    ))  # fmt: skip
    return [call.name]


def unit_normalization(call: Call) -> list[str]:
    """x / |x| = x / sqrt(mean(x * x)) / sqrt(n); the epsilon only prevents 0 / 0."""
    _only_last_axis(call)
    size = call.shape[-1]
    if size is None:
        raise call.layer.unsupported("normalizes over an axis of unknown size", "Give it a size")
    gamma = call.derive("gamma", lambda: np.full(size, size**-0.5))
    call.add(LayerNorm(
        name=call.name, input=call.edge, output=call.name, gamma=gamma, beta=None,
        epsilon=1e-24 / size, rms=True,
    ))  # fmt: skip
    return [call.name]


def _only_last_axis(call: Call) -> None:
    if [axis % call.rank for axis in call.layer.axes("axis")] != [call.rank - 1]:
        raise call.layer.unsupported(
            "normalizes over another axis than the last", "Normalize over the last axis"
        )


def flatten(call: Call) -> list[str]:
    edge = call.edge
    if call.layer.options.get("data_format") == "channels_first" and call.rank > 2:
        edge = call.aside("channels_last")
        order = (0, *range(2, call.rank), 1)
        call.add(Transpose(name=edge, input=call.edge, output=edge, permutation=order))
    call.add(Reshape(name=call.name, input=edge, output=call.name, target=(-1,)))
    return [call.name]


def reshape(call: Call) -> list[str]:
    target = call.layer.options.get("target_shape")
    sizes = tuple(target) if isinstance(target, list | tuple) else (None,)
    whole = all(type(size) is int and (size == -1 or 0 < size < 1 << 31) for size in sizes)
    if not whole or sizes.count(-1) > 1:
        raise call.layer.damaged(f"has the target shape {target!r}")
    call.add(Reshape(name=call.name, input=call.edge, output=call.name, target=sizes))
    return [call.name]


def permute(call: Call) -> list[str]:
    order = (0, *call.layer.axes("dims", default=0))
    call.add(Transpose(name=call.name, input=call.edge, output=call.name, permutation=order))
    return [call.name]


def repeat_vector(call: Call) -> list[str]:
    times = call.layer.size("n")
    call.add(Repeat(name=call.name, input=call.edge, output=call.name, times=times))
    return [call.name]


def upsampling(call: Call) -> list[str]:
    times = call.layer.size("size", default=2)
    call.add(Upsample1D(name=call.name, input=call.edge, output=call.name, times=times))
    return [call.name]


def zero_padding(call: Call) -> list[str]:
    left, right = call.layer.sizes("padding", 2)
    call.add(ZeroPad1D(name=call.name, input=call.edge, output=call.name, left=left, right=right))
    return [call.name]


def cropping(call: Call) -> list[str]:
    left, right = call.layer.sizes("cropping", 2)
    steps = call.shape[1]
    if steps is not None and left + right >= steps:
        raise call.layer.damaged(f"crops {left} + {right} of {steps} steps")
    stop = -right if right else None
    call.add(
        Slice(name=call.name, input=call.edge, output=call.name, axis=1, start=left, stop=stop)
    )
    return [call.name]


def _embedding_mask(call: Call, _results: Sequence[str]) -> tuple[str | None, ...]:
    return (token_mask(call, call.edge),) if call.layer.flag("mask_zero") else ()


def _masking_mask(call: Call, results: Sequence[str]) -> tuple[str | None, ...]:
    writer = call.builder.writer(results[0])
    return (writer.mask,) if isinstance(writer, ApplyMask) else ()


def _refuse_rms_scaling(layer: LayerConfig) -> None:
    if layer.flag("rms_scaling"):
        raise layer.unsupported(
            "has rms_scaling=True, which Keras itself calls a mistake in its arithmetic",
            "Train it with RMSNormalization instead, as Keras advises",
        )


_NOTHING_AT_INFERENCE: Final = KerasClass(emit=identity, mask=passing)
_NOTHING_AT_A_STEP: Final = replace(_NOTHING_AT_INFERENCE, is_stepwise=True)
_ACTIVATION: Final = KerasClass(emit=activate, mask=passing)
#: The others can work across time: softmax has an axis.
_STEPWISE_ACTIVATIONS: Final = ("ReLU", "LeakyReLU", "ELU")

LAYERS: Final[dict[str, KerasClass]] = {
    "InputLayer": _NOTHING_AT_INFERENCE,
    "SpatialDropout1D": _NOTHING_AT_INFERENCE,
    "SpatialDropout2D": _NOTHING_AT_INFERENCE,
    "Identity": KerasClass(emit=identity, mask=passing_since_keras_3),
    "Dropout": _NOTHING_AT_A_STEP,
    "GaussianDropout": _NOTHING_AT_A_STEP,
    "GaussianNoise": _NOTHING_AT_A_STEP,
    "AlphaDropout": _NOTHING_AT_A_STEP,
    "ActivityRegularization": _NOTHING_AT_A_STEP,
    **{
        kind: replace(_ACTIVATION, is_stepwise=kind in _STEPWISE_ACTIVATIONS)
        for kind in ACTIVATION_LAYERS
    },
    "Dense": KerasClass(
        emit=dense, variables=arrays_and_bias("kernel"), mask=passing, is_stepwise=True
    ),
    "Embedding": KerasClass(emit=embedding, variables=arrays("embeddings"), mask=_embedding_mask),
    "Masking": KerasClass(emit=masking, mask=_masking_mask),
    "PReLU": KerasClass(emit=prelu, variables=arrays("alpha"), mask=passing),
    "LayerNormalization": KerasClass(
        emit=layer_normalization,
        variables=scale_and_center,
        mask=passing,
        refuse=_refuse_rms_scaling,
    ),
    "RMSNormalization": KerasClass(emit=rms_normalization, variables=arrays("scale")),
    "UnitNormalization": KerasClass(emit=unit_normalization, mask=passing),
    "Flatten": KerasClass(emit=flatten),
    "Reshape": KerasClass(emit=reshape),
    "Permute": KerasClass(emit=permute),
    "RepeatVector": KerasClass(emit=repeat_vector),
    "UpSampling1D": KerasClass(emit=upsampling),
    "ZeroPadding1D": KerasClass(emit=zero_padding),
    "Cropping1D": KerasClass(emit=cropping),
}
