"""One line of docs/support.md: what a user of Keras writes, and the graph that holds it."""

from __future__ import annotations

from dataclasses import dataclass

from edgernn.graph import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """`layer` and `option` are what a user of Keras writes; `graph` holds it and nothing else."""

    section: str
    layer: str
    option: str = ""
    graph: Graph
