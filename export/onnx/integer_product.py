"""int8 weights that ONNX Runtime multiplies as integers; it quantizes the activations at run time.

On CPUs with AVX2 and no VNNI, its product of unsigned bytes (activations) and signed bytes
(weights) adds two neighbours in 16 bits, which can saturate: an LSTM from `quantize_dynamic` had
errors of up to 0.39 on such CPUs, and none on others.  Weights are safe if no two neighbours add up
to more than 128 (the quantizer of scheme int8 ensures this).  All others are stored unsigned around
128; the runtime's kernel for these is correct on all CPUs, and a little slower on such ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from typing_extensions import assert_never

from edgernn.export.onnx.builder import ABSENT, FLOAT, Builder, Value
from edgernn.export.onnx.weights import Arrange, along_axis
from edgernn.export.quantization.int8_weights import PAIR_MAX, pair_sums
from edgernn.graph import (
    ActivationKind,
    AnyArray,
    Graph,
    Gru,
    Lstm,
    Moving,
    QTensor,
    SimpleRnn,
    moved_edges,
    producer,
)
from edgernn.graph import layers as ly

#: Functions with results in [-1, 1].
BOUNDED_ACTIVATIONS: Final = frozenset(
    {
        ActivationKind.TANH,
        ActivationKind.SIGMOID,
        ActivationKind.HARD_SIGMOID,
        ActivationKind.SOFTSIGN,
        ActivationKind.SOFTMAX,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerWeight:
    """A matrix [..., K, N] as the second operand of an integer product."""

    values: Value  # int8, or uint8 around 128
    scale: Value  # [..., N]
    zero_point: Value  # a scalar; absent for int8, where it is 0
    zero_points: Value  # [..., N], for operators that need one for each column


def integer_weight(
    builder: Builder, quantized: QTensor, arrange: Arrange, *, key: str, signed: bool
) -> IntegerWeight:
    """The weight, arranged; `key` names the arrangement, which is stored once.

    signed: keep int8, which must be safe (`is_safe_signed`).
    """
    return integer_weights(
        builder, [quantized], lambda arrays: arrange(arrays[0]), key=key, signed=signed
    )


def integer_weights(
    builder: Builder,
    quantized: Sequence[QTensor],
    arrange: Callable[[Sequence[AnyArray]], AnyArray],
    *,
    key: str,
    signed: bool,
) -> IntegerWeight:
    """Like integer_weight, of several weights that are arranged into one."""
    zero = np.array(0, np.int8) if signed else np.array(128, np.uint8)

    def values() -> AnyArray:
        arranged = np.ascontiguousarray(arrange([part.values for part in quantized]))
        return arranged if signed else (arranged.astype(np.int16) + 128).astype(np.uint8)

    scale = arrange([along_axis(part) for part in quantized])[..., 0, :]
    identity = (tuple(id(part) for part in quantized), key)
    return IntegerWeight(
        values=builder.constant_once((identity, "integers"), values),
        scale=builder.constant(np.ascontiguousarray(scale)),
        zero_point=ABSENT if signed else builder.constant(zero),
        zero_points=builder.constant(np.full(scale.shape, zero)),
    )


def is_safe_signed(quantized: QTensor) -> bool:
    """Whether products of unsigned bytes with [K, N] never saturate 16 bits, two at a time."""
    matrix = quantized.values.reshape(-1, quantized.shape[-1]).astype(np.int16)
    return bool(np.abs(pair_sums(matrix)).max(initial=0) <= PAIR_MAX)


def scaled_product(
    builder: Builder, read: Value, scale: Value, zero: Value, weight: IntegerWeight
) -> Value:
    """float32 (read - zero) scale W; ONNX Runtime fuses the four operators."""
    product = builder.op("MatMulInteger", read, weight.values, zero, weight.zero_point)
    both = builder.op("Mul", scale, weight.scale)
    return builder.op("Mul", builder.op("Cast", product, to=FLOAT), both)


def dynamic_product(builder: Builder, x: Value, weight: IntegerWeight, *, fine: bool) -> Value:
    """x W with x quantized to 8 bits, with the range of x itself.

    fine: the rounding error of x is quantized to 8 bits again, for 16 bits in all.  Outliers in the
    features make 8 bits too coarse for all other values.
    """
    read, scale, zero = builder.ops("DynamicQuantizeLinear", x, outputs=(True, True, True))
    result = scaled_product(builder, read, scale, zero, weight)
    if not fine:
        return result
    coarse = builder.op("DequantizeLinear", read, scale, zero)
    rest = builder.op("Sub", x, coarse)
    return builder.op("Add", result, dynamic_product(builder, rest, weight, fine=False))


def is_bounded(edge: str, graph: Graph) -> bool:
    """Whether all values of the edge are in [-1, 1], judged by the layers that compute them."""
    layer = producer(graph, edge)
    if layer is None:
        return False
    if isinstance(layer, Moving):
        return is_bounded(layer.input, graph)
    match layer:
        case SimpleRnn() | Gru() | ly.Activate() | ly.Dense() | ly.Conv1D() | ly.Conv2D():
            return layer.activation.kind in BOUNDED_ACTIVATIONS
        case Lstm():
            return edge != layer.state_c and layer.activation.kind in BOUNDED_ACTIVATIONS
        case ly.Concatenate() | ly.Pool1D() | ly.Pool2D() | ly.GlobalPool1D():
            sources = moved_edges(layer)
            return bool(sources) and all(is_bounded(source, graph) for source in sources)
        case (
            ly.Embedding()
            | ly.Affine()
            | ly.LayerNorm()
            | ly.PRelu()
            | ly.Merge()
            | ly.Dot()
            | ly.Attention()
            | ly.NotEqual()
            | ly.AnyNotEqual()
            | ly.Cast()
            | ly.Compare()
            | ly.Where()
        ):
            return False
        case _:
            assert_never(layer)
