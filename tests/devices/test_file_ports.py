"""What an ONNX or TFLite file takes and gives, by the file alone: as its runtime tells."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.devices import open_device
from edgernn.devices.runners import Describe, Description, Model, describe
from edgernn.devices.runners.file_ports import file_ports
from edgernn.devices.runners.reply import port
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
