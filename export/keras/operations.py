"""Operations of Keras 3 (`x * 2`, `x[:, -1]`, masks) and Keras 2's TFOpLambda and SlicingOpLambda.

An operation without a translation returns an `Unknown`, and only layers that use it are refused:
the config of a masked model contains many operations that only masks use.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from edgernn.export.keras.arithmetic_operations import ARITHMETIC
from edgernn.export.keras.call import Call
from edgernn.export.keras.choice_operations import CHOICES
from edgernn.export.keras.element_operations import ELEMENTS
from edgernn.export.keras.mask_operations import MASK_OPERATIONS, as_tensor
from edgernn.export.keras.shape_operations import SHAPES
from edgernn.export.keras.symbolic import Translate, Unknown, Value, unknown

OPERATIONS: Final[dict[str, Translate]] = {
    **ARITHMETIC,
    **CHOICES,
    **ELEMENTS,
    **SHAPES,
    **MASK_OPERATIONS,
}

#: Operations that take masks as they are: those between them are never computed if nothing reads
#: them.
_OF_MASKS: Final = {*MASK_OPERATIONS, "ExpandDims", "Concatenate", "Identity", "StopGradient"}

#: TensorFlow functions that Keras 2 records, by the name of the same operation in Keras 3.
_TENSORFLOW: Final = {
    "__operators__.add": "Add", "math.add": "Add", "math.subtract": "Subtract",
    "math.multiply": "Multiply", "math.truediv": "TrueDivide", "math.divide": "TrueDivide",
    "math.maximum": "Maximum", "math.minimum": "Minimum", "math.negative": "Negative",
    "math.square": "Square", "math.pow": "Power", "math.abs": "Absolute", "clip_by_value": "Clip",
    "linalg.matmul": "Matmul", "math.reduce_mean": "Mean", "math.reduce_max": "Max",
    "math.reduce_sum": "Sum", "math.not_equal": "NotEqual", "math.reduce_any": "Any",
    "math.logical_and": "LogicalAnd", "math.logical_or": "LogicalOr",
    "__operators__.getitem": "GetItem", "concat": "Concatenate", "expand_dims": "ExpandDims",
    "squeeze": "Squeeze", "compat.v1.squeeze": "Squeeze", "transpose": "Transpose",
    "compat.v1.transpose": "Transpose", "reshape": "Reshape", "stack": "Stack",
    "split": "Split", "cast": "Cast", "identity": "Identity", "reverse": "Flip",
    "convert_to_tensor": "ConvertToTensor", "stop_gradient": "StopGradient",
    "nn.relu": "Relu", "nn.relu6": "Relu6", "math.sigmoid": "Sigmoid", "math.tanh": "Tanh",
    "nn.softmax": "Softmax", "nn.silu": "Silu", "math.softplus": "Softplus", "nn.gelu": "Gelu",
    "nn.selu": "Selu", "nn.leaky_relu": "LeakyRelu", "math.exp": "Exp",
    "nn.elu": "Elu", "math.sqrt": "Sqrt",
    "math.rsqrt": "Rsqrt", "math.log": "Log", "math.reciprocal": "Reciprocal",
    "math.reduce_min": "Min", "math.reduce_variance": "Var", "math.reduce_std": "Std",
    "math.greater": "Greater", "math.greater_equal": "GreaterEqual", "math.less": "Less",
    "math.less_equal": "LessEqual", "math.equal": "Equal", "math.logical_not": "LogicalNot",
    "where": "Where", "pad": "Pad", "compat.v1.pad": "Pad",
    "repeat": "Repeat", "tile": "Tile", "broadcast_to": "BroadcastTo",
}  # fmt: skip

#: The second operand's name in TensorFlow's functions: an argument of its own in Keras 3.
_SECOND: Final = ("y", "b")
_RENAMED: Final = {"clip_value_min": "x_min", "clip_value_max": "x_max"}


def operation(call: Call, args: Sequence[Any], kwargs: dict[str, Any]) -> Value | list[Value]:
    """The results of an operation for its arguments (Values, numbers, lists): one or several."""
    kind = call.layer.kind
    if kind in ("TFOpLambda", "SlicingOpLambda"):
        function = str(call.layer.options.get("function"))
        kind = _TENSORFLOW.get(function, function)
        args = [*args, *(kwargs[name] for name in _SECOND if name in kwargs)]
        kwargs = {
            _RENAMED.get(key, key): value
            for key, value in kwargs.items()
            if key not in (*_SECOND, "name")
        }
    culprit = next(_unknowns([*args, *kwargs.values()]), None)
    if culprit is not None:
        return culprit
    translate = OPERATIONS.get(kind)
    if translate is None:
        return unknown(call, kind)
    if kind not in _OF_MASKS:
        args = [as_tensor(call, value) for value in args]
    return translate(call, list(args), {**call.layer.options, **kwargs})


def _unknowns(values: Sequence[Any]) -> Iterator[Unknown]:
    for value in values:
        match value:
            case Unknown():
                yield value
            case list():
                yield from _unknowns(value)
            case _:
                continue
