"""Channels in front: Keras on a CPU cannot run all of it, so each layer is compared with its twin.

The twin is the same layer with the channels last, between two Permute layers, run by Keras.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from edgernn.export.keras.object import from_keras
from edgernn.export.verify import relative_error
from edgernn.reference import run
from tests.zoo.weights import randomize

IMAGE, STEPS = (3, 9, 7), (4, 8)

LAYERS: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "conv2d": ("Conv2D", {"filters": 4, "kernel_size": (3, 2), "strides": 2}, IMAGE),
    "conv2d-same": ("Conv2D", {"filters": 4, "kernel_size": 3, "padding": "same"}, IMAGE),
    "depthwise": ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}, IMAGE),
    "separable": ("SeparableConv2D", {"filters": 5, "kernel_size": (2, 3)}, IMAGE),
    "max_pool": ("MaxPooling2D", {"pool_size": 2}, IMAGE),
    "average_pool": ("AveragePooling2D", {"pool_size": (3, 2), "padding": "same"}, IMAGE),
    "padding": ("ZeroPadding2D", {"padding": ((1, 0), (2, 1))}, IMAGE),
    "cropping": ("Cropping2D", {"cropping": ((1, 0), (2, 1))}, IMAGE),
    "upsampling": ("UpSampling2D", {"size": (1, 3)}, IMAGE),
    "global_average": ("GlobalAveragePooling2D", {}, IMAGE),
    "global_max": ("GlobalMaxPooling2D", {"keepdims": True}, IMAGE),
    "conv1d": ("Conv1D", {"filters": 5, "kernel_size": 3, "strides": 2}, STEPS),
    "depthwise1d": ("DepthwiseConv1D", {"kernel_size": 3}, STEPS),
    "transposed": ("Conv1DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2}, STEPS),
    "max_pool1d": ("MaxPooling1D", {"pool_size": 2}, STEPS),
    "global_average1d": ("GlobalAveragePooling1D", {}, STEPS),
}


def turned(k: Any, x: Any, axes: Sequence[int]) -> Any:
    return k.layers.Permute(tuple(axes))(x)


@pytest.mark.parametrize("name", LAYERS)
def test_channels_in_front_answer_as_the_twin_does(name: str) -> None:
    import keras

    kind, options, shape = LAYERS[name]
    make = getattr(keras.layers, kind)
    rank = len(shape)
    x = keras.Input(shape)
    first = keras.Model(x, make(**options, data_format="channels_first")(x))
    y = make(**options, data_format="channels_last")(turned(keras, x, [*range(2, rank + 1), 1]))
    if len(y.shape) == rank + 1:
        y = turned(keras, y, [rank, *range(1, rank)])
    twin = keras.Model(x, y)
    randomize(twin, 5)
    first.set_weights(twin.get_weights())

    rows = np.random.default_rng(1).normal(size=(3, *shape)).astype(np.float32)
    graph = from_keras(first).graph
    (answer,) = run(graph, {graph.inputs[0].name: rows}).values()
    assert relative_error(answer, np.asarray(twin(rows))) <= 1e-5
