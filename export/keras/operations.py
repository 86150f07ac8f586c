"""Operations of Keras 3 (`x * 2`, `x[:, -1]`, masks) and Keras 2's TFOpLambda and SlicingOpLambda.

An operation that has no translation gives an `Unknown`, and only what uses that is refused: the
config of a masked model is full of operations that nothing but a mask reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from edgernn.export.keras.activations import named_activation
from edgernn.export.keras.call import Call, Tensor
from edgernn.export.keras.mask_operations import (
    MASK_OPERATIONS,
    Joined,
    Spread,
    Unknown,
    Value,
    constant,
    spread,
    two_arguments,
)
from edgernn.graph import (
    LINEAR,
    Activate,
    Activation,
    ActivationKind,
    Affine,
    Concatenate,
    GlobalPool1D,
    Merge,
    MergeKind,
    PoolKind,
    Reshape,
    Reverse,
    Slice,
    Transpose,
)


def operation(call: Call, args: Sequence[Any], kwargs: dict[str, Any]) -> Value:
    """What an operation makes of its arguments (Values, numbers, lists)."""
    kind = call.layer.kind
    if kind in ("TFOpLambda", "SlicingOpLambda"):
        kind = _lambda_kind(call)
        args = [*args, kwargs["y"]] if "y" in kwargs else args  # TensorFlow's second operand
        kwargs = {key: value for key, value in kwargs.items() if key not in ("y", "name")}
    translate = _OPERATIONS.get(kind)
    if translate is None or any(isinstance(value, Unknown) for value in args):
        return Unknown(operation=kind, layer=call.layer.name)
    return translate(call, list(args), {**call.layer.options, **kwargs})


def _tensor(call: Call, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    raise call.layer.unsupported(
        "computes with something that is not a tensor of numbers", "Use layers instead"
    )


def _affine(call: Call, value: Any, scale: Any, offset: Any) -> Value:
    tensor = _tensor(call, value)
    call.add(Affine(
        name=call.name, input=tensor.edge, output=call.name,
        scale=np.asarray(scale, np.float32), offset=np.asarray(offset, np.float32),
    ))  # fmt: skip
    return Tensor(edge=call.name)


_ONE: Final = np.ones(1, np.float32)
_ZERO: Final = np.zeros(1, np.float32)


def _arithmetic(kind: MergeKind) -> _Translate:
    def translate(call: Call, args: list[Any], _: dict[str, Any]) -> Value:
        left, right = two_arguments(call, args)
        constants = constant(left), constant(right)
        match constants:
            case (None, None):
                pair = (_tensor(call, left).edge, _tensor(call, right).edge)
                call.add(Merge(name=call.name, inputs=pair, output=call.name, kind=kind))
                return Tensor(edge=call.name)
            case (None, array):
                return _with_constant(call, kind, left, array)
            case (array, None) if kind is MergeKind.SUBTRACT:
                return _affine(call, right, -_ONE, array)
            case (array, None):
                return _with_constant(call, kind, right, array)
            case _:
                return Unknown(operation=call.layer.kind, layer=call.layer.name)

    return translate


def _with_constant(call: Call, kind: MergeKind, tensor: Any, array: Any) -> Value:
    match kind:
        case MergeKind.ADD:
            return _affine(call, tensor, _ONE, array)
        case MergeKind.SUBTRACT:
            return _affine(call, tensor, _ONE, -array)
        case MergeKind.MULTIPLY:
            return _affine(call, tensor, array, _ZERO)
        case _:
            return Unknown(operation=call.layer.kind, layer=call.layer.name)


def _divide(call: Call, args: list[Any], _: dict[str, Any]) -> Value:
    left, right = two_arguments(call, args)
    divisor = constant(right)
    if divisor is None or not divisor.all():
        return Unknown(operation=call.layer.kind, layer=call.layer.name)
    return _affine(call, left, 1.0 / divisor.astype(np.float64), _ZERO)


def _negative(call: Call, args: list[Any], _: dict[str, Any]) -> Value:
    return _affine(call, args[0], -_ONE, _ZERO)


def _get_item(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    key = options.get("slice_spec", options.get("key", args[1] if len(args) > 1 else None))
    tensor = _tensor(call, args[0])
    rank = call.builder.rank(tensor.edge)
    parts = list(key) if isinstance(key, list | tuple) else [key]
    if Ellipsis in parts:
        position = parts.index(Ellipsis)
        missing = rank - (len(parts) - 1)
        parts[position : position + 1] = [slice(None)] * missing
    edge, axis = tensor.edge, 0
    for part in parts:
        taken = _slice(call, edge, axis, part)
        if taken is None:
            return Unknown(operation=f"indexing with {part!r}", layer=call.layer.name)
        edge = taken
        axis += 0 if isinstance(part, int) else 1
    return Tensor(edge=edge)


def _slice(call: Call, edge: str, axis: int, part: Any) -> str | None:
    """One axis of an index; None where there is no translation."""
    if isinstance(part, dict):  # SlicingOpLambda
        part = slice(part.get("start"), part.get("stop"), part.get("step"))
    bounds = (part.start, part.stop, part.step) if isinstance(part, slice) else (part,)
    if any(bound is not None and type(bound) is not int for bound in bounds):
        return None
    if part == slice(None):
        return edge
    if axis == 0 or part is None or axis >= call.builder.rank(edge):
        return None
    name = call.aside(f"axis{axis}")
    if isinstance(part, int):
        stop = part + 1 if part != -1 else None
        call.add(Slice(
            name=name, input=edge, output=name, axis=axis, start=part, stop=stop, squeeze=True
        ))  # fmt: skip
    elif part == slice(None, None, -1) and axis == 1:
        call.add(Reverse(name=name, input=edge, output=name))
    elif part.step is None or part.step > 0:
        call.add(Slice(
            name=name, input=edge, output=name, axis=axis, start=part.start or 0, stop=part.stop,
            step=part.step or 1,
        ))  # fmt: skip
    else:
        return None
    return name


def _activation(name: str) -> _Translate:
    def translate(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
        tensor = _tensor(call, args[0])
        function = named_activation(call.layer, call.keras, name)
        if options.get("axis") not in (None, -1, call.builder.rank(tensor.edge) - 1):
            return Unknown(operation=f"{name} over another axis", layer=call.layer.name)
        if function == LINEAR:
            return tensor
        call.add(Activate(
            name=call.name, input=tensor.edge, output=call.name, activation=function
        ))  # fmt: skip
        return Tensor(edge=call.name)

    return translate


def _expand_dims(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    axis = options.get("axis")
    tensor = args[0]
    spread_mask = spread(call, tensor, axis)
    if spread_mask is not None:
        return spread_mask
    if not isinstance(tensor, Tensor) or type(axis) is not int:
        return Unknown(operation="ExpandDims", layer=call.layer.name)
    shape = call.builder.shape(tensor.edge)
    axis %= len(shape) + 1
    if axis == 0 or shape[1:].count(None) > 1:
        return Unknown(operation="ExpandDims", layer=call.layer.name)
    sizes = [-1 if size is None else size for size in shape[1:]]
    sizes.insert(axis - 1, 1)
    call.add(Reshape(name=call.name, input=tensor.edge, output=call.name, target=tuple(sizes)))
    return Tensor(edge=call.name)


def _concatenate(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    parts = args[0] if args else None
    axis = options.get("axis", -1)
    if not isinstance(parts, list) or not parts or type(axis) is not int:
        return Unknown(operation="Concatenate", layer=call.layer.name)
    if all(isinstance(part, Spread) for part in parts):
        return Joined(parts=tuple(parts), axis=axis)
    if not all(isinstance(part, Tensor) for part in parts) or axis == 0:
        return Unknown(operation="Concatenate", layer=call.layer.name)
    edges = tuple(part.edge for part in parts)
    call.add(Concatenate(name=call.name, inputs=edges, output=call.name, axis=axis))
    return Tensor(edge=call.name)


def _pooled(kind: PoolKind) -> _Translate:
    """Mean or Max over time."""

    def translate(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
        tensor = _tensor(call, args[0])
        axis = options.get("axis")
        axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
        if axis not in (1, -2) or call.builder.rank(tensor.edge) != 3:
            return Unknown(operation=call.layer.kind, layer=call.layer.name)
        call.add(GlobalPool1D(
            name=call.name, input=tensor.edge, output=call.name, kind=kind,
            keepdims=bool(options.get("keepdims")),
        ))  # fmt: skip
        return Tensor(edge=call.name)

    return translate


def _squeeze(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    tensor = _tensor(call, args[0])
    axis, shape = options.get("axis"), call.builder.shape(tensor.edge)
    if type(axis) is not int or axis % len(shape) == 0 or shape[axis] != 1:
        return Unknown(operation="Squeeze", layer=call.layer.name)
    call.add(Slice(
        name=call.name, input=tensor.edge, output=call.name, axis=axis % len(shape), stop=1,
        squeeze=True,
    ))  # fmt: skip
    return Tensor(edge=call.name)


def _flip(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    tensor = _tensor(call, args[0])
    if options.get("axis") not in (1, [1]):
        return Unknown(operation="Flip", layer=call.layer.name)
    call.add(Reverse(name=call.name, input=tensor.edge, output=call.name))
    return Tensor(edge=call.name)


def _transpose(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    tensor = _tensor(call, args[0])
    order = options.get("axes", options.get("perm"))
    if not isinstance(order, list | tuple) or not all(type(axis) is int for axis in order):
        return Unknown(operation="Transpose", layer=call.layer.name)
    permutation = tuple(order)
    call.add(Transpose(
        name=call.name, input=tensor.edge, output=call.name, permutation=permutation
    ))  # fmt: skip
    return Tensor(edge=call.name)


def _same(_call: Call, args: list[Any], _: dict[str, Any]) -> Value:
    return args[0]  # type: ignore[no-any-return]


def _gelu(call: Call, args: list[Any], options: dict[str, Any]) -> Value:
    # keras.ops.gelu approximates unless told otherwise, tf.nn.gelu the other way round.
    approximate = options.get("approximate", call.keras.major >= 3)
    kind = ActivationKind.GELU_TANH if approximate else ActivationKind.GELU
    edge = _tensor(call, args[0]).edge
    function = Activation(kind=kind)
    call.add(Activate(name=call.name, input=edge, output=call.name, activation=function))
    return Tensor(edge=call.name)


_Translate: TypeAlias = Callable[[Call, list[Any], dict[str, Any]], Value]

_NAMED_ACTIVATIONS: Final = {
    "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softmax": "softmax",
    "LogSoftmax": "log_softmax", "Softplus": "softplus", "Softsign": "softsign", "Silu": "silu",
    "HardSigmoid": "hard_sigmoid", "HardSilu": "hard_silu", "Selu": "selu", "Exp": "exponential",
}  # fmt: skip

_OPERATIONS: Final[dict[str, _Translate]] = {
    "Add": _arithmetic(MergeKind.ADD),
    "Subtract": _arithmetic(MergeKind.SUBTRACT),
    "Multiply": _arithmetic(MergeKind.MULTIPLY),
    "Maximum": _arithmetic(MergeKind.MAXIMUM),
    "Minimum": _arithmetic(MergeKind.MINIMUM),
    "Divide": _divide,
    "TrueDivide": _divide,
    "Negative": _negative,
    "GetItem": _get_item,
    **MASK_OPERATIONS,
    "ExpandDims": _expand_dims,
    "Concatenate": _concatenate,
    "Squeeze": _squeeze,
    "Gelu": _gelu,
    "Mean": _pooled(PoolKind.AVERAGE),
    "Max": _pooled(PoolKind.MAX),
    "Flip": _flip,
    "Transpose": _transpose,
    "ConvertToTensor": _same,
    "StopGradient": _same,
    **{kind: _activation(name) for kind, name in _NAMED_ACTIVATIONS.items()},
}

#: TensorFlow functions that Keras 2 records, by the name of the same operation in Keras 3.
_TENSORFLOW: Final = {
    "__operators__.add": "Add", "math.add": "Add", "math.subtract": "Subtract",
    "math.multiply": "Multiply", "math.truediv": "TrueDivide", "math.divide": "TrueDivide",
    "math.maximum": "Maximum", "math.minimum": "Minimum", "math.negative": "Negative",
    "__operators__.getitem": "GetItem", "concat": "Concatenate", "expand_dims": "ExpandDims",
    "squeeze": "Squeeze", "transpose": "Transpose", "math.reduce_mean": "Mean",
    "math.reduce_max": "Max",
    "nn.relu": "Relu", "nn.relu6": "Relu6", "math.sigmoid": "Sigmoid", "math.tanh": "Tanh",
    "nn.softmax": "Softmax", "nn.silu": "Silu", "math.softplus": "Softplus", "nn.gelu": "Gelu",
    "nn.selu": "Selu", "math.exp": "Exp", "reverse": "Flip", "stop_gradient": "StopGradient",
}  # fmt: skip


def _lambda_kind(call: Call) -> str:
    function = str(call.layer.options.get("function"))
    return _TENSORFLOW.get(function, function)
