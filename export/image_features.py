"""What docs/support.md says about rows and columns: the smallest graph of each layer and option."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from edgernn.export.feature import Feature
from edgernn.graph import (
    Conv2D,
    FloatArray,
    FoldTime,
    Graph,
    Input,
    Layer,
    Output,
    Padding,
    Pool2D,
    PoolKind,
    Slice,
    TensorSpec,
    Transpose,
    UnfoldTime,
    Upsample1D,
    ZeroPad1D,
)

_SECTION: Final = "Rows and columns"
_CHANNELS: Final = 4
_IMAGE: Final = TensorSpec(shape=(None, None, 6, _CHANNELS))
_FIXED: Final = TensorSpec(shape=(None, 5, 6, _CHANNELS))
_VIDEO: Final = TensorSpec(shape=(None, None, 5, 6, _CHANNELS))
_SAME: Final = (Padding.SAME, Padding.SAME)


def _numbers(*shape: int) -> FloatArray:
    return np.random.default_rng(0).normal(0, 0.3, shape).astype(np.float32)


def _feature(
    layer: str, layers: Sequence[Layer], spec: TensorSpec = _IMAGE, option: str = ""
) -> Feature:
    graph = Graph(
        name="model",
        inputs=(Input(name="x", spec=spec),),
        layers=tuple(layers),
        outputs=(Output(name="y", edge="y"),),
    )
    return Feature(section=_SECTION, layer=layer, option=option, graph=graph)


def image_features() -> Iterator[Feature]:
    ends: dict[str, Any] = {"name": "layer", "input": "x", "output": "y"}
    kernel: dict[str, Any] = {"kernel": _numbers(3, 3, _CHANNELS, 5), "bias": _numbers(5)}
    grouped = _numbers(3, 3, _CHANNELS // 2, 6)
    convolutions: dict[str, dict[str, Any]] = {
        "padding=valid": {},
        "padding=same": {"paddings": _SAME},
        "strides=2": {"strides": (2, 2)},
        "strides=(1, 2)": {"strides": (1, 2)},
        "dilation_rate=2": {"dilations": (2, 2)},
        "groups=2": {"groups": 2, "kernel": grouped, "bias": None},
    }
    for text, options in convolutions.items():
        yield _feature("Conv2D", [Conv2D(**ends | kernel | options)], option=text)
    for multiplier in (1, 2):
        depthwise = _numbers(3, 3, 1, multiplier * _CHANNELS)
        conv = Conv2D(**ends, kernel=depthwise, bias=None, groups=_CHANNELS)
        yield _feature(
            "DepthwiseConv2D, SeparableConv2D", [conv], option=f"depth_multiplier={multiplier}"
        )
    for padding in (Padding.VALID, Padding.SAME):
        for kind in PoolKind:
            pool = Pool2D(
                **ends, kind=kind, window=(2, 2), strides=(2, 2), paddings=(padding, padding)
            )
            name = f"{kind.value.capitalize()}Pooling2D"
            yield _feature(name, [pool], option=f"padding={padding.value}")
    yield _feature("ZeroPadding2D", [ZeroPad1D(**ends, left=1, right=1, axis=2)])
    yield _feature("UpSampling2D", [Upsample1D(**ends, times=2, axis=2)])
    yield _feature("Cropping2D", [Slice(**ends, axis=2, start=1, stop=-1)])
    turned = Transpose(**ends, permutation=(0, 2, 1, 3))
    yield _feature("Permute", [turned], _FIXED, option="(2, 1, 3)")
    yield _feature(
        "TimeDistributed",
        [
            FoldTime(name="fold", input="x", output="each"),
            Conv2D(**kernel, name="conv", input="each", output="made"),
            UnfoldTime(name="unfold", input="made", like="x", output="y"),
        ],
        _VIDEO,
        option="of Conv2D",
    )
