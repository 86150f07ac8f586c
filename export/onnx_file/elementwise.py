"""Operators that treat each number by itself: activations, sums, products with constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from edgernn.export.limits import is_no_high, limited
from edgernn.export.onnx_file.builder import Builder, ordered
from edgernn.export.onnx_file.layout import over_last
from edgernn.export.onnx_file.node import Node
from edgernn.export.onnx_file.values import (
    Array,
    Axes,
    Axis,
    Tensor,
    Value,
    bare,
    distinct,
    is_batch,
    size_of,
)
from edgernn.graph import (
    LINEAR,
    RELU,
    SIGMOID,
    TANH,
    Activate,
    Activation,
    ActivationKind,
    Affine,
    Dense,
    FloatArray,
    Merge,
    MergeKind,
    PRelu,
)

K = ActivationKind
ABS: Final = Activation(kind=K.RELU, alpha=-1.0)

_PLAIN: Final = {
    "Relu": RELU, "Sigmoid": SIGMOID, "Tanh": TANH,
    "Softplus": Activation(kind=K.SOFTPLUS), "Softsign": Activation(kind=K.SOFTSIGN),
    "HardSwish": Activation(kind=K.HARD_SILU), "Mish": Activation(kind=K.MISH),
    "Exp": Activation(kind=K.EXPONENTIAL), "Swish": Activation(kind=K.SILU),
    "Sqrt": Activation(kind=K.SQRT), "Log": Activation(kind=K.LOGARITHM),
    "Reciprocal": Activation(kind=K.RECIPROCAL), "Abs": ABS,
}  # fmt: skip

_POWERS: Final = {1.0: K.LINEAR, 0.5: K.SQRT, -0.5: K.RSQRT, -1.0: K.RECIPROCAL}

_MERGES: Final = {
    "Add": MergeKind.ADD, "Sub": MergeKind.SUBTRACT, "Mul": MergeKind.MULTIPLY,
    "Div": MergeKind.MULTIPLY,  # by the reciprocal
    "Max": MergeKind.MAXIMUM, "Min": MergeKind.MINIMUM, "Sum": MergeKind.ADD,
}  # fmt: skip


def activation(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """Relu, Sigmoid, Tanh, Elu, LeakyRelu, Gelu, Clip, ..."""
    x = computed(node, values[0])
    return [builder.activated(x, _function(node), node)]


def _function(node: Node) -> Activation:
    match node.kind:
        case "LeakyRelu":
            return Activation(kind=K.RELU, alpha=node.number("alpha", 0.01))
        case "Elu":
            return Activation(kind=K.ELU, alpha=node.number("alpha", 1.0))
        case "Selu":
            usual = abs(node.number("alpha", 1.6732632)) - 1.6732632 < 1e-5
            if not usual or abs(node.number("gamma", 1.050701) - 1.050701) > 1e-5:
                raise node.unsupported("has its own alpha or gamma", "Use the usual SELU")
            return Activation(kind=K.SELU)
        case "HardSigmoid":
            return Activation(
                kind=K.HARD_SIGMOID, alpha=node.number("alpha", 0.2), beta=node.number("beta", 0.5)
            )
        case "Gelu":
            is_tanh = str(node.attribute("approximate", "none")) == "tanh"
            return Activation(kind=K.GELU_TANH if is_tanh else K.GELU)
        case _:
            return _PLAIN[node.kind]


def power(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """Pow: squares, roots and their reciprocals."""
    x, given = computed(node, values[0]), values[1]
    exponent = 0.0
    if isinstance(given, np.ndarray) and given.size == 1:
        exponent = float(given.reshape(-1)[0])
    if exponent == 2.0:
        name = builder.unique(node.role)
        layer = Merge(name=name, inputs=(x.edge,) * 2, output=name, kind=MergeKind.MULTIPLY)
        return [replace(x, edge=builder.add(layer, node))]
    if exponent not in _POWERS:
        raise node.unsupported(
            f"has the exponent {exponent:g}" if exponent else "has exponents of its own",
            "Use squares, square roots and products",
        )
    return [builder.activated(x, Activation(kind=_POWERS[exponent]), node)]


def clipped(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """Clip: from below, from above, or both."""
    x = computed(node, values[0])
    low, high = _clip_limits(node, values)
    if low is not None and high is not None and low > high:
        raise node.damaged(f"clips from {low} to {high}")
    if low == 0.0:
        highest = None if high is None or is_no_high(np.array([high], np.float32)) else high
        return [builder.activated(x, Activation(kind=K.RELU, max_value=highest), node)]
    limits = [None if limit is None else np.array([limit], np.float32) for limit in (low, high)]
    return [replace(x, edge=_limited(builder, node, x.edge, *limits))]


def _limited(
    builder: Builder, node: Node, edge: str, low: FloatArray | None, high: FloatArray | None
) -> str:
    name = builder.unique(node.role)
    layers = limited(
        edge, name, lambda purpose: builder.unique(f"{name}/{purpose}"), low=low, high=high
    )
    for layer in layers:
        builder.add(layer, node)
    return name if layers else edge


def _clip_limits(node: Node, values: list[Value | None]) -> tuple[float | None, float | None]:
    limits: list[float | None] = []
    for at, name in enumerate(("min", "max"), start=1):
        given = values[at] if len(values) > at else None
        if given is not None and not isinstance(given, np.ndarray):
            raise node.unsupported("has limits that the model computes", "Clip at numbers")
        if isinstance(given, np.ndarray):
            limits.append(float(given.reshape(-1)[0]))
        else:
            limits.append(node.number(name, 0.0) if node.has(name) else None)
    return limits[0], limits[1]


def softmax(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """Softmax and LogSoftmax over one axis; before opset 13 over all from `axis` on."""
    x = computed(node, values[0])
    rank = len(x.view)
    axis = node.integer("axis", -1 if node.opset >= 13 else 1) % rank
    if node.opset < 13 and any(size_of(bare(one)) != 1 for one in x.view[axis + 1 :]):
        raise node.unsupported("runs over several axes", "Export it with opset_version=17")
    edge, wanted = over_last(builder, x, axis, node)
    kind = K.SOFTMAX if node.kind == "Softmax" else K.LOG_SOFTMAX
    return [builder.activated(replace(x, edge=edge, axes=wanted), Activation(kind=kind), node)]


def prelu(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    x, slope = computed(node, values[0]), values[1]
    if not isinstance(slope, np.ndarray):
        raise node.unsupported("has a slope that the model computes", "Make it a parameter")
    edge, axes, alpha = with_constant(builder, x, slope, node)
    name = builder.unique(node.role)
    layer = PRelu(name=name, input=edge, output=name, alpha=alpha)
    return [Tensor(edge=builder.add(layer, node), axes=axes, view=x.view)]


def computed(node: Node, value: Value | None) -> Tensor:
    """The value of an argument that a layer works on.  Raises UnsupportedLayer for a constant."""
    if not isinstance(value, Tensor):
        raise node.unsupported(
            "reads sizes or numbers of the file as its input",
            "Compute with the inputs of the model only, not with their shapes",
        )
    return value


def binary(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    """Add, Sub, Mul, Div, Max, Min: of two computed values, or of one and a constant."""
    if len(values) == 1:
        return [computed(node, values[0])]
    if len(values) != 2:
        raise node.unsupported(f"takes {len(values)} values", "Combine two values at a time")
    left, right = values
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return [_merged(builder, node, left, right)]
    if isinstance(left, Tensor) and isinstance(right, np.ndarray):
        return [_by_constant(builder, node, left, right, constant_first=False)]
    if isinstance(right, Tensor) and isinstance(left, np.ndarray):
        return [_by_constant(builder, node, right, left, constant_first=True)]
    raise node.unsupported("computes with a shape", "Keep sizes out of the arithmetic of forward()")


def _merged(builder: Builder, node: Node, left: Tensor, right: Tensor) -> Tensor:
    if node.kind == "Div":
        right = replace(right, edge=_reciprocal(builder, node, right.edge))
    return combined(builder, node, _MERGES[node.kind], left, right)


def combined(builder: Builder, node: Node, kind: MergeKind, *values: Tensor) -> Tensor:
    """Values element by element, as numpy broadcasts them."""
    edges, axes, view = aligned(builder, node, values)
    name = builder.unique(node.role)
    layer = Merge(name=name, inputs=tuple(edges), output=name, kind=kind)
    return Tensor(edge=builder.add(layer, node), axes=axes, view=view)


def aligned(
    builder: Builder, node: Node, tensors: Sequence[Tensor]
) -> tuple[list[str], Axes, Axes]:
    """Edges whose axes go together, these axes, and how the file sees what is made of them."""
    rank = max(len(one.view) for one in tensors)
    tensors = [one.seen_as(((),) * (rank - len(one.view)) + one.view) for one in tensors]
    wide = [at for at in range(rank) if any(bare(one.view[at]) for one in tensors)]
    order = ordered(tensors[0], wide)
    order.sort(key=lambda at: not any(is_batch(one.view[at]) for one in tensors))
    edges = [builder.arranged(one, tuple(one.view[at] for at in order), node) for one in tensors]
    last = tensors[-1]
    view: Axes = distinct(
        tuple(
            next((one.view[at] for one in tensors if bare(one.view[at])), last.view[at])
            for at in range(rank)
        )
    )
    return edges, tuple(view[at] for at in order), view


def _reciprocal(builder: Builder, node: Node, edge: str) -> str:
    name = builder.unique(f"{node.role}/reciprocal")
    function = Activation(kind=K.RECIPROCAL)
    return builder.add(Activate(name=name, input=edge, output=name, activation=function), node)


def _by_constant(
    builder: Builder, node: Node, x: Tensor, constant: Array, *, constant_first: bool
) -> Tensor:
    if constant.size and constant.dtype.kind in "iu" and constant.ndim == 0:
        constant = constant.astype(np.float32)
    if node.kind == "Add" and (fused := _as_bias(builder, node, x, constant)):
        return fused
    edge, axes, numbers = with_constant(builder, x, constant, node)
    one, zero = np.ones_like(numbers), np.zeros_like(numbers)
    if node.kind in ("Max", "Min"):
        low, high = (numbers, None) if node.kind == "Max" else (None, numbers)
        return Tensor(edge=_limited(builder, node, edge, low, high), axes=axes, view=x.view)
    match node.kind, constant_first:
        case "Add" | "Sum", _:
            scale, offset = one, numbers
        case "Sub", False:
            scale, offset = one, -numbers
        case "Sub", True:
            scale, offset = -one, numbers
        case "Mul", _:
            scale, offset = numbers, zero
        case "Div", True:
            edge, scale, offset = _reciprocal(builder, node, edge), numbers, zero
        case "Div", False:
            if not numbers.all():
                raise node.damaged("divides by zero")
            scale, offset = (1 / numbers.astype(np.float64)).astype(np.float32), zero
        case _:
            raise node.unsupported(
                "combines a value and a constant", "Use a sum, a product or relu instead"
            )
    return affine(builder, node, edge, axes, x.view, scale, offset)


def affine(
    builder: Builder, node: Node, edge: str, axes: Axes, view: Axes, scale: FloatArray,
    offset: FloatArray,
) -> Tensor:  # fmt: skip
    name = builder.unique(node.role)
    layer = Affine(name=name, input=edge, output=name, scale=scale, offset=offset)
    return Tensor(edge=builder.add(layer, node), axes=axes, view=view)


def negated(builder: Builder, node: Node, values: list[Value | None]) -> list[Value]:
    x = computed(node, values[0])
    one = np.ones(1, np.float32)
    return [affine(builder, node, x.edge, x.axes, x.view, -one, 0 * one)]


def _as_bias(builder: Builder, node: Node, x: Tensor, constant: Array) -> Tensor | None:
    """The bias of the Dense before, which the exporter wrote as MatMul and Add."""
    writer = builder.writer(x.edge)
    read_once = all(builder.uses.get(name, 2) == 1 for name in node.inputs if name in builder.uses)
    if (
        not isinstance(writer, Dense)
        or writer.bias is not None
        or writer.activation != LINEAR
        or not read_once
        or x.edge in builder.shared
        or constant.size != writer.kernel.shape[1]
        or constant.shape[-1:] != (constant.size,)
        or bare(x.view[-1]) != bare(x.axes[-1])
    ):
        return None
    bias = np.ascontiguousarray(constant.reshape(-1), np.float32)
    builder.change(writer, replace(writer, bias=bias))
    return x


def with_constant(
    builder: Builder, x: Tensor, constant: Array, node: Node
) -> tuple[str, Axes, FloatArray]:
    """An edge, its axes, and the constant shaped so that numpy broadcasts one to the other."""
    rank = len(x.view)
    if constant.dtype.kind != "f":
        raise node.unsupported("computes with integers", "Compute with float32 numbers")
    if constant.ndim > rank:
        raise node.unsupported("gives a value more axes", "Reshape the value before")
    shape = (1,) * (rank - constant.ndim) + constant.shape
    for axis, size in zip(x.view, shape, strict=True):
        whole = size_of(bare(axis))
        if size != 1 and (is_batch(axis) or size != whole):
            raise node.unsupported(
                f"meets a constant of shape {constant.shape} that does not fit each row",
                "Use constants with one number, or with one for each feature",
            )
    numbers = constant.reshape(shape).astype(np.float32)
    if constant.size == 1:
        return x.edge, x.axes, numbers.reshape(1)
    wide = ordered(x, [at for at in range(rank) if bare(x.view[at])])
    wide.sort(key=lambda at: not is_batch(x.view[at]))
    axes: tuple[Axis, ...] = tuple(x.view[at] for at in wide)
    edge = builder.arranged(x, axes, node)
    rest = [at for at in range(rank) if at not in wide]
    numbers = numbers.transpose(*wide, *rest).reshape([shape[at] for at in wide])
    while numbers.ndim > 1 and numbers.shape[0] == 1:
        numbers = numbers[0]
    return edge, axes, np.ascontiguousarray(numbers)
