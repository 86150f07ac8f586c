"""Convolutions and pools over two axes: [B, C, H, W] in the file, [B, H, W, C] in our graph."""

from __future__ import annotations

import numpy as np

from edgernn.export.onnx_file.builder import Builder
from edgernn.export.onnx_file.node import Node
from edgernn.export.onnx_file.values import Array, Axis, Tensor, axis_of, is_batch
from edgernn.graph import Conv2D, Padding, Pool2D, PoolKind


def convolution_2d(
    builder: Builder, node: Node, x: Tensor, kernel: Array, bias: Array | None
) -> Tensor:
    """Weights [out, C / groups, rows, columns]."""
    edge = _channels_last(builder, node, x)
    strides, dilations = (_pair(node, name) for name in ("strides", "dilations"))
    pads = [0] * 4 if is_same(node) else pads_of(node, 2)
    reaches = [(kernel.shape[2 + axis] - 1) * dilations[axis] for axis in (0, 1)]
    name = builder.unique(node.role)
    layer = Conv2D(
        name=name, input=edge, output=name,
        kernel=np.ascontiguousarray(kernel.transpose(2, 3, 1, 0), np.float32),
        bias=None if bias is None else np.ascontiguousarray(bias, np.float32),
        strides=strides, dilations=dilations, groups=node.integer("group", 1),
        paddings=(
            _padding(node, pads[0], pads[2], reaches[0], strides[0]),
            _padding(node, pads[1], pads[3], reaches[1], strides[1]),
        ),
    )  # fmt: skip
    same = [
        padding is Padding.SAME and stride == 1
        for padding, stride in zip(layer.paddings, strides, strict=True)
    ]
    return _seen(builder, x, builder.add(layer, node), same, axis_of(kernel.shape[0]))


def pool_2d(builder: Builder, node: Node, x: Tensor, window: tuple[int, int]) -> Tensor:
    """MaxPool and AveragePool without padding."""
    edge = _channels_last(builder, node, x)
    name = builder.unique(node.role)
    layer = Pool2D(
        name=name, input=edge, output=name, window=window, strides=_pair(node, "strides"),
        kind=PoolKind.MAX if node.kind == "MaxPool" else PoolKind.AVERAGE,
    )  # fmt: skip
    return _seen(builder, x, builder.add(layer, node), [w == 1 for w in window], x.view[1])


def is_same(node: Node) -> bool:
    """Whether zeros let one result in `strides` stay, the odd one at the end, as in Keras."""
    return str(node.attribute("auto_pad", "NOTSET")) == "SAME_UPPER"


def pads_of(node: Node, axes: int) -> list[int]:
    """Zeros before each axis, then those after each.  Raises UnsupportedLayer."""
    auto = str(node.attribute("auto_pad", "NOTSET"))
    if auto not in ("NOTSET", "VALID"):
        raise node.unsupported(f"has auto_pad={auto}", "Give the padding in numbers")
    pads = node.integers("pads", [0] * (2 * axes))
    if len(pads) != 2 * axes or min(pads) < 0:
        raise node.unsupported(f"has the padding {pads}", "Pad by zero or more steps")
    return pads


def _pair(node: Node, name: str) -> tuple[int, int]:
    given = node.integers(name, [1, 1])
    if len(given) != 2 or min(given) < 1:
        raise node.damaged(f"has {name}={given}")
    return given[0], given[1]


def _padding(node: Node, before: int, after: int, reach: int, stride: int) -> Padding:
    if is_same(node):
        return Padding.SAME
    if not before and not after:
        return Padding.VALID
    if before == after and 2 * before == reach and stride == 1:
        return Padding.SAME
    raise node.unsupported(
        f"pads an axis by {before} and {after}",
        "Use padding='same' with an odd window and stride 1, or no padding",
    )


def _channels_last(builder: Builder, node: Node, x: Tensor) -> str:
    if len(x.view) != 4 or not is_batch(x.view[0]):
        raise node.unsupported(
            f"reads a value of {len(x.view)} axes", "Give it [batch, channels, rows, columns]"
        )
    return builder.arranged(x, tuple(x.view[at] for at in (0, 2, 3, 1)), node)


def _seen(builder: Builder, x: Tensor, edge: str, same: list[bool], channels: Axis) -> Tensor:
    batch, sizes = x.view[0], [builder.axis(edge, at) for at in (1, 2)]
    rows, columns = (
        old if kept else size for old, kept, size in zip(x.view[2:], same, sizes, strict=True)
    )
    return Tensor(
        edge=edge, axes=(batch, rows, columns, channels), view=(batch, channels, rows, columns)
    )
