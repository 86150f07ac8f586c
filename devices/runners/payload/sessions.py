"""ONNX Runtime and LiteRT behind one call: named arrays in, named arrays out."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

import numpy as np

from .arrays import Array, Arrays

#: The domain of the operators in edgernn/runtime/ort, as a file's import of it.
EDGERNN_DOMAIN = b"\x0a\x0borg.edgernn"
END_OF_FILE = 64 * 1024


class RuntimeMissing(Exception):
    """No Python package here can run this kind of model."""


class OperatorsMissing(Exception):
    """The runtime is installed, but not the library of operators that the file needs."""


class Tensor:
    """An input or output: name, shape (None where free), the dtype that a caller passes or gets.

    `scale` and `zero_point` are set where the model itself takes quantized integers; the session
    then converts, as an application has to.
    """

    def __init__(
        self,
        name: str,
        shape: Sequence[int | None],
        dtype: str,
        quantization: tuple[float, int] = (0.0, 0),
    ) -> None:
        self.name = name
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        self.scale, self.zero_point = quantization

    def stored(self, x: Array) -> Array:
        """`x` in the type that the model takes."""
        if self.scale and x.dtype.kind == "f":
            limits = np.iinfo(self.dtype)
            steps = np.rint(x / self.scale) + self.zero_point
            clipped: Array = np.clip(steps, limits.min, limits.max).astype(self.dtype)
            return clipped
        if x.dtype == self.dtype:
            return x
        return x.astype(self.dtype, casting="same_kind")

    def real(self, x: Array) -> Array:
        """An output of the model; float32 if the model returns quantized integers."""
        if not self.scale:
            return x
        real: Array = (x.astype(np.float32) - self.zero_point) * np.float32(self.scale)
        return real

    def described(self) -> dict[str, Any]:
        quantized = bool(self.scale)
        dtype = "float32" if quantized else self.dtype.name
        stored = self.dtype.name if quantized else None
        return {"name": self.name, "shape": list(self.shape), "dtype": dtype, "stored": stored}


class OnnxRuntimeSession:
    """A model in ONNX Runtime's CPU provider."""

    PACKAGES = (("onnxruntime", "onnxruntime"),)
    TYPES = {  # noqa: RUF012 - Python 3.9 and a script: ClassVar would add nothing
        "tensor(float)": "float32",
        "tensor(float16)": "float16",
        "tensor(double)": "float64",
        "tensor(int64)": "int64",
        "tensor(int32)": "int32",
        "tensor(int8)": "int8",
        "tensor(uint8)": "uint8",
        "tensor(bool)": "bool",
    }

    def __init__(self, runtime: Any, request: Mapping[str, Any]) -> None:
        options = runtime.SessionOptions()
        options.intra_op_num_threads = request["threads"]
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        for library in request["libraries"]:
            options.register_custom_ops_library(os.path.abspath(library))  # noqa: PTH100
        if needs_edgernn(request["model"]):
            options.register_custom_ops_library(edgernn_operators())
        self._session = runtime.InferenceSession(
            request["model"], options, providers=["CPUExecutionProvider"]
        )
        self.inputs = [self._tensor(entry) for entry in self._session.get_inputs()]
        self.outputs = [self._tensor(entry) for entry in self._session.get_outputs()]
        self._names = [tensor.name for tensor in self.outputs]

    def _tensor(self, entry: Any) -> Tensor:
        shape = [size if isinstance(size, int) else None for size in entry.shape]
        return Tensor(entry.name, shape, self.TYPES[entry.type])

    def call(self, feeds: Arrays) -> Arrays:
        return dict(zip(self._names, self._session.run(self._names, feeds)))


def needs_edgernn(path: str) -> bool:
    """Whether an ONNX file imports edgernn's own operators: imports are near a file's end."""
    with open(path, "rb") as file:  # noqa: PTH123
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - END_OF_FILE))
        return EDGERNN_DOMAIN in file.read()


def edgernn_operators() -> str:
    try:
        ort = importlib.import_module("edgernn.runtime.ort")
        return str(ort.library_path())
    except Exception as error:
        raise OperatorsMissing(
            f"the file needs edgernn's operators for ONNX Runtime: {error}"
        ) from error


