"""Our float artefacts beside Keras' ONNX export and the stock TFLite converter's files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from bench.alternate import alternate
from bench.comparison import Comparison, faster
from bench.keras_models import CELLS, FEATURES, STEPS


def compare_latency(models: Path, artefacts: Path) -> list[Comparison]:
    """`models` holds what bench.keras_models wrote, `artefacts` what edgernn made of it."""
    x = np.random.default_rng(0).normal(size=(1, STEPS, FEATURES)).astype(np.float32)
    rows = []
    for runtime, (suffix, open_call, peer) in _PEERS.items():
        for cell in CELLS:
            timed = alternate(
                {
                    "ours": open_call(artefacts / f"{cell}{suffix}", x),
                    peer: open_call(models / f"stock-{cell}{suffix}", x),
                }
            )
            name = f"{cell} in {runtime} against {peer}"
            target = _TARGETS[cell, suffix]
            rows.append(faster(name, timed, ours="ours", peer=peer, target=target))
    return rows


def onnx_call(path: Path, x: np.ndarray, *, library: str = "") -> Callable[[], object]:
    """One inference in ONNX Runtime, one thread; `library` holds operators that the file needs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    if library:
        options.register_custom_ops_library(library)
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: x}
    return lambda: session.run(None, feed)


def tflite_call(path: Path, x: np.ndarray) -> Callable[[], object]:
    """One inference in LiteRT with its default delegate, one thread."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    index = interpreter.get_input_details()[0]["index"]
    if tuple(interpreter.get_input_details()[0]["shape"]) != x.shape:
        interpreter.resize_tensor_input(index, x.shape)
    interpreter.allocate_tensors()
    output = interpreter.get_output_details()[0]["index"]

    def call() -> object:
        interpreter.set_tensor(index, x)
        interpreter.invoke()
        return interpreter.get_tensor(output)

    return call


def openvino_call(path: Path, x: np.ndarray) -> Callable[[], object]:
    """One inference in OpenVINO, one thread, in float32."""
    import openvino

    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()
    return lambda: request.infer([x])


_PEERS: Final = {
    "ONNX Runtime": (".onnx", onnx_call, "Keras' export"),
    "LiteRT": (".tflite", tflite_call, "the stock converter"),
}
#: Keras' export of an LSTM has the same operator as ours: equal but for noise.
_TARGETS: Final = {
    ("gru", ".onnx"): 4.0,
    ("lstm", ".onnx"): 0.97,
    ("gru", ".tflite"): 1.0,
    ("lstm", ".tflite"): 1.0,
}
