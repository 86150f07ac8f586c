"""From a Keras model to checked artefacts: read, (calibrate, quantize,) lower, verify, write.

The registry of back ends is here; each is a module that satisfies backend.Backend.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final, cast

from edgernn.export.backend import Backend

#: In the order of a table's rows.  Imported when used: each brings a library of its own.
BACKENDS: Final[dict[str, str]] = {
    "onnx": "edgernn.export.onnx",
    "tflite": "edgernn.export.tflite",
    "native": "edgernn.export.native",
}


def backend_named(name: str) -> Backend:
    """The back end `name`.  Raises KeyError for a name that BACKENDS does not list."""
    return cast("Backend", import_module(BACKENDS[name]))
