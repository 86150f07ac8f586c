"""The part of TFLite's schema that this back end writes: operators, types, option tables.

The numbers are those of tensorflow/lite/schema/schema.fbs (a stable file format); the tests hold
them against the generated package `tflite`, whose import alone would take half a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, TypeAlias

SCHEMA_VERSION: Final = 3
FILE_IDENTIFIER: Final = b"TFL3"


class TensorType(IntEnum):
    """schema.fbs: TensorType."""

    FLOAT32 = 0
    FLOAT16 = 1
    INT32 = 2
    UINT8 = 3
    INT64 = 4
    BOOL = 6
    INT16 = 7
    INT8 = 9


class Op(IntEnum):
    """schema.fbs: BuiltinOperator."""

    ADD = 0
    AVERAGE_POOL_2D = 1
    CONCATENATION = 2
    CONV_2D = 3
    DEPTHWISE_CONV_2D = 4
    DEQUANTIZE = 6
    FULLY_CONNECTED = 9
    LOGISTIC = 14
    MAX_POOL_2D = 17
    MUL = 18
    RELU = 19
    RELU6 = 21
    RESHAPE = 22
    SOFTMAX = 25
    TANH = 28
    PAD = 34
    GATHER = 36
    TRANSPOSE = 39
    MEAN = 40
    SUB = 41
    DIV = 42
    SQUEEZE = 43
    UNIDIRECTIONAL_SEQUENCE_LSTM = 44
    STRIDED_SLICE = 45
    EXP = 47
    SPLIT = 49
    LOG_SOFTMAX = 50
    CAST = 53
    PRELU = 54
    MAXIMUM = 55
    MINIMUM = 57
    LESS = 58
    NEG = 59
    GREATER = 61
    GREATER_EQUAL = 62
    LESS_EQUAL = 63
    TILE = 69
    EXPAND_DIMS = 70
    NOT_EQUAL = 72
    LOG = 73
    SUM = 74
    SQRT = 75
    RSQRT = 76
    SHAPE = 77
    REDUCE_MAX = 82
    LOGICAL_OR = 84
    LOGICAL_AND = 86
    REDUCE_ANY = 91
    ZEROS_LIKE = 93
    RANGE = 96
    LEAKY_RELU = 98
    SQUARED_DIFFERENCE = 99
    ABS = 101
    REVERSE_V2 = 105
    ELU = 111
    QUANTIZE = 114
    HARD_SWISH = 117
    WHILE = 119
    SELECT_V2 = 123
    BATCH_MATMUL = 126
    GELU = 150
    DYNAMIC_UPDATE_SLICE = 151


class Fused(IntEnum):
    """schema.fbs: ActivationFunctionType, applied by the operator that computes the value."""

    NONE = 0
    RELU = 1
    RELU6 = 3
    TANH = 4


class WindowPadding(IntEnum):
    """schema.fbs: Padding."""

    SAME = 0
    VALID = 1


class FieldKind(Enum):
    BOOL = "bool"
    INT8 = "int8"
    INT32 = "int32"
    FLOAT32 = "float32"
    INT32_VECTOR = "int32 vector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One member of an option table, at its place in the schema."""

    slot: int
    kind: FieldKind
    value: int | float | bool | Sequence[int]
    default: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A filled option table: a member of the union BuiltinOptions."""

    tag: int  # position in the union
    fields: tuple[Field, ...] = ()


def _int8(slot: int, value: int) -> Field:
    return Field(slot=slot, kind=FieldKind.INT8, value=value)


def _int32(slot: int, value: int, default: int = 0) -> Field:
    return Field(slot=slot, kind=FieldKind.INT32, value=value, default=default)


def _bool(slot: int, value: bool) -> Field:
    return Field(slot=slot, kind=FieldKind.BOOL, value=value)


def _float32(slot: int, value: float) -> Field:
    return Field(slot=slot, kind=FieldKind.FLOAT32, value=value)


#: pot_scale_int16 of AddOptions and SubOptions, which is true by default.
_ANY_SCALE: Final = Field(slot=1, kind=FieldKind.BOOL, value=False, default=1)


#: (rows, columns)
Pair: TypeAlias = tuple[int, int]


def conv_2d(*, padding: WindowPadding, strides: Pair, dilations: Pair, fused: Fused) -> Options:
    return Options(
        tag=1,
        fields=(
            _int8(0, padding),
            _int32(1, strides[1]),
            _int32(2, strides[0]),
            _int8(3, fused),
            _int32(4, dilations[1], default=1),
            _int32(5, dilations[0], default=1),
        ),
    )


def depthwise_conv_2d(
    *, padding: WindowPadding, strides: Pair, multiplier: int, dilations: Pair, fused: Fused
) -> Options:
    return Options(
        tag=2,
        fields=(
            _int8(0, padding),
            _int32(1, strides[1]),
            _int32(2, strides[0]),
            _int32(3, multiplier),
            _int8(4, fused),
            _int32(5, dilations[1], default=1),
            _int32(6, dilations[0], default=1),
        ),
    )


def pool_2d(*, padding: WindowPadding, strides: Pair, window: Pair) -> Options:
    return Options(
        tag=5,
        fields=(
            _int8(0, padding),
            _int32(1, strides[1]),
            _int32(2, strides[0]),
            _int32(3, window[1]),
            _int32(4, window[0]),
        ),
    )


def fully_connected(
    *, fused: Fused = Fused.NONE, keep_num_dims: bool = True, asymmetric_inputs: bool = False
) -> Options:
    return Options(
        tag=8, fields=(_int8(0, fused), _bool(2, keep_num_dims), _bool(3, asymmetric_inputs))
    )


def softmax() -> Options:
    return Options(tag=9, fields=(_float32(0, 1.0),))


def concatenation(axis: int) -> Options:
    return Options(tag=10, fields=(_int32(0, axis),))


def add(fused: Fused, *, any_scale: bool = False) -> Options:
    """any_scale: int16 operands whose scales are no powers of two."""
    return Options(tag=11, fields=(_int8(0, fused), *([_ANY_SCALE] if any_scale else [])))


def reshape() -> Options:
    return Options(tag=17)


def mul(fused: Fused) -> Options:
    return Options(tag=21, fields=(_int8(0, fused),))


def gather(axis: int) -> Options:
    return Options(tag=23, fields=(_int32(0, axis),))


def transpose() -> Options:
    return Options(tag=26)


def reducer(*, keep_dims: bool) -> Options:
    return Options(tag=27, fields=(_bool(0, keep_dims),))


def sub(fused: Fused, *, any_scale: bool = False) -> Options:
    return Options(tag=28, fields=(_int8(0, fused), *([_ANY_SCALE] if any_scale else [])))


def div() -> Options:
    return Options(tag=29)


def squeeze(axes: Sequence[int]) -> Options:
    return Options(tag=30, fields=(Field(slot=0, kind=FieldKind.INT32_VECTOR, value=tuple(axes)),))


def strided_slice(*, begin_mask: int, end_mask: int, shrink_axis_mask: int) -> Options:
    return Options(
        tag=32, fields=(_int32(0, begin_mask), _int32(1, end_mask), _int32(4, shrink_axis_mask))
    )


def split(parts: int) -> Options:
    return Options(tag=35, fields=(_int32(0, parts),))


def cast(*, source: TensorType, target: TensorType) -> Options:
    return Options(tag=37, fields=(_int8(0, source), _int8(1, target)))


def shape() -> Options:
    return Options(tag=55, fields=(_int8(0, TensorType.INT32),))


def unidirectional_sequence_lstm(*, time_major: bool) -> Options:
    return Options(tag=71, fields=(_int8(0, Fused.TANH), _bool(3, time_major)))


def leaky_relu(alpha: float) -> Options:
    return Options(tag=75, fields=(_float32(0, alpha),))


def while_loop(*, cond: int, body: int) -> Options:
    """Positions of the two subgraphs."""
    return Options(tag=93, fields=(_int32(0, cond), _int32(1, body)))


def batch_matmul(*, transpose_left: bool, transpose_right: bool) -> Options:
    return Options(tag=101, fields=(_bool(0, transpose_left), _bool(1, transpose_right)))


def gelu(*, approximate: bool) -> Options:
    return Options(tag=116, fields=(_bool(0, approximate),))
