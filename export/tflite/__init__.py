"""Writes TFLite files: one loop for each stack of recurrent layers, only built-in operators.

The files run on LiteRT (ai-edge-litert) and on tflite-runtime 2.14, the last one for 32-bit ARM.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from edgernn.export.backend import Backend, Lowered
from edgernn.export.tflite.model import lowered_model
from edgernn.export.tflite.options import Io, Options, Profile, Runtime
from edgernn.export.tflite.simulated import arithmetic
from edgernn.graph import Graph

if TYPE_CHECKING:
    from edgernn.export.contents import Contents


def lower(
    graph: Graph,
    *,
    metadata: Mapping[str, str],
    profile: str = "default",
    runtime_min: str = "litert",
    io: str = "float32",
) -> Lowered:
    """The graph as a TFLite file; the signature `serving_default` has the graph's names.

    profile: "default", "integer-only" or "micro", the operators that an int8 graph may use
    (options.Profile). runtime_min: "litert" or "2.14", the oldest runtime for a dynamic graph
    (options.Runtime). io: "float32", "int8" or "uint8", the type of an int8 graph's inputs and
    outputs (options.Io).

    Raises UnsupportedLayer if TFLite's built-in operators cannot express a layer.
    """
    options = Options(profile=Profile(profile), runtime_min=Runtime(runtime_min), io=Io(io))
    return lowered_model(graph, metadata, options)


def read_contents(content: bytes) -> Contents:
    """See contents.py, which is imported only when a file is read."""
    from edgernn.export.tflite import contents

    return contents.read_contents(content)


BACKEND: Final = Backend(lower=lower, read_contents=read_contents, arithmetic=arithmetic)
