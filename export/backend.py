"""What a back end is: a module that writes one file format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from edgernn.graph import Graph
from edgernn.scheme import Scheme


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """What a back end made of a graph: file contents and facts worth telling."""

    content: bytes  # the model file
    extra_files: Mapping[str, bytes] = field(default_factory=dict)  # suffix -> content
    details: Mapping[str, str] = field(default_factory=dict)  # e.g. opset, lowering chosen and why
    graph: Graph | None = None  # as written, where sizes that were free had to be fixed
    exact: Graph | None = None  # an int8 graph whose integers the file computes bit for bit


class Backend(Protocol):
    """A module that writes one file format.  `lower` is pure: it neither reads nor writes files."""

    NAME: str  # "onnx"
    SUFFIX: str  # ".onnx"
    SCHEMES: frozenset[Scheme]

    def lower(self, graph: Graph, *, metadata: Mapping[str, str], **options: str) -> Lowered:
        """The graph in this format; `metadata` goes into the file where the format has a place.

        `options` are the format's own choices; each module documents its names and values.

        The scheme is in the graph: float16 or int8 weights are stored as such.
        Raises UnsupportedLayer where the format cannot express a layer.
        """
        ...
