"""Stored weights as ONNX values that are float32 at run time.

float16 weights are followed by a Cast, int8 weights by Cast and Mul.  ONNX Runtime folds both
when it loads the model, so they take no time later.  (It does not fold a DequantizeLinear,
which would run at each call: a GRU of 650 units took 8.9 ms instead of 3.0.)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from edgernn.export.onnx.builder import FLOAT, Builder, Value
from edgernn.graph import AnyArray, QTensor, Weight, as_float32

#: Moves or selects elements; it must also work on a scale with axes of size 1.
Arrange = Callable[[AnyArray], AnyArray]


def as_is(array: AnyArray) -> AnyArray:
    return array


def weight(
    builder: Builder, stored: Weight, arrange: Arrange = as_is, *, key: Hashable = None
) -> Value:
    """The weight, arranged, as float32.  It is stored once for each `key`."""
    return joined(builder, [stored], lambda arrays: arrange(arrays[0]), key=key)


def joined(
    builder: Builder,
    stored: Sequence[Weight],
    arrange: Callable[[Sequence[AnyArray]], AnyArray],
    *,
    key: Hashable = None,
) -> Value:
    """Several weights of one kind arranged into one value, as float32."""
    identity = (tuple(id(array) for array in stored), key)
    quantized = [part for part in stored if isinstance(part, QTensor)]
    if len(quantized) == len(stored):
        return _dequantized(builder, quantized, arrange, identity)
    arrays = [as_float32(part) if isinstance(part, QTensor) else part for part in stored]
    precision = np.result_type(*arrays)
    value = builder.constant_once(
        identity, lambda: np.ascontiguousarray(arrange([a.astype(precision) for a in arrays]))
    )
    if precision == np.float16:
        return as_float(builder, value)
    return value


def as_float(builder: Builder, value: Value) -> Value:
    """A Cast to float32, made once for each value."""
    return builder.op_once("Cast", value, to=FLOAT)


def along_axis(quantized: QTensor) -> AnyArray:
    """The scale with as many axes as the values, so that both can be arranged in the same way."""
    axis = quantized.values.ndim - 1 if quantized.axis is None else quantized.axis
    shape = [1] * quantized.values.ndim
    shape[axis] = quantized.shape[axis]
    return np.broadcast_to(quantized.scale, (quantized.shape[axis],)).reshape(shape)


def _dequantized(
    builder: Builder,
    quantized: Sequence[QTensor],
    arrange: Callable[[Sequence[AnyArray]], AnyArray],
    identity: Hashable,
) -> Value:
    values = builder.constant_once(
        (identity, "values"), lambda: arrange([part.values for part in quantized])
    )
    scale = builder.constant_once(
        (identity, "scale"), lambda: arrange([along_axis(part) for part in quantized])
    )
    return builder.op_once("Mul", as_float(builder, values), scale)


def looked_up(builder: Builder, table: Weight, tokens: Value, *, name: str) -> Value:
    """Rows of a table [V, E] by token, as float32; the table keeps its stored type in memory."""
    key = (id(table), "table")
    match table:
        case QTensor(axis=0):
            rows = builder.op(
                "Gather", builder.constant_once((key, "values"), lambda: table.values), tokens
            )
            scales = builder.constant_once((key, "scale"), lambda: along_axis(table))
            scale = builder.op("Gather", scales, tokens)
            return builder.op("Mul", builder.op("Cast", rows, to=FLOAT), scale, name=name)
        case QTensor():
            rows = builder.op(
                "Gather", builder.constant_once((key, "values"), lambda: table.values), tokens
            )
            columns = builder.constant_once((key, "scale"), lambda: along_axis(table)[0])
            return builder.op("Mul", builder.op("Cast", rows, to=FLOAT), columns, name=name)
        case _:
            rows = builder.op(
                "Gather", builder.constant_once(key, lambda: table), tokens, name=name
            )
            return rows if table.dtype != np.float16 else builder.op("Cast", rows, to=FLOAT)
