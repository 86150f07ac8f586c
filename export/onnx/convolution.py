"""Windows over the time axis: convolution and pooling, channels first as in ONNX."""

from __future__ import annotations

import numpy as np
from typing_extensions import assert_never

from edgernn.export.onnx.activation import activate_result
from edgernn.export.onnx.builder import ABSENT, FLOAT, Attribute
from edgernn.export.onnx.edges import Edges, Form, Layout, int64
from edgernn.export.onnx.weights import weight
from edgernn.graph import (
    AnyArray,
    Conv1D,
    DType,
    GlobalPool1D,
    Padding,
    Pool1D,
    PoolKind,
    Upsample1D,
    ZeroPad1D,
    window_padding,
)

_CHANNELS_FIRST = Form(Layout.CHANNELS_TIME)


def conv1d(layer: Conv1D, edges: Edges) -> None:
    builder = edges.builder

    def outputs_first(kernel: AnyArray) -> AnyArray:
        return kernel.transpose(2, 1, 0)

    if edges.pairs is not None:
        kernel, scale = edges.pairs.matrix(layer, layer.kernel, outputs_first)
        bias = edges.pairs.bias(layer.bias, layer.input, scale)
    else:
        kernel = weight(builder, layer.kernel, outputs_first, key="conv")
        bias = ABSENT if layer.bias is None else weight(builder, layer.bias)
    window = (layer.kernel.shape[0] - 1) * layer.dilation + 1
    attributes = _padding(layer.padding, edges.spec(layer.input).shape[1], window, layer.stride)
    if layer.stride != 1:
        attributes["strides"] = [layer.stride]
    if layer.dilation != 1:
        attributes["dilations"] = [layer.dilation]
    if layer.groups != 1:
        attributes["group"] = layer.groups
    x = edges.read(layer.input, _CHANNELS_FIRST)
    result = builder.op("Conv", x, kernel, bias, name=layer.name, **attributes)
    activate_result(layer.activation, result, layer.output, edges, _CHANNELS_FIRST)


def pool1d(layer: Pool1D, edges: Edges) -> None:
    operator = {PoolKind.MAX: "MaxPool", PoolKind.AVERAGE: "AveragePool"}[layer.kind]
    steps = edges.spec(layer.input).shape[1]
    attributes = _padding(layer.padding, steps, layer.window, layer.stride)
    attributes |= {"kernel_shape": [layer.window], "strides": [layer.stride]}
    x = edges.read(layer.input, _CHANNELS_FIRST)
    result = edges.builder.op(operator, x, name=layer.name, **attributes)
    edges.define(layer.output, result, _CHANNELS_FIRST)


def _padding(padding: Padding, steps: int | None, window: int, stride: int) -> dict[str, Attribute]:
    """Pads as numbers if they are known, else a rule: SAME with a stride depends on time."""
    match padding:
        case Padding.VALID:
            return {}
        case Padding.CAUSAL:
            return {"pads": [window - 1, 0]}
        case Padding.SAME if stride == 1:
            return {"pads": [(window - 1) // 2, window // 2]}
        case Padding.SAME:
            if steps is None:
                return {"auto_pad": "SAME_UPPER"}
            return {"pads": list(window_padding(steps, window, stride))}
        case _:
            assert_never(padding)


def global_pool1d(layer: GlobalPool1D, edges: Edges) -> None:
    op = edges.builder.op
    if layer.kind is PoolKind.AVERAGE and layer.mask is not None:
        axes, keepdims = int64([1]), int(layer.keepdims)
        valid = op("Unsqueeze", edges.read(layer.mask), axes=int64([2]))
        zero = edges.builder.constant(np.zeros((), np.float32))
        kept = op("Where", valid, edges.read(layer.input), zero)
        total = op("ReduceSum", kept, axes=axes, keepdims=keepdims)
        ones = op("Cast", valid, to=FLOAT)
        count = op("ReduceSum", ones, axes=axes, keepdims=keepdims)
        edges.define(layer.output, op("Div", total, count, name=layer.name))
        return
    operator = {PoolKind.MAX: "ReduceMax", PoolKind.AVERAGE: "ReduceMean"}[layer.kind]
    x, form = edges.read_any(layer.input, *Layout)
    result = op(
        operator,
        x,
        name=layer.name,
        axes=int64([form.layout.position(1)]),
        keepdims=int(layer.keepdims),
    )
    edges.define(layer.output, result, form if layer.keepdims else Form())


def upsample1d(layer: Upsample1D, edges: Edges) -> None:
    """[B, T, C] tiled to [B, T, times * C] is [B, times * T, C] in memory; so is any axis.

    The axis behind the one that grows is tiled: [B, H, W, C] has W for rows and C for columns.
    """
    builder = edges.builder
    sizes = edges.spec(layer.input).shape
    behind = layer.axis + 1
    x = edges.read(layer.input)
    if behind == len(sizes):  # nothing is behind the last axis
        x = builder.op("Unsqueeze", x, axes=int64([behind]))
    tiles = [1] * max(len(sizes), behind + 1)
    tiles[behind] = layer.times
    tiled = builder.op("Tile", x, builder.constant(int64(tiles)))
    rest = sizes[behind:]
    leading = [0] * layer.axis + [-1]
    if None in rest:
        around = edges.sizes(layer.input, range(behind, len(sizes)))
        shape = builder.op("Concat", builder.constant(int64(leading)), around, axis=0)
    else:
        known = [size for size in rest if size is not None]
        shape = builder.constant(int64([*leading, *known]))
    edges.define(layer.output, builder.op("Reshape", tiled, shape, name=layer.name))


def zero_pad1d(layer: ZeroPad1D, edges: Edges) -> None:
    rank = edges.spec(layer.input).rank
    sides = [0] * (2 * rank)
    sides[layer.axis], sides[rank + layer.axis] = layer.left, layer.right
    pads = int64(sides)
    x = edges.read(layer.input)
    if edges.spec(layer.input).dtype is not DType.FLOAT32:
        edges.builder.needs(11)  # before, only floats are padded
    edges.define(layer.output, edges.builder.op("Pad", x, name=layer.name, pads=pads))
