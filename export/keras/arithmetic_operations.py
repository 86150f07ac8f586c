"""Operations on numbers: `x * 0.5 + y`, `keras.ops.clip`, sums and means, matrix products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from edgernn.export.keras import whole_numbers
from edgernn.export.keras.activations import named_activation
from edgernn.export.keras.call import Call, Tensor
from edgernn.export.keras.element_operations import quotient, reduced
from edgernn.export.keras.symbolic import (
    Translate,
    Value,
    constant,
    single_axis,
    tensor_of,
    two_arguments,
    unknown,
)
from edgernn.export.keras.whole_numbers import Whole, constant_of
from edgernn.export.limits import limited
from edgernn.graph import (
    LINEAR,
    Activate,
    Activation,
    ActivationKind,
    Affine,
    AnyArray,
    Dense,
    Dot,
    DType,
    FloatArray,
    GlobalPool1D,
    Merge,
    MergeKind,
    PoolKind,
    Slice,
)

_ONE: Final = np.ones(1, np.float32)
_ZERO: Final = np.zeros(1, np.float32)


def _whole(call: Call, value: Any) -> Whole | None:
    return call.builder.wholes.get(value.edge) if isinstance(value, Tensor) else None


def _noted(call: Call, value: Value, whole: Whole | None) -> Value:
    """The result of an operation that Keras computes in integers, if it does."""
    if isinstance(value, Tensor):
        call.builder.note_whole(value.edge, whole)
    return value


def _affine(call: Call, value: Any, scale: AnyArray, offset: AnyArray) -> Tensor:
    return _scaled(call, tensor_of(call, value).edge, scale, offset, call.name)


def _scaled(call: Call, edge: str, scale: AnyArray, offset: AnyArray, name: str) -> Tensor:
    call.add(Affine(
        name=name, input=edge, output=name,
        scale=np.asarray(scale, np.float32), offset=np.asarray(offset, np.float32),
    ))  # fmt: skip
    return Tensor(edge=name)


def _activated(call: Call, edge: str, function: Activation, name: str) -> Tensor:
    call.add(Activate(name=name, input=edge, output=name, activation=function))
    return Tensor(edge=name)


def _arithmetic(kind: MergeKind) -> Translate:
    def translate(call: Call, args: list[Any], _: dict[str, Any]) -> Value:
        left, right = two_arguments(call, args)
        match constant(left), constant(right):
            case (None, None):
                pair = (tensor_of(call, left).edge, tensor_of(call, right).edge)
                whole = whole_numbers.checked(call, kind, [_whole(call, left), _whole(call, right)])
                call.add(Merge(name=call.name, inputs=pair, output=call.name, kind=kind))
                return _noted(call, Tensor(edge=call.name), whole)
            case (None, array):
                whole = whole_numbers.checked(call, kind, [_whole(call, left), constant_of(right)])
                return _noted(call, _with_constant(call, kind, left, array), whole)
            case (array, None):
                whole = whole_numbers.checked(call, kind, [constant_of(left), _whole(call, right)])
                if kind is MergeKind.SUBTRACT:
                    return _noted(call, _affine(call, right, -_ONE, array), whole)
                return _noted(call, _with_constant(call, kind, right, array), whole)
            case _:
                return unknown(call)

    return translate


def _with_constant(call: Call, kind: MergeKind, value: Any, array: AnyArray) -> Value:
    match kind:
        case MergeKind.ADD:
            return _affine(call, value, _ONE, array)
        case MergeKind.SUBTRACT:
            return _affine(call, value, _ONE, -array)
        case MergeKind.MULTIPLY:
            return _affine(call, value, array, _ZERO)
        case MergeKind.MAXIMUM:
            return _limited(call, value, low=array)
        case MergeKind.MINIMUM:
            return _limited(call, value, high=array)
        case _:
            return unknown(call)


def _limited(
    call: Call, value: Any, *, low: FloatArray | None = None, high: FloatArray | None = None
) -> Tensor:
    tensor = tensor_of(call, value)
    layers = limited(tensor.edge, call.name, call.aside, low=low, high=high)
    for layer in layers:
        call.add(layer)
    return Tensor(edge=call.name) if layers else tensor


def _clip(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    bounds = [options.get(name) for name in ("x_min", "x_max")]
    low, high = (constant(bound) for bound in [*args[1:3], *bounds][:2])
    if low is None or high is None or low.size != 1 or high.size != 1 or not low < high:
        return unknown(call)
    whole = whole_numbers.clipped(call, _whole(call, args[0]), float(low[0]), float(high[0]))
    return _noted(call, _limited(call, args[0], low=low, high=high), whole)


def _divide(call: Call, args: list[Any], _: dict[str, Any]) -> Value:
    left, right = two_arguments(call, args)
    divisor = constant(right)
    if divisor is None:
        return quotient(call, left, right)
    if not divisor.all():
        return unknown(call, f"{call.layer.kind} by zero")
    return _affine(call, left, 1.0 / divisor.astype(np.float64), _ZERO)


def _negative(call: Call, args: list[Any], _: dict[str, Any]) -> Value:
    whole = whole_numbers.negated(call, _whole(call, args[0]))
    return _noted(call, _affine(call, args[0], -_ONE, _ZERO), whole)


def _square(call: Call, args: list[Any], _: dict[str, Any]) -> Value:
    edge, whole = tensor_of(call, args[0]).edge, _whole(call, args[0])
    product = whole_numbers.checked(call, MergeKind.MULTIPLY, [whole, whole])
    call.add(Merge(
        name=call.name, inputs=(edge, edge), output=call.name, kind=MergeKind.MULTIPLY
    ))  # fmt: skip
    return _noted(call, Tensor(edge=call.name), product)


def _power(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    base, exponent = two_arguments(call, args)
    array = constant(exponent)
    if array is None or array.size != 1 or array[0] != 2:
        return unknown(call, "Power other than 2")
    return _square(call, [base], options)


def _absolute(call: Call, args: list[Any], _: dict[str, Any]) -> Value:
    edge = tensor_of(call, args[0]).edge
    whole = whole_numbers.magnitude(call, _whole(call, args[0]))
    negative = _scaled(call, edge, -_ONE, _ZERO, call.aside("negative")).edge
    call.add(Merge(
        name=call.name, inputs=(edge, negative), output=call.name, kind=MergeKind.MAXIMUM
    ))  # fmt: skip
    return _noted(call, Tensor(edge=call.name), whole)


def _activation(name: str) -> Translate:
    def translate(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
        tensor = tensor_of(call, args[0])
        function = named_activation(call.layer, call.keras, name)
        if function == LINEAR:
            return tensor
        axis = options.get("axis")
        if axis is not None and function.kind in _OVER_AXIS:
            rank = call.builder.rank(tensor.edge)
            if type(axis) is not int or not axis % rank > 0:
                return unknown(call, f"{name} over axis {axis}")
            function = Activation(kind=function.kind, axis=axis)
        return _activated(call, tensor.edge, function, call.name)

    return translate


_OVER_AXIS: Final = (ActivationKind.SOFTMAX, ActivationKind.LOG_SOFTMAX)


def _gelu(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    # keras.ops.gelu approximates by default, tf.nn.gelu does not.
    approximate = options.get("approximate", call.keras.major >= 3)
    kind = ActivationKind.GELU_TANH if approximate else ActivationKind.GELU
    return _activated(call, tensor_of(call, args[0]).edge, Activation(kind=kind), call.name)


def _leaky_relu(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    # keras.ops calls it negative_slope, tf.nn.leaky_relu alpha; both leave out their 0.2.
    slope = constant(options.get("negative_slope", options.get("alpha", 0.2)))
    if slope is None or slope.size != 1:
        return unknown(call)
    function = Activation(kind=ActivationKind.RELU, alpha=float(slope[0]))
    return _activated(call, tensor_of(call, args[0]).edge, function, call.name)


def _over_an_axis(name: str, over_time: Callable[[Call, str, bool], Value]) -> Translate:
    """Mean, Sum or Max: over time, or (of what is linear) over the features."""

    def translate(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
        edge, whole = tensor_of(call, args[0]).edge, _whole(call, args[0])
        if call.builder.dtype(edge) is DType.BOOL:  # counts or averages what holds
            edge = call.builder.as_numbers(edge, call.layer)
        axis, rank = single_axis(options.get("axis")), call.builder.rank(edge)
        keepdims = bool(options.get("keepdims"))
        if name == "Mean" and whole is not None and call.keras.major < 3:
            raise whole_numbers.refusal(call.layer, "averages whole numbers")
        if type(axis) is int and axis in (1, 1 - rank) and rank == 3:
            return over_time(call, edge, keepdims)
        if type(axis) is int and axis in (-1, rank - 1) and name != "Max":
            return _over_features(call, edge, keepdims=keepdims, mean=name == "Mean")
        axis = options.get("axis")
        if name in _GENERAL:
            found = reduced(call, _GENERAL[name], edge, axis, keepdims=keepdims, name=call.name)
            if found is not None:
                return Tensor(edge=found)
        return unknown(call, f"{name} over axis {axis} of {rank}")

    return translate


_GENERAL: Final = {"Mean": PoolKind.AVERAGE, "Max": PoolKind.MAX}


def _pooled(kind: PoolKind) -> Callable[[Call, str, bool], Value]:
    def over_time(call: Call, edge: str, keepdims: bool) -> Value:
        call.add(GlobalPool1D(
            name=call.name, input=edge, output=call.name, kind=kind, keepdims=keepdims
        ))  # fmt: skip
        return Tensor(edge=call.name)

    return over_time


def _sum_over_time(call: Call, edge: str, keepdims: bool) -> Value:
    steps = call.builder.shape(edge)[1]
    if steps is None:
        return unknown(call, "Sum over a time that is not fixed")
    whole = whole_numbers.summed(call, call.builder.wholes.get(edge), steps)
    mean = call.aside("mean")
    call.add(GlobalPool1D(
        name=mean, input=edge, output=mean, kind=PoolKind.AVERAGE, keepdims=keepdims
    ))  # fmt: skip
    return _noted(call, _scaled(call, mean, steps * _ONE, _ZERO, call.name), whole)


def _over_features(call: Call, edge: str, *, keepdims: bool, mean: bool) -> Value:
    features = call.builder.shape(edge)[-1]
    if features is None:
        return unknown(call)
    whole = call.builder.wholes.get(edge)
    total = None if mean else whole_numbers.summed(call, whole, features)
    kernel = np.full((features, 1), 1.0 / features if mean else 1.0, np.float32)
    name = call.name if keepdims else call.aside("kept")
    call.add(Dense(name=name, input=edge, output=name, kernel=kernel, bias=None))
    if not keepdims:
        axis = call.builder.rank(edge) - 1
        call.add(Slice(
            name=call.name, input=name, output=call.name, axis=axis, stop=1, squeeze=True
        ))  # fmt: skip
    return _noted(call, Tensor(edge=call.name), total)


def _matmul(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    left, right = (tensor_of(call, value).edge for value in two_arguments(call, args))
    if (call.builder.rank(left), call.builder.rank(right)) != (3, 3):
        return unknown(call, "Matmul of tensors that do not both have three axes")
    if options.get("adjoint_a") or options.get("adjoint_b"):
        return unknown(call)
    call.add(Dot(
        name=call.name, left=left, right=right, output=call.name,
        left_axis=1 if options.get("transpose_a") else 2,
        right_axis=2 if options.get("transpose_b") else 1,
    ))  # fmt: skip
    return Tensor(edge=call.name)


_NAMED_ACTIVATIONS: Final = {
    "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softmax": "softmax",
    "LogSoftmax": "log_softmax", "Softplus": "softplus", "Softsign": "softsign", "Silu": "silu",
    "HardSigmoid": "hard_sigmoid", "HardSilu": "hard_silu", "Selu": "selu", "Exp": "exponential",
}  # fmt: skip

ARITHMETIC: Final[dict[str, Translate]] = {
    "Add": _arithmetic(MergeKind.ADD),
    "Subtract": _arithmetic(MergeKind.SUBTRACT),
    "Multiply": _arithmetic(MergeKind.MULTIPLY),
    "Maximum": _arithmetic(MergeKind.MAXIMUM),
    "Minimum": _arithmetic(MergeKind.MINIMUM),
    "Divide": _divide,
    "TrueDivide": _divide,
    "Negative": _negative,
    "Square": _square,
    "Power": _power,
    "Absolute": _absolute,
    "Clip": _clip,
    "Matmul": _matmul,
    "Mean": _over_an_axis("Mean", _pooled(PoolKind.AVERAGE)),
    "Max": _over_an_axis("Max", _pooled(PoolKind.MAX)),
    "Sum": _over_an_axis("Sum", _sum_over_time),
    "Gelu": _gelu,
    "LeakyRelu": _leaky_relu,
    **{kind: _activation(name) for kind, name in _NAMED_ACTIVATIONS.items()},
}
