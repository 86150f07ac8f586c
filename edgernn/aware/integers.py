"""What the exported file of a model trained on a grid answers: its states are integers, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgernn.aware.deployed import Deployed
from edgernn.export.calibration import Calibration
from edgernn.export.in_scheme import quantized, settled, with_fine_layers
from edgernn.export.keras.grids import with_grids
from edgernn.export.keras.object import from_keras
from edgernn.export.pipeline import float_graph
from edgernn.export.request import Request
from edgernn.graph import AnyArray, Graph
from edgernn.reference import integer
from edgernn.scheme import Scheme


@dataclass(frozen=True, slots=True, eq=False)
class InIntegers:
    """Answers as a native file does, bit for bit where docs/integer-arithmetic.md defines it.

    graph: of one input, in the scheme of the file.
    """

    graph: Graph

    def predict(self, inputs: AnyArray, *, batch_size: int, **_of_keras: Any) -> Any:
        """As keras.Model.predict: [N, ...], or a list of such, of each output."""
        (entry,) = self.graph.inputs
        parts = [
            integer.run(self.graph, {entry.name: inputs[begin : begin + batch_size]})
            for begin in range(0, len(inputs), batch_size)
        ]
        joined = [
            np.concatenate([part[output.name] for part in parts]) for output in self.graph.outputs
        ]
        return joined if len(joined) > 1 else joined[0]


def in_integers(trained: Deployed, calibration: AnyArray, scheme: str) -> InIntegers | None:
    """The model as `edgernn export --to native` stores it.

    None for one that makes rows of text or sound itself, which stand before the file, and for one
    whose states stay between calls, which a caller of the file hands on.

    calibration: rows of its input.  scheme: "int8", or one whose weights an int4 file stores.
    Raises CalibrationError or DataError.
    """
    source = from_keras(trained.model)
    if any(entry.text or entry.sound for entry in source.graph.inputs):
        return None
    graph = float_graph(with_grids(source.graph, trained.grids, where=source.source.file))
    if graph.states:
        return None
    calibrated = Calibration(spec=calibration).of(graph, lambda _phase: None)
    request = Request(
        backends=("native",),
        scheme=Scheme.INT8 if scheme == Scheme.INT8.value else Scheme.INT4,
        ranges=calibrated.ranges,
        examples=calibrated.examples,
    )
    request = with_fine_layers(graph, settled(graph, request))
    return InIntegers(quantized(graph, request, "native"))
