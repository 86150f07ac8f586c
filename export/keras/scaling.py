"""Keras layers that compute x * scale + offset in inference."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from edgernn.export.keras.call import Call
from edgernn.export.keras.config import LayerConfig
from edgernn.export.keras.keras_class import KerasClass, Variable, named, scale_and_center
from edgernn.export.keras.masks import passing, passing_since_keras_3
from edgernn.export.keras.nodes import revive
from edgernn.graph import Affine, AnyArray, FloatArray, LayerNorm, Reshape, Shape, Transpose


def affine(call: Call, scale: FloatArray, offset: FloatArray) -> list[str]:
    """x * scale + offset as the call's result."""
    call.add(Affine(name=call.name, input=call.edge, output=call.name, scale=scale, offset=offset))
    return [call.name]


def batch_normalization(call: Call) -> list[str]:
    layer = call.layer
    axis = layer.axes("axis")
    if len(axis) != 1:
        raise layer.unsupported(f"normalizes the axes {list(axis)} together", "Normalize one axis")
    position = axis[0] % call.rank
    size = (call.shape[position],)
    mean = call.weight("moving_mean", size)
    variance = call.weight("moving_variance", size)
    gamma = call.optional_weight("gamma", size)
    beta = call.optional_weight("beta", size)
    epsilon = layer.number("epsilon", default=1e-3)
    # Broadcasts against [B, ...] from the right.
    shape = (-1, *[1] * (call.rank - 1 - position))

    def scale() -> AnyArray:
        unscaled = 1.0 / np.sqrt(variance.astype(np.float64) + epsilon)
        return (unscaled if gamma is None else gamma * unscaled).reshape(shape)

    def offset() -> AnyArray:
        shifted = -mean.reshape(shape) * scale()
        return shifted if beta is None else beta.reshape(shape) + shifted

    return affine(call, call.derive("scale", scale), call.derive("offset", offset))


def rescaling(call: Call) -> list[str]:
    scale = _constant(call, call.layer.options.get("scale", 1.0), "scale")
    offset = _constant(call, call.layer.options.get("offset", 0.0), "offset")
    return affine(call, scale, offset)


def normalization(call: Call) -> list[str]:
    """(x - mean) / max(sqrt(variance), 1e-7), or back again with `invert`."""
    layer = call.layer
    if layer.options.get("mean") is None:
        kept = _kept_sizes(call)
        shape = _broadcast_shape(call)
        mean = call.weight("mean", kept).reshape(shape)
        variance = call.weight("variance", kept).reshape(shape)
    else:
        mean = _given_statistic(call, layer.options["mean"], "mean")
        variance = _given_statistic(call, layer.options.get("variance"), "variance")

    def deviation() -> AnyArray:
        return np.maximum(np.sqrt(variance.astype(np.float64)), 1e-7)

    if layer.flag("invert"):
        return affine(call, call.derive("scale", deviation), mean)
    return affine(
        call,
        call.derive("scale", lambda: 1.0 / deviation()),
        call.derive("offset", lambda: -mean / deviation()),
    )


def _kept_axes(call: Call) -> list[int]:
    if call.layer.options.get("axis", -1) is None:
        return []
    return sorted(axis % call.rank for axis in call.layer.axes("axis"))


def _kept_sizes(call: Call) -> Shape:
    return tuple(call.shape[axis] for axis in _kept_axes(call))


def _broadcast_shape(call: Call) -> tuple[int, ...]:
    kept = _kept_axes(call)
    return tuple((call.shape[axis] or -1) if axis in kept else 1 for axis in range(1, call.rank))


def _given_statistic(call: Call, value: Any, name: str) -> FloatArray:
    """A mean or variance out of the config, with the axes of [B, ...] that it belongs to.

    Numbers lie along the last of the kept axes.  Before version 3.13, Keras 3 took arrays with an
    axis for each one of the input, and lined them up from the right.
    """
    array = _constant(call, value, name)
    if array.size == 1:
        return array.reshape(1)
    shape = _broadcast_shape(call)
    kept = [size for size in _kept_sizes(call) if size is not None]
    try:
        if array.ndim <= len(kept):
            return np.broadcast_to(array, kept).reshape(shape)
        return np.broadcast_to(array, shape)
    except ValueError as error:
        raise call.layer.damaged(
            f"has a {name} of shape {array.shape} for the axes {_kept_axes(call)} of its input, "
            f"whose sizes are {tuple(kept)}"
        ) from error


