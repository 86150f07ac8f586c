"""The numbers of the schema against the package that is generated from it."""

from __future__ import annotations

from enum import IntEnum
from importlib import import_module
from typing import Any

import pytest
from tflite.ActivationFunctionType import ActivationFunctionType
from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.Padding import Padding
from tflite.TensorType import TensorType

from edgernn.export.tflite import schema
from edgernn.export.tflite.flatbuffer import Builder, write_options


@pytest.mark.parametrize("op", schema.Op, ids=lambda op: op.name)
def test_operators_have_the_numbers_of_the_schema(op: schema.Op) -> None:
    assert getattr(BuiltinOperator, op.name) == op


@pytest.mark.parametrize(
    ("ours", "generated"),
    [
        (schema.TensorType, TensorType),
        (schema.Fused, ActivationFunctionType),
        (schema.WindowPadding, Padding),
    ],
)
def test_enumerations_have_the_numbers_of_the_schema(ours: type[IntEnum], generated: type) -> None:
    for member in list(ours):
        assert getattr(generated, member.name) == member


VALID, RELU = schema.WindowPadding.VALID, schema.Fused.RELU

#: Options filled with values unlike their defaults, and the generated accessors that read them.
FILLED: dict[str, tuple[schema.Options, dict[str, Any]]] = {
    "Conv2DOptions": (
        schema.conv_2d(padding=VALID, strides=(4, 2), dilations=(5, 3), fused=RELU),
        {
            "Padding": 1,
            "StrideW": 2,
            "StrideH": 4,
            "DilationWFactor": 3,
            "DilationHFactor": 5,
            "FusedActivationFunction": 1,
        },
    ),
    "DepthwiseConv2DOptions": (
        schema.depthwise_conv_2d(
            padding=VALID, strides=(4, 2), multiplier=5, dilations=(6, 3), fused=RELU
        ),
        {
            "Padding": 1,
            "StrideW": 2,
            "StrideH": 4,
            "DepthMultiplier": 5,
            "DilationWFactor": 3,
            "DilationHFactor": 6,
            "FusedActivationFunction": 1,
        },
    ),
    "Pool2DOptions": (
        schema.pool_2d(padding=VALID, strides=(4, 2), window=(5, 3)),
        {"Padding": 1, "StrideW": 2, "StrideH": 4, "FilterWidth": 3, "FilterHeight": 5},
    ),
    "FullyConnectedOptions": (
        schema.fully_connected(fused=RELU, asymmetric_inputs=True),
        {"FusedActivationFunction": 1, "KeepNumDims": True, "AsymmetricQuantizeInputs": True},
    ),
    "SoftmaxOptions": (schema.softmax(), {"Beta": 1.0}),
    "ConcatenationOptions": (schema.concatenation(2), {"Axis": 2}),
    "AddOptions": (schema.add(RELU), {"FusedActivationFunction": 1}),
    "SubOptions": (schema.sub(RELU), {"FusedActivationFunction": 1}),
    "MulOptions": (schema.mul(RELU), {"FusedActivationFunction": 1}),
    "DivOptions": (schema.div(), {"FusedActivationFunction": 0}),
    "ReshapeOptions": (schema.reshape(), {}),
    "TransposeOptions": (schema.transpose(), {}),
    "GatherOptions": (schema.gather(2), {"Axis": 2, "BatchDims": 0}),
    "ReducerOptions": (schema.reducer(keep_dims=True), {"KeepDims": True}),
    "SqueezeOptions": (schema.squeeze([1]), {"SqueezeDimsLength": 1}),
    "StridedSliceOptions": (
        schema.strided_slice(begin_mask=3, end_mask=5, shrink_axis_mask=1),
        {"BeginMask": 3, "EndMask": 5, "ShrinkAxisMask": 1, "EllipsisMask": 0},
    ),
    "SplitOptions": (schema.split(3), {"NumSplits": 3}),
    "CastOptions": (
        schema.cast(source=schema.TensorType.BOOL, target=schema.TensorType.INT8),
        {"InDataType": TensorType.BOOL, "OutDataType": TensorType.INT8},
    ),
    "ShapeOptions": (schema.shape(), {"OutType": TensorType.INT32}),
    "UnidirectionalSequenceLSTMOptions": (
        schema.unidirectional_sequence_lstm(time_major=True),
        {"FusedActivationFunction": 4, "TimeMajor": True, "CellClip": 0.0},
    ),
    "LeakyReluOptions": (schema.leaky_relu(0.5), {"Alpha": 0.5}),
    "WhileOptions": (
        schema.while_loop(cond=2, body=1),
        {"CondSubgraphIndex": 2, "BodySubgraphIndex": 1},
    ),
    "BatchMatMulOptions": (
        schema.batch_matmul(transpose_left=False, transpose_right=True),
        {"AdjX": False, "AdjY": True},
    ),
    "GeluOptions": (schema.gelu(approximate=True), {"Approximate": True}),
}


@pytest.mark.parametrize("table", FILLED)
def test_options_are_read_back_by_the_generated_schema(table: str) -> None:
    filled, wanted = FILLED[table]
    assert getattr(BuiltinOptions, table) == filled.tag
    module = import_module(f"tflite.{table}")
    reader = getattr(module, table).GetRootAs(_written(filled), 0)
    found = {accessor: getattr(reader, accessor)() for accessor in wanted}
    assert found == wanted


def test_every_option_table_is_checked() -> None:
    builders = {
        name
        for name, value in vars(schema).items()
        if callable(value)
        and getattr(value, "__annotations__", {}).get("return") == "Options"
        and not name.startswith("_")
    }
    assert len(builders) == len(FILLED)


def _written(filled: schema.Options) -> bytes:
    writer = Builder(64)
    writer.Finish(write_options(writer, filled))
    return bytes(writer.Output())
