"""Models of a shape with random weights: their files are as large and as slow as trained ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edgernn.artefact import Source
from edgernn.dtype import DType
from edgernn.export.calibration import Calibration
from edgernn.export.pipeline import export_model, float_graph
from edgernn.export.request import Request
from edgernn.export.source_model import SourceModel
from edgernn.graph import Graph
from edgernn.graph.activation import SOFTMAX
from edgernn.graph.graph import Input, Output
from edgernn.graph.layers import Dense, Layer
from edgernn.graph.recurrent import Gru, Lstm
from edgernn.graph.tensor import TensorSpec
from edgernn.scheme import Scheme
from edgernn.tasks.samples import FloatArray, Samples

GATES: Final = {"gru": 3, "lstm": 4}
_CALIBRATION_ROWS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A stack of equal recurrent layers on [1, steps, features], and a classifier."""

    cells: tuple[str, ...]  # "gru" or "lstm", one for each layer
    steps: int
    features: int
    units: int
    classes: int = 10

    @property
    def name(self) -> str:
        """Of its files."""
        return f"{'_'.join(self.cells)}_t{self.steps}_f{self.features}_h{self.units}"


def shaped_model(shape: Shape) -> SourceModel:
    """Random weights of a usual size."""
    random = np.random.default_rng(0)

    def weight(*size: int) -> FloatArray:
        values = random.normal(size=size) / np.sqrt(size[0])
        return np.asarray(values, np.float32)

    layers: list[Layer] = []
    edge, width, units = "features", shape.features, shape.units
    for number, cell in enumerate(shape.cells, start=1):
        gates = GATES[cell] * units
        name, sequences = f"{cell}_{number}", number < len(shape.cells)
        kernel, recurrent = weight(width, gates), weight(units, gates)
        bias = np.zeros(gates, np.float32)
        if cell == "gru":
            layers.append(
                Gru(
                    name=name,
                    input=edge,
                    output=name,
                    state_h=f"{name}_h",
                    kernel=kernel,
                    recurrent_kernel=recurrent,
                    bias=bias,
                    recurrent_bias=bias,
                    return_sequences=sequences,
                )
            )
        else:
            layers.append(
                Lstm(
                    name=name,
                    input=edge,
                    output=name,
                    state_h=f"{name}_h",
                    state_c=f"{name}_c",
                    kernel=kernel,
                    recurrent_kernel=recurrent,
                    bias=bias,
                    return_sequences=sequences,
                )
            )
        edge, width = name, units
    layers.append(
        Dense(
            name="probabilities",
            input=edge,
            output="probabilities",
            kernel=weight(units, shape.classes),
            bias=np.zeros(shape.classes, np.float32),
            activation=SOFTMAX,
        )
    )
    graph = Graph(
        name=shape.name,
        inputs=(
            Input(
                name="features",
                spec=TensorSpec(shape=(None, shape.steps, shape.features), dtype=DType.FLOAT32),
            ),
        ),
        layers=tuple(layers),
        outputs=(Output(name="probabilities", edge="probabilities"),),
    )
    source = Source(
        file=f"{shape.name}.keras",
        sha256=shape.name,
        bytes=0,
        keras_version="",
        parameters=graph.parameters,
        made_by="random weights",
    )
    return SourceModel(graph=graph, source=source, warnings=())


def write_shapes(shapes: Sequence[Shape], out: Path, *, backend: str, scheme: Scheme) -> None:
    """Unchecked artefacts, one for each shape.  Raises OutputError, UnsupportedScheme."""
    random = np.random.default_rng(0)
    for shape in shapes:
        model = shaped_model(shape)
        ranges = None
        if scheme.needs_calibration:
            rows = (_CALIBRATION_ROWS, shape.steps, shape.features)
            samples = Samples(name="made-up", x=random.normal(size=rows).astype(np.float32))
            calibration = Calibration(spec=samples)
            ranges = calibration.of(float_graph(model.graph), lambda _phase: None).ranges
        request = Request(backends=(backend,), scheme=scheme, ranges=ranges, verify=False)
        export_model(model, out, request)
