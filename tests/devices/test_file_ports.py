"""What an ONNX or TFLite file takes and gives, by the file alone: as its runtime tells."""

from __future__ import annotations

import flatbuffers
import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgernn.devices import open_device
from edgernn.devices.runners import describe
from edgernn.devices.runners.file_ports import file_ports
from edgernn.devices.runners.outcome import Description
from edgernn.devices.runners.reply import port
from edgernn.devices.runners.runner import Describe, Model
from edgernn.errors import DeviceError
from tests.devices.models import onnx_running_sum, onnx_token_sum, tflite_sum


@pytest.mark.parametrize(
    ("make", "backend"),
    [
        (onnx_running_sum, "onnx"),
        (onnx_token_sum, "onnx"),
        (tflite_sum, "tflite"),
        (lambda path: tflite_sum(path, quantized=True), "tflite"),
    ],
    ids=["states", "tokens", "signature", "quantized"],
)
def test_the_file_says_what_the_runtime_says(tmp_path, make, backend):
    path = make(tmp_path / "m")
    with open_device("cpu") as device:
        told = describe(device, Model(path=path, backend=backend), Describe())
    assert isinstance(told, Description), told
    read = file_ports(path, backend)
    assert tuple(port(tensor.described()) for tensor in read.inputs) == told.inputs
    assert tuple(port(tensor.described()) for tensor in read.outputs) == told.outputs


def test_a_quantized_input_is_converted_by_what_the_file_says(tmp_path):
    (tensor,) = file_ports(tflite_sum(tmp_path / "m", quantized=True), "tflite").inputs
    x = np.array([0.0, 0.25, -100.0], np.float32)
    np.testing.assert_array_equal(tensor.stored(x), np.array([3, 7, -128], np.int8))


@pytest.mark.parametrize("backend", ["onnx", "tflite"])
@pytest.mark.parametrize("content", [b"", b"hello, world", b"\xff" * 64])
def test_what_is_no_model_is_refused_by_name(tmp_path, backend, content):
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(DeviceError, match="m "):
        file_ports(tmp_path / "m", backend)


def test_a_model_that_is_cut_short_is_refused_or_read_in_part(tmp_path):
    content = tflite_sum(tmp_path / "m").read_bytes()
    refusals = []
    for size in range(8, len(content), 41):
        (tmp_path / "cut").write_bytes(content[:size])
        try:
            file_ports(tmp_path / "cut", "tflite")
        except DeviceError as error:
            refusals.append(error.what)
    assert refusals
    assert all("cut is damaged" in refusal for refusal in refusals)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (onnx.helper.make_tensor_sequence_value_info("a", 1, [1]), "'a' is no tensor"),
        (onnx.helper.make_tensor_value_info("a", 8, [1]), "'a' is of a type that is not"),
        (onnx.helper.make_tensor_value_info("a", 99, [1]), "'a' is of a type that is not"),
    ],
    ids=["sequence", "text", "unknown"],
)
def test_an_onnx_input_that_no_array_can_be_is_refused_by_name(tmp_path, entry, complaint):
    given = onnx.helper.make_tensor_value_info("b", 1, [1])
    graph = onnx.helper.make_graph([], "g", [entry], [given])
    (tmp_path / "m").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    with pytest.raises(DeviceError, match=complaint):
        file_ports(tmp_path / "m", "onnx")


@pytest.mark.parametrize("number", [5, 99], ids=["text", "unknown"])
def test_a_tflite_input_that_no_array_can_be_is_refused_by_name(tmp_path, number):
    model = schema.ModelT.InitFromPackedBuf(tflite_sum(tmp_path / "m").read_bytes())
    model.subgraphs[0].tensors[0].type = number
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    (tmp_path / "m").write_bytes(builder.Output())
    with pytest.raises(DeviceError, match="'x' is of a type that is not"):
        file_ports(tmp_path / "m", "tflite")
