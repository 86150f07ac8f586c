"""Collects graph layers with unique names and known shapes while a model is read."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from edgernn.errors import ModelFileError
from edgernn.export.keras.config import LayerConfig
from edgernn.export.keras.nodes import RESAVE
from edgernn.graph import (
    ApplyMask,
    Concatenate,
    DType,
    Graph,
    Input,
    Layer,
    Moving,
    Output,
    Shape,
    ShapeError,
    TensorSpec,
    WrongType,
    infer,
    moved_edges,
)

#: A config of a few kilobytes can call nested models 10^n times.
MAX_LAYERS: Final = 20_000


class GraphBuilder:
    """A graph under construction.  Layers are added in the order in which they run."""

    def __init__(self) -> None:
        self._inputs: dict[str, Input] = {}
        self._layers: list[Layer] = []
        self._specs: dict[str, TensorSpec] = {}
        self._writers: dict[str, Layer] = {}
        self._names: set[str] = set()
        #: Masks by their inputs, so that equal masks are computed once.
        self.masks: dict[tuple[str, ...], str] = {}
        #: Edges whose mask a layer has taken off: Keras finds none there any more.
        self.unmasked: set[str] = set()

    def unique(self, wanted: str) -> str:
        """Reserves and returns `wanted`, or wanted_1, wanted_2, ... if it is taken."""
        name, number = wanted, 0
        while name in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name)
        return name

    def add_input(self, name: str, spec: TensorSpec) -> str:
        """Declares an argument of the model; returns its edge."""
        edge = self.unique(name)
        self._inputs[edge] = Input(name=edge, spec=spec)
        self._specs[edge] = spec
        return edge

    def add(self, layer: Layer, source: LayerConfig) -> None:
        """Appends `layer`, made of the Keras layer `source`.

        Raises ModelFileError if shapes do not fit, UnsupportedLayer if types do not.
        """
        if len(self._layers) >= MAX_LAYERS:
            raise ModelFileError(
                f"the model has more than {MAX_LAYERS} layers when its nested "
                "models are written out",
                remedy="Export a smaller part of it",
            )
        try:
            written = infer(layer, [self._specs[edge] for edge in layer.reads])
        except WrongType as error:
            raise source.unsupported(
                f"uses an input as numbers that is tokens elsewhere ({error})",
                "Give the model an input for each use",
            ) from error
        except ShapeError as error:
            raise ModelFileError(
                f"the config of the {source.kind} layer '{source.name}' in {source.where} "
                f"contradicts itself: {error}",
                remedy=RESAVE,
            ) from error
        for edge, spec in zip(layer.writes, written, strict=True):
            self._specs[edge] = spec
            self._writers[edge] = layer
        self._layers.append(layer)

    def writer(self, edge: str) -> Layer | None:
        """The layer that writes `edge`; None for an input."""
        return self._writers.get(edge)

    def shape(self, edge: str) -> Shape:
        return self._specs[edge].shape

    def rank(self, edge: str) -> int:
        return self._specs[edge].rank

    def dtype(self, edge: str) -> DType:
        return self._specs[edge].dtype

    def as_tokens(self, edge: str, source: LayerConfig) -> None:
        """Makes the inputs that `edge` comes from integers, which Keras casts silently.

        Raises UnsupportedLayer if `edge` is the result of a computation.
        """
        if self._specs[edge].dtype is DType.INT32:
            return
        if edge in self._inputs:
            spec = replace(self._inputs[edge].spec, dtype=DType.INT32)
            self._inputs[edge] = replace(self._inputs[edge], spec=spec)
            self._specs[edge] = spec
            return
        writer = self._writers[edge]
        if not isinstance(writer, Moving | Concatenate) or isinstance(writer, ApplyMask):
            raise source.unsupported(
                f"takes tokens, but '{writer.name}' computes real numbers for it",
                "Feed it from an input of the model",
            )
        for moved in moved_edges(writer):
            self.as_tokens(moved, source)
        self._specs[edge] = replace(self._specs[edge], dtype=DType.INT32)

    def graph(self, name: str, outputs: tuple[Output, ...]) -> Graph:
        """The finished graph.  Raises GraphError (a ValueError) if tokens are used as numbers."""
        return Graph(
            name=name,
            inputs=tuple(self._inputs.values()),
            layers=tuple(self._layers),
            outputs=outputs,
        )
