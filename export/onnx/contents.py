"""Reads the contents of an ONNX file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import onnx
from google.protobuf.message import DecodeError

from edgernn.export.contents import Contents, Damaged, TensorLine
from edgernn.export.native import contents as native
from edgernn.export.onnx.builder import EDGERNN
from edgernn.regular_file import DAMAGE


def read_contents(content: bytes) -> Contents:
    """Opset, inputs, outputs, operators, weights and metadata of the model in `content`.

    Raises Damaged if it is no ONNX model.
    """
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise Damaged(str(error)) from error
    if not model.graph.node:
        raise Damaged("it contains no operators")
    try:
        return _contents(model, len(content))
    except DAMAGE as error:  # of a tensor whose shape, type or bytes do not fit each other
        raise Damaged(str(error)) from error


def _contents(model: onnx.ModelProto, size: int) -> Contents:
    weight_bytes: Counter[str] = Counter()
    operators: Counter[str] = Counter()
    for graph in _graphs(model.graph):
        operators.update(node.op_type for node in graph.node)
        for tensor in graph.initializer:
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                raise Damaged(f"its weights '{tensor.name}' are in another file")
            array = onnx.numpy_helper.to_array(tensor)
            weight_bytes[str(array.dtype)] += array.nbytes
        for node in graph.node:
            weight_bytes.update(_inside(node))
    opsets = [f"{entry.domain or 'opset'} {entry.version}" for entry in model.opset_import]
    return Contents(
        format=f"ONNX, {', '.join(opsets)}, IR {model.ir_version}",
        bytes=size,
        inputs=tuple(map(_line, model.graph.input)),
        outputs=tuple(map(_line, model.graph.output)),
        operators=dict(operators),
        weight_bytes=dict(weight_bytes),
        metadata={entry.key: entry.value for entry in model.metadata_props},
    )


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _inside(node: onnx.NodeProto) -> Mapping[str, int]:
    """Weights of edgernn's own operator, which contains its layer as an .ernn file."""
    if node.domain != EDGERNN:
        return {}
    total: Counter[str] = Counter()
    for attribute in node.attribute:
        if attribute.name == "model":
            total.update(native.read_contents(attribute.s).weight_bytes)
    return total


def _line(value: onnx.ValueInfoProto) -> TensorLine:
    tensor = value.type.tensor_type
    sizes = [str(dim.dim_value) if dim.HasField("dim_value") else "?" for dim in tensor.shape.dim]
    return TensorLine(
        name=value.name,
        dtype=str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)),
        shape=f"[{', '.join(sizes)}]",
    )
