"""The recurrent kernels as operators of ONNX Runtime, for files exported with
`--onnx-gru customop`.

>>> options = onnxruntime.SessionOptions()
>>> options.register_custom_ops_library(edgernn.runtime.ort.library_path())
>>> session = onnxruntime.InferenceSession("gru.int8.onnx", options)

In C, C++, Java and C# the same file goes to RegisterCustomOpsLibrary.  It needs ONNX Runtime 1.16
or newer, and nothing of Python.
"""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from edgernn.errors import MissingRuntime


def library_path() -> str:
    """Where the shared library is.  Raises MissingRuntime if it was not built."""
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_operators{suffix}")
        if path.is_file():
            return str(path)
    raise MissingRuntime(
        "edgernn's operators for ONNX Runtime were not built when edgernn was installed",
        remedy="Install a C compiler (gcc or clang), then install edgernn again",
    )
