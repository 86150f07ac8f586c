"""Affine maps and normalization."""

from __future__ import annotations

import numpy as np

from edgernn.graph import Affine, FloatArray, LayerNorm, as_float32


def affine(layer: Affine, x: FloatArray) -> FloatArray:
    with np.errstate(over="ignore", invalid="ignore"):  # infinity times zero
        return np.asarray(x * as_float32(layer.scale) + as_float32(layer.offset))


def layer_norm(layer: LayerNorm, x: FloatArray) -> FloatArray:
    axes = tuple(range(x.ndim - layer.axes, x.ndim))
    centred = x if layer.rms else x - x.mean(axis=axes, keepdims=True)
    variance = np.square(centred).mean(axis=axes, keepdims=True)
    result = centred / np.sqrt(variance + np.float32(layer.epsilon))
    if layer.gamma is not None:
        result = result * as_float32(layer.gamma)
    if layer.beta is not None:
        result = result + as_float32(layer.beta)
    return np.asarray(result)
