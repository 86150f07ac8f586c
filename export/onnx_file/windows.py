"""Convolutions, pools and means over time, and the normalizations that belong to channels."""

from __future__ import annotations

import numpy as np

from edgernn.export.onnx_file.builder import Builder
from edgernn.export.onnx_file.elementwise import ABS, affine, computed
from edgernn.export.onnx_file.folding import axes_of, integers_of
from edgernn.export.onnx_file.images import convolution_2d, is_same, pads_of, pool_2d
from edgernn.export.onnx_file.layout import over_last
from edgernn.export.onnx_file.node import Node
from edgernn.export.onnx_file.values import (
    Axes,
    Axis,
    Tensor,
    Value,
    axis_of,
    bare,
    is_batch,
    size_of,
)
from edgernn.graph import (
    Conv1D,
    GlobalPool1D,
    LayerNorm,
    Padding,
    Pool1D,
    PoolKind,
    ZeroPad1D,
)


def convolution(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """Conv over time: x [B, C, T], weights [out, C / groups, window]."""
    x, kernel = computed(node, values[0]), values[1]
    bias = values[2] if len(values) > 2 else None
    if not isinstance(kernel, np.ndarray) or not isinstance(bias, np.ndarray | None):
        raise node.unsupported("has weights that the model computes", "Make them parameters")
    if kernel.ndim == 4:
        return [convolution_2d(builder, node, x, kernel, bias)]
    if kernel.ndim != 3:
        raise node.unsupported(
            f"convolves over {kernel.ndim - 2} axes", "Use torch.nn.Conv1d or Conv2d"
        )
    stride, dilation = (node.integers(n, [1])[0] for n in ("strides", "dilations"))
    window = kernel.shape[2]
    edge, time = _over_time(builder, x, node)
    left, right = (0, 0) if is_same(node) else pads_of(node, 1)
    reach = (window - 1) * dilation
    padding = Padding.SAME if is_same(node) else Padding.VALID
    if left and (left, right) == (reach, 0):
        padding = Padding.CAUSAL
    elif left and left == right and 2 * left == reach and stride == 1:
        padding = Padding.SAME
    elif left or right:
        edge = _zero_padded(builder, node, edge, left, right)
    name = builder.unique(node.role)
    layer = Conv1D(
        name=name, input=edge, output=name,
        kernel=np.ascontiguousarray(kernel.transpose(2, 1, 0), np.float32),
        bias=None if bias is None else np.ascontiguousarray(bias, np.float32),
        stride=stride, dilation=dilation, groups=node.integer("group", 1), padding=padding,
    )  # fmt: skip
    edge = builder.add(layer, node)
    same = padding is not Padding.VALID and stride == 1
    steps = time if same else builder.axis(edge, 1)
    return [_channels_last(x, edge, steps, axis_of(kernel.shape[0]))]


def pool(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """MaxPool and AveragePool over time."""
    x = computed(node, values[0])
    windows = node.integers("kernel_shape", ())
    if len(windows) not in (1, 2):
        raise node.unsupported(f"pools over {len(windows)} axes", "Use a pool over one or two axes")
    if node.integer("ceil_mode", 0) or set(node.integers("dilations", [1])) != {1}:
        raise node.unsupported("has ceil_mode or dilation", "Use a pool without them")
    if any(pads_of(node, len(windows))) or len([name for name in node.outputs if name]) > 1:
        raise node.unsupported("pads, or returns positions", "Use a pool with padding=0")
    if len(windows) == 2:
        return [pool_2d(builder, node, x, (windows[0], windows[1]))]
    edge, _ = _over_time(builder, x, node)
    name = builder.unique(node.role)
    layer = Pool1D(
        name=name, input=edge, output=name, window=windows[0],
        kind=PoolKind.MAX if node.kind == "MaxPool" else PoolKind.AVERAGE,
        stride=node.integers("strides", [1])[0],
    )  # fmt: skip
    edge = builder.add(layer, node)
    return [_channels_last(x, edge, builder.axis(edge, 1), x.view[1])]


def _over_time(builder: Builder, x: Tensor, node: Node) -> tuple[str, Axis]:
    """The edge [B, T, C] of a view [B, C, T], and the axis of time."""
    if len(x.view) != 3 or not is_batch(x.view[0]):
        raise node.unsupported(
            f"reads a value of {len(x.view)} axes", "Use 1-d layers over [batch, channels, time]"
        )
    return builder.arranged(x, (x.view[0], x.view[2], x.view[1]), node), x.view[2]


def _channels_last(x: Tensor, edge: str, steps: Axis, channels: Axis) -> Tensor:
    batch = x.view[0]
    return Tensor(edge=edge, axes=(batch, steps, channels), view=(batch, channels, steps))


def _zero_padded(builder: Builder, node: Node, edge: str, left: int, right: int) -> str:
    name = builder.unique(f"{node.role}/pad")
    layer = ZeroPad1D(name=name, input=edge, output=name, left=left, right=right)
    return builder.add(layer, node)


def padded(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """Pad with zeros around one axis."""
    x = computed(node, values[0])
    if len(values) > 1 and values[1] is not None:
        pads = integers_of(node, values[1])
    else:
        pads = node.integers("pads", ())
    number = values[2] if len(values) > 2 else None
    value = float(number.reshape(-1)[0]) if isinstance(number, np.ndarray) and number.size else 0.0
    if str(node.attribute("mode", "constant")) != "constant" or value or node.number("value", 0.0):
        raise node.unsupported("pads with other numbers than zeros", "Pad with zeros")
    rank = len(x.view)
    chosen = axes_of(node, values, 3)
    axes = [axis % rank for axis in chosen] if chosen is not None else list(range(rank))
    if len(pads) != 2 * len(axes) or min(pads, default=0) < 0:
        raise node.unsupported(f"has the padding {pads}", "Pad by zero or more steps")
    wide = [
        (axis, pads[at], pads[at + len(axes)])
        for at, axis in enumerate(axes)
        if pads[at] or pads[at + len(axes)]
    ]
    if not wide:
        return [x]
    others = [at for at in range(rank) if at != wide[0][0] and bare(x.view[at])]
    if len(wide) > 1 or rank != 3 or not others or not any(is_batch(x.view[at]) for at in others):
        raise node.unsupported("pads more than the axis of time", "Pad steps of time only")
    axis, left, right = wide[0]
    batch = next(at for at in range(rank) if is_batch(x.view[at]))
    (last,) = [at for at in range(rank) if at not in (axis, batch)]
    edge = builder.arranged(x, (x.view[batch], x.view[axis], x.view[last]), node)
    edge = _zero_padded(builder, node, edge, left, right)
    steps = builder.axis(edge, 1)
    view = tuple(steps if at == axis else old for at, old in enumerate(x.view))
    return [Tensor(edge=edge, axes=(x.view[batch], steps, x.view[last]), view=view)]


def reduced(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """ReduceMean, ReduceMax, ReduceSum, ReduceL1, GlobalAveragePool and GlobalMaxPool."""
    x = computed(node, values[0])
    if node.kind == "ReduceL1":
        x = builder.activated(x, ABS, node)
    rank = len(x.view)
    if node.kind.startswith("Global"):
        axes, keeps = list(range(2, rank)), True
    else:
        given = axes_of(node, values)
        if not given and node.integer("noop_with_empty_axes", 0):
            return [x]
        axes = [axis % rank for axis in given] if given else list(range(rank))
        keeps = bool(node.integer("keepdims", 1))
    if any(is_batch(x.view[at]) for at in axes):
        raise node.unsupported("reduces the rows of the batch", "Reduce each row by itself")
    batch = [at for at in range(rank) if is_batch(x.view[at])]
    rest = [at for at in range(rank) if at not in axes and at not in batch]
    if len(batch) != 1:
        raise node.unsupported("has the batch in no axis of its own", "Keep the batch axis")
    over: Axis = tuple(atom for at in axes for atom in bare(x.view[at]))
    kept: Axis = tuple(atom for at in rest for atom in bare(x.view[at]))
    edge = builder.arranged(x, (x.view[batch[0]], over, kept), node)
    name = builder.unique(node.role)
    kind = PoolKind.MAX if "Max" in node.kind else PoolKind.AVERAGE
    edge = builder.add(GlobalPool1D(name=name, input=edge, output=name, kind=kind), node)
    view: Axes = tuple(
        () if at in axes else axis for at, axis in enumerate(x.view) if keeps or at not in axes
    )
    result = Tensor(edge=edge, axes=(x.view[batch[0]], kept), view=view)
    if node.kind not in ("ReduceSum", "ReduceL1"):
        return [result]
    count = size_of(over)
    if count is None:
        raise node.unsupported("sums a free axis", "Take the mean over time, or fix its length")
    scale = np.array([count], np.float32)
    return [affine(builder, node, edge, result.axes, view, scale, 0 * scale)]


def batch_normalization(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta for each channel, axis 1."""
    x = computed(node, values[0])
    if node.integer("training_mode", 0) or len([name for name in node.outputs if name]) > 1:
        raise node.unsupported("is in training mode", "Call model.eval() before the export")
    arrays = values[1:5]
    if len(arrays) != 4 or not all(isinstance(array, np.ndarray) for array in arrays):
        raise node.unsupported("has statistics that the model computes", "Call model.eval()")
    gamma, beta, mean, variance = (np.asarray(array, np.float64) for array in arrays)
    scale = gamma / np.sqrt(variance + node.number("epsilon", 1e-5))
    offset = beta - mean * scale
    edge, wanted = over_last(builder, x, 1, node)
    return [
        affine(
            *(builder, node, edge, wanted, x.view),
            scale.astype(np.float32), offset.astype(np.float32),
        )
    ]  # fmt: skip


def layer_normalization(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """LayerNormalization over the trailing axes from `axis` on, taken as one."""
    x = computed(node, values[0])
    rank = len(x.view)
    axis = node.integer("axis", -1) % rank
    if axis != rank - 1:
        raise node.unsupported("normalizes several axes", "Use LayerNorm over the last axis")
    gamma, beta = (values[at] if len(values) > at else None for at in (1, 2))
    for part in (gamma, beta):
        if part is not None and not (isinstance(part, np.ndarray) and part.ndim == 1):
            raise node.unsupported("has weights that the model computes", "Make them parameters")
    edge, wanted = over_last(builder, x, -1, node)
    name = builder.unique(node.role)
    layer = LayerNorm(
        name=name, input=edge, output=name, epsilon=node.number("epsilon", 1e-5),
        gamma=None if gamma is None else np.asarray(gamma, np.float32),
        beta=None if beta is None else np.asarray(beta, np.float32),
    )  # fmt: skip
    return [Tensor(edge=builder.add(layer, node), axes=wanted, view=x.view)]
