"""Graphs in a scheme, kept for the steps of one export that ask for the same.

The choice of fine layers, each format and the study quantize alike; a matrix of a million numbers
takes a tenth of a second, however its rounding is known.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

from edgernn.graph import Graph, Ranges

#: For each format, and with 8 bits throughout; of large models as many as fit into 256 MB.
_MOST: Final = 4
_MOST_BYTES: Final = 256 << 20


@dataclass(slots=True, eq=False)
class KeptGraphs:
    """The latest that were made, with the float graphs and the ranges that they were made of."""

    _kept: OrderedDict[Hashable, tuple[Graph, Graph, Ranges | None]] = field(
        default_factory=OrderedDict
    )

    def of(
        self,
        graph: Graph,
        ranges: Ranges | None,
        options: Hashable,
        otherwise: Callable[[], Graph],
    ) -> Graph:
        """What `otherwise` returns; what it returned for the same layers, ranges and options."""
        ports = repr((graph.name, graph.inputs, graph.outputs, graph.states))
        layers = tuple(map(id, graph.layers))  # which stay alive as long as they are kept
        key = (ports, layers, id(graph.grids), id(ranges), options)
        if key not in self._kept:
            self._kept[key] = otherwise(), graph, ranges
            its_bytes = 2 * max(graph.parameters, 1)  # as stored, and as a plan multiplies them
            while len(self._kept) > max(1, min(_MOST, _MOST_BYTES // its_bytes)):
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key][0]
