"""A back end of the least possible: its files hold the graph's name, and float32 alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from edgernn.export.backend import Backend, Lowered
from edgernn.export.contents import Contents, Damaged
from edgernn.formats import Format
from edgernn.graph import Graph
from edgernn.scheme import Scheme


def lower(graph: Graph, *, metadata: Mapping[str, str]) -> Lowered:
    return Lowered(content=f"toy {graph.name} {metadata['scheme']}".encode())


def read_contents(content: bytes) -> Contents:
    if not content.startswith(b"toy "):
        raise Damaged("it does not begin with 'toy'")
    return Contents(
        format="toy",
        bytes=len(content),
        inputs=(),
        outputs=(),
        operators={},
        weight_bytes={},
        metadata={},
    )


BACKEND: Final = Backend(lower=lower, read_contents=read_contents)

FORMAT: Final = Format(
    name="toy",
    suffix=".toy",
    schemes=frozenset({Scheme.FLOAT32}),
    backend="tests.export.toy_backend:BACKEND",
)
