"""Tiny model files made by hand, so that the devices are tested without Keras and back ends."""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

from edgernn.graph.tensor import AnyArray

FEATURES = 3
CLASSES = 2
#: y = x summed over time, times this.
WEIGHTS = np.array([[1.0, -1.0], [0.5, 2.0], [-2.0, 0.25]], np.float32)


def expected(x: AnyArray) -> AnyArray:
    """What `onnx_sum` and `tflite_sum` compute: [B, T, F] -> [B, C]."""
    summed: AnyArray = x.sum(axis=1)
    return summed @ WEIGHTS


def onnx_sum(path: Path, *, batch: int | str = "batch") -> Path:
    """x [B, T, F] -> y [B, C]: the sum over time, times WEIGHTS."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceSum", ["x", "axis"], ["s"], keepdims=0),
            helper.make_node("MatMul", ["s", "w"], ["y"]),
        ],
        "sum",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, "time", FEATURES])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, CLASSES])],
        [
            numpy_helper.from_array(np.array([1], np.int64), "axis"),
            numpy_helper.from_array(WEIGHTS, "w"),
        ],
    )
    return _save(graph, path)


def onnx_running_sum(path: Path) -> Path:
    """A step model: x [B, 1, F], state [B, F] -> y [B, C] of the sum so far, next_state."""
    graph = helper.make_graph(
        [
            helper.make_node("Squeeze", ["x", "axis"], ["now"]),
            helper.make_node("Add", ["state", "now"], ["next_state"]),
            helper.make_node("MatMul", ["next_state", "w"], ["y"]),
        ],
        "running_sum",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, FEATURES]),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, ["batch", FEATURES]),
        ],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", CLASSES]),
            helper.make_tensor_value_info("next_state", TensorProto.FLOAT, ["batch", FEATURES]),
        ],
        [
            numpy_helper.from_array(np.array([1], np.int64), "axis"),
            numpy_helper.from_array(WEIGHTS, "w"),
        ],
    )
    return _save(graph, path)


def onnx_token_sum(path: Path) -> Path:
    """tokens int64 [B, T] -> y float [B, 1]: their sum."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceSum", ["tokens", "axis"], ["s"], keepdims=1),
            helper.make_node("Cast", ["s"], ["y"], to=TensorProto.FLOAT),
        ],
        "token_sum",
        [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["batch", "time"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1])],
        [numpy_helper.from_array(np.array([1], np.int64), "axis")],
    )
    return _save(graph, path)


def _save(graph: onnx.GraphProto, path: Path) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def tflite_sum(path: Path, *, quantized: bool = False) -> Path:
    """The same function as `onnx_sum` with batch 1 and free time, with a signature.

    The tensors are named t0, t1, …; only the signature knows "x" and "y".  `quantized` makes the
    input int8 (scale 1/16, zero point 3) behind a DEQUANTIZE.
    """
    model = schema.ModelT()
    model.version = 3
    model.buffers = [_buffer(b"")]
    x_type = schema.TensorType.INT8 if quantized else schema.TensorType.FLOAT32
    x = _tensor(model, x_type, [1, 1, FEATURES], signature=[1, -1, FEATURES])
    if quantized:
        x.quantization = schema.QuantizationParametersT()
        x.quantization.scale = [1 / 16]
        x.quantization.zeroPoint = [3]
    real = _tensor(model, schema.TensorType.FLOAT32, [1, 1, FEATURES], signature=[1, -1, FEATURES])
    axis = _tensor(model, schema.TensorType.INT32, [1], np.array([1], np.int32))
    summed = _tensor(model, schema.TensorType.FLOAT32, [1, FEATURES])
    weights = _tensor(model, schema.TensorType.FLOAT32, [CLASSES, FEATURES], WEIGHTS.T)
    y = _tensor(model, schema.TensorType.FLOAT32, [1, CLASSES])
    tensors = [x, real, axis, summed, weights, y]
    for i, tensor in enumerate(tensors):
        tensor.name = f"t{i}".encode()
    reducer = schema.ReducerOptionsT()
    reducer.keepDims = False
    dense = schema.FullyConnectedOptionsT()
    model.operatorCodes = []
    operators = [
        _operator(
            model,
            schema.BuiltinOperator.SUM,
            [1 if quantized else 0, 2],
            [3],
            schema.BuiltinOptions.ReducerOptions,
            reducer,
        ),
        _operator(
            model,
            schema.BuiltinOperator.FULLY_CONNECTED,
            [3, 4, -1],
            [5],
            schema.BuiltinOptions.FullyConnectedOptions,
            dense,
        ),
    ]
    if quantized:
        operators.insert(0, _operator(model, schema.BuiltinOperator.DEQUANTIZE, [0], [1], 0, None))
    subgraph = schema.SubGraphT()
    subgraph.tensors, subgraph.operators = tensors, operators
    subgraph.inputs, subgraph.outputs, subgraph.name = [0], [5], b"main"
    model.subgraphs = [subgraph]
    model.signatureDefs = [_signature({"x": 0}, {"y": 5})]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def _buffer(data: bytes):
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8) if data else None
    return buffer


def _tensor(model, kind, shape, content=None, *, signature=None):
    tensor = schema.TensorT()
    tensor.type, tensor.shape, tensor.shapeSignature = kind, shape, signature
    tensor.buffer = 0
    if content is not None:
        model.buffers.append(_buffer(np.ascontiguousarray(content).tobytes()))
        tensor.buffer = len(model.buffers) - 1
    return tensor


def _operator(model, code, inputs, outputs, options_type, options):
    entry = schema.OperatorCodeT()
    entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, min(code, 127), 1
    model.operatorCodes.append(entry)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = inputs, outputs
    operator.builtinOptionsType, operator.builtinOptions = options_type, options
    return operator


def _signature(inputs: dict[str, int], outputs: dict[str, int]):
    signature = schema.SignatureDefT()
    signature.signatureKey = b"serving_default"
    signature.subgraphIndex = 0
    signature.inputs = [_named(name, index) for name, index in inputs.items()]
    signature.outputs = [_named(name, index) for name, index in outputs.items()]
    return signature


def _named(name: str, index: int):
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), index
    return entry