def _constant(call: Call, value: Any, name: str) -> FloatArray:
    """A number or nested list of numbers from the config."""
    revived = revive(value)
    try:
        array = np.array(revived, np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise call.layer.damaged(f"has a {name} that is not numbers ({error})") from error
    if not np.isfinite(array).all():
        raise call.layer.damaged(f"has a {name} that is not finite")
    return np.atleast_1d(array)


def group_normalization(call: Call) -> list[str]:
    """Each group of channels over all its steps: one row of numbers for each group."""
    layer = call.layer
    axis = layer.axes("axis")
    if len(axis) != 1 or axis[0] % call.rank == 0:
        raise layer.unsupported(f"normalizes the axes {list(axis)}", "Normalize one axis")
    if call.keras.major < 3 and call.mask is not None:
        raise layer.unsupported(
            "leaves masked steps out of its mean", "Apply it before the layer that makes the mask"
        )
    place, order = axis[0] % call.rank, list(range(call.rank))
    order.insert(1, order.pop(place))  # [B, C, ...]
    channels = call.shape[place]
    if channels is None:
        raise layer.unsupported("normalizes channels of an unknown number", "Fix their number")
    groups = layer.options.get("groups", 32)
    count = channels if groups == -1 else layer.size("groups", default=32)
    if channels % count:
        raise layer.damaged(f"has {count} groups of {channels} channels")
    shape = [call.shape[axis] for axis in order]
    if shape.count(None) > 2 or (None in shape[1:] and len(shape) == 2):
        raise layer.unsupported(
            f"normalizes a tensor of shape {call.shape}", "Fix its input's shape"
        )
    first, rows, normal, back = (
        call.aside(name) for name in ("channels_first", "groups", "normal", "channels")
    )
    call.add(Transpose(name=first, input=call.edge, output=first, permutation=tuple(order)))
    call.add(Reshape(name=rows, input=first, output=rows, target=(count, -1)))
    call.add(LayerNorm(
        name=normal, input=rows, output=normal, gamma=None, beta=None,
        epsilon=layer.number("epsilon", default=1e-3),
    ))  # fmt: skip
    target = tuple(-1 if size is None else size for size in shape[1:])
    call.add(Reshape(name=back, input=normal, output=back, target=target))
    last = call.aside("channels_last")
    returned = tuple(order.index(axis) for axis in range(call.rank))
    call.add(Transpose(name=last, input=back, output=last, permutation=returned))
    gamma, beta = (call.optional_weight(name, (channels,)) for name in ("gamma", "beta"))
    if gamma is None and beta is None:
        return [last]
    along = (channels, *[1] * (call.rank - 1 - place))
    scale = np.ones(channels, np.float32) if gamma is None else gamma
    offset = np.zeros(channels, np.float32) if beta is None else beta
    call.add(Affine(
        name=call.name, input=last, output=call.name,
        scale=call.derive("scale", lambda: scale.reshape(along)),
        offset=call.derive("offset", lambda: offset.reshape(along)),
    ))  # fmt: skip
    return [call.name]


def _batch_variables(layer: LayerConfig) -> tuple[Variable, ...]:
    return (
        *scale_and_center(layer),
        *named("moving_mean", "moving_variance", trainable=False),
    )


def _refuse_renorm(layer: LayerConfig) -> None:
    if layer.flag("renorm"):
        raise layer.unsupported("uses batch renormalization", "Train it without renorm")


def _adapted(layer: LayerConfig) -> tuple[Variable, ...]:
    """Without arrays if the statistics are in the config."""
    known = layer.options.get("mean") is not None
    return () if known else named("mean", "variance", "count", trainable=False)


SCALING: Final[dict[str, KerasClass]] = {
    "BatchNormalization": KerasClass(
        emit=batch_normalization, variables=_batch_variables, mask=passing, refuse=_refuse_renorm
    ),
    "GroupNormalization": KerasClass(
        emit=group_normalization, variables=scale_and_center, mask=passing
    ),
    "Rescaling": KerasClass(emit=rescaling, mask=passing_since_keras_3),
    "Normalization": KerasClass(emit=normalization, variables=_adapted, mask=passing_since_keras_3),
}