class LiteRtSession:
    """A model in LiteRT (ai-edge-litert) or its predecessor tflite-runtime."""

    PACKAGES = (
        ("ai_edge_litert.interpreter", "ai-edge-litert"),
        ("tflite_runtime.interpreter", "tflite-runtime"),
    )

    def __init__(self, runtime: Any, request: Mapping[str, Any]) -> None:
        self._interpreter = runtime.Interpreter(
            model_path=request["model"], num_threads=request["threads"]
        )
        inputs, outputs = named_details(self._interpreter)
        self.inputs = [self._tensor(name, entry) for name, entry in inputs.items()]
        self.outputs = [self._tensor(name, entry) for name, entry in outputs.items()]
        self._input_index = {name: entry["index"] for name, entry in inputs.items()}
        self._output_index = {name: entry["index"] for name, entry in outputs.items()}
        self._shapes = {name: tuple(entry["shape"]) for name, entry in inputs.items()}
        self._interpreter.allocate_tensors()

    @staticmethod
    def _tensor(name: str, entry: Mapping[str, Any]) -> Tensor:
        shape = [None if size < 0 else int(size) for size in entry["shape_signature"]]
        dtype = np.dtype(entry["dtype"])
        scale, zero_point = entry["quantization"] if dtype.kind in "iu" else (0.0, 0)
        return Tensor(name, shape, dtype.name, (float(scale), int(zero_point)))

    def call(self, feeds: Arrays) -> Arrays:
        resized = {name: x.shape for name, x in feeds.items() if x.shape != self._shapes[name]}
        if resized:
            for name, shape in resized.items():
                self._interpreter.resize_tensor_input(self._input_index[name], shape, strict=False)
            self._shapes.update(resized)
            self._interpreter.allocate_tensors()
        for name, x in feeds.items():
            self._interpreter.set_tensor(self._input_index[name], x)
        # A call is a whole sequence, but a fused LSTM operator keeps the last call's state.
        self._interpreter.reset_all_variables()
        self._interpreter.invoke()
        read = self._interpreter.get_tensor
        return {name: read(index) for name, index in self._output_index.items()}


def named_details(interpreter: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The details of inputs and outputs by their names in the model's signature.

    Names of tensors may be empty or mangled.  The signature runner must not outlive this function:
    an interpreter refuses to allocate while another object refers to its memory.
    """
    if len(interpreter.get_signature_list()) == 1:
        runner = interpreter.get_signature_runner()
        return runner.get_input_details(), runner.get_output_details()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    return {each["name"]: each for each in inputs}, {each["name"]: each for each in outputs}


class NativeSession:
    """A model in edgernn's own C library, through its Python binding.  It uses one thread."""

    PACKAGES = (("edgernn.runtime.model", "edgernn"),)

    def __init__(self, runtime: Any, request: Mapping[str, Any]) -> None:
        self._model = runtime.Model(request["model"])
        self.inputs = [self._tensor(port) for port in self._model.inputs]
        self.outputs = [self._tensor(port) for port in self._model.outputs]

    @staticmethod
    def _tensor(port: Any) -> Tensor:
        steps = [port.steps] if port.is_sequence else []
        return Tensor(port.name, [None, *steps, *port.row_shape], port.dtype.value)

    def call(self, feeds: Arrays) -> Arrays:
        outputs: Arrays = self._model.run(feeds)
        return outputs

    def stepper(self, feeds: Arrays) -> Callable[[], object]:
        """Takes the first step of `feeds` again and again; keeps the states, as a stream does."""
        session = self._model.session()
        ports = self._model.free_inputs
        rows = [
            feeds[port.name][0, 0] if port.is_sequence else feeds[port.name][0] for port in ports
        ]
        return lambda: session.step(*rows)


Session = Union[OnnxRuntimeSession, LiteRtSession, NativeSession]
SESSIONS: dict[str, type[Session]] = {
    "onnxruntime": OnnxRuntimeSession,
    "litert": LiteRtSession,
    "native": NativeSession,
}


def import_runtime(packages: Sequence[tuple[str, str]]) -> tuple[Any, dict[str, str]]:
    """The first runtime of `packages` that can be imported, and its version by package name."""
    reasons = []
    for module, package in packages:
        try:
            runtime = importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - built for another numpy, or not built at all
            reasons.append(f"{package}: {error}")
            continue
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            # onnxruntime-gpu and friends install the same module under another name.
            version = str(getattr(runtime, "__version__", "unknown"))
        return runtime, {package: version}
    raise RuntimeMissing("; ".join(reasons))
