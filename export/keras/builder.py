"""Collects graph layers with unique names and known shapes while a model is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from edgernn.errors import ModelFileError
from edgernn.export.keras.config import LayerConfig
from edgernn.export.keras.nodes import RESAVE
from edgernn.export.keras.whole_numbers import Whole, behind, of_type, refusal
from edgernn.graph import (
    ApplyMask,
    Cast,
    Concatenate,
    Dot,
    DType,
    Embedding,
    Graph,
    Input,
    Layer,
    Merge,
    MergeKind,
    Moving,
    NotEqual,
    Output,
    Shape,
    ShapeError,
    TensorSpec,
    Where,
    WrongType,
    infer,
    moved_edges,
    with_edges,
)
from edgernn.recipe import SoundRecipe, TextRecipe

#: A config of a few kilobytes can call nested models 10^n times.
MAX_LAYERS: Final = 20_000


#: Where an input is both: of floats, or of integers, which are numbers as well as tokens.
ONE_USE: Final = (
    "Give the model an input for each use, or declare it as keras.Input(shape, dtype='int32')"
)

#: The words that a layer has learnt, in the order of their tokens, of its config.
Vocabularies: TypeAlias = Callable[[LayerConfig], list[str] | None]


def no_vocabulary(_layer: LayerConfig) -> list[str] | None:
    """Of files that hold vocabularies in configs only."""
    return None


def _computes(layer: Layer) -> bool:
    """Whether the layer takes floats only, or what it takes must be of one type."""
    if isinstance(layer, ApplyMask):
        return True
    return not isinstance(layer, Moving | Embedding | NotEqual | Cast)


class GraphBuilder:
    """A graph under construction.  Layers are added in the order in which they run."""

    def __init__(self, vocabularies: Vocabularies = no_vocabulary) -> None:
        #: The words that a layer of text has learnt, of a layer's config; None: it has none.
        self.vocabulary = vocabularies
        #: Inputs of text by their edges, which are no edges of the graph, and their shapes.
        self.strings: dict[str, Shape] = {}
        self._tokens: dict[str, str] = {}  # the inputs of the graph by edges of text
        self._sounds: dict[str, Shape] = {}  # of sound that a layer makes rows of, by input
        self._readers_of_rows: set[str] = set()
        self._declared: list[str] = []
        self._inputs: dict[str, Input] = {}
        self._layers: list[Layer] = []
        self._specs: dict[str, TensorSpec] = {}
        self._writers: dict[str, Layer] = {}
        self._names: set[str] = set()
        #: Inputs that Keras declares as numbers and an Embedding reads, and what moves them.
        self._tokens_by_use: set[str] = set()
        self._numbers: dict[str, str] = {}  # edges of integers or masks, and the same as floats
        #: Masks by their inputs, so that equal masks are computed once.
        self.masks: dict[tuple[str, ...], str] = {}
        #: Edges whose mask a layer has taken off: Keras finds none there any more.
        self.unmasked: set[str] = set()
        #: Edges that are of an integer type in Keras.
        self.wholes: dict[str, Whole] = {}

    def unique(self, wanted: str) -> str:
        """Reserves and returns `wanted`, or wanted_1, wanted_2, ... if it is taken."""
        name, number = wanted, 0
        while name in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name)
        return name

    def add_input(self, name: str, spec: TensorSpec, declared: str = "float32") -> str:
        """Declares an argument of the model, of the type that Keras gives it; returns its edge."""
        edge = self.unique(name)
        self._declared.append(edge)
        self._inputs[edge] = Input(name=edge, spec=spec)
        self._specs[edge] = spec
        self.note_whole(edge, of_type(declared))
        return edge

    def add_strings(self, name: str, shape: Shape) -> str:
        """Declares an argument of text; returns an edge for `tokens_of`."""
        edge = self.unique(name)
        self._declared.append(edge)
        strings = self.unique(f"{edge}/text")
        self._tokens[strings] = edge
        self.strings[strings] = shape
        return strings

    def tokens_of(self, strings: str, spec: TensorSpec, recipe: TextRecipe) -> str | None:
        """The edge of a text's tokens; None where the model has other tokens of text already."""
        edge = self._tokens[strings]
        made = Input(name=edge, spec=spec, text=recipe)
        others = [entry for entry in self._inputs.values() if entry.text is not None]
        if any(entry != made for entry in others):
            return None
        self._inputs[edge] = made
        self._specs[edge] = spec
        highest = max(len(recipe.vocabulary) - 1, recipe.unknown or 0)
        self.note_whole(edge, Whole(dtype="int64", low=0, high=highest))  # as Keras has tokens
        return edge

    def sound_shape(self, edge: str) -> Shape | None:
        """Of an input of floats that can be sound, as Keras has it; None for other edges."""
        entry = self._inputs.get(edge)
        if entry is None or entry.spec.dtype is not DType.FLOAT32:
            return None
        return self._sounds.get(edge, entry.spec.shape)

    def rows_of(
        self, edge: str, spec: TensorSpec, recipe: SoundRecipe, *, readers: tuple[str, ...]
    ) -> bool:
        """Makes the input of sound one of the rows that `recipe` makes; False where it cannot.

        readers: the layers that take the rows; all others would take sound.  It cannot where
        another layer reads the sound, or other features are made of it or of another input.
        """
        entry = self._inputs[edge]
        others = [one for one in self._inputs.values() if one.sound is not None and one != entry]
        is_read = any(
            edge in layer.reads and layer.name not in self._readers_of_rows
            for layer in self._layers
        )
        if others or is_read or entry.sound not in (None, recipe):
            return False
        self._sounds.setdefault(edge, entry.spec.shape)
        self._inputs[edge] = Input(name=edge, spec=spec, sound=recipe)
        self._specs[edge] = spec
        self._readers_of_rows.update(readers)
        return True

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
        if isinstance(layer, Dot) and self.wholes.keys() >= set(layer.reads):
            raise refusal(source, "multiplies matrices of whole numbers")
        whole = behind(layer, self.wholes)
        layer = self._reading_numbers(layer, source)
        try:
            written = infer(layer, [self._specs[edge] for edge in layer.reads])
        except WrongType as error:
            raise source.unsupported(
                f"uses an input as numbers that is tokens elsewhere ({error})",
                ONE_USE,
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
            self.note_whole(edge, whole)
        if isinstance(layer, Moving) and layer.input in self._tokens_by_use:
            self._tokens_by_use.update(layer.writes)
        self._layers.append(layer)

    def note_whole(self, edge: str, whole: Whole | None) -> None:
        """Says that Keras has whole numbers of a type at `edge`; nothing where it has others."""
        if whole is not None:
            self.wholes[edge] = whole

    def as_numbers(self, edge: str, source: LayerConfig) -> str:
        """The integers or the mask of `edge` as floats; `edge` itself where they are floats.

        Raises UnsupportedLayer for an input that an Embedding has made tokens of: Keras gives it
        floats, of which the exported model would see whole numbers only.
        """
        if self._specs[edge].dtype is DType.FLOAT32:
            return edge
        if edge in self._tokens_by_use:
            raise source.unsupported("uses an input as numbers that is tokens elsewhere", ONE_USE)
        if edge not in self._numbers:
            name = self._numbers[edge] = self.unique(f"{edge}/numbers")
            self.add(Cast(name=name, input=edge, output=name), source)
        return self._numbers[edge]

    def _reading_numbers(self, layer: Layer, source: LayerConfig) -> Layer:
        """The layer, with integers as floats where it computes with them, as Keras casts them."""
        adds_up = isinstance(layer, Merge) and layer.kind not in (MergeKind.AND, MergeKind.OR)
        whole = (DType.INT32, DType.BOOL) if adds_up else (DType.INT32,)
        integers = [edge for edge in layer.reads if self._specs[edge].dtype in whole]
        if not integers or not _computes(layer):
            return layer
        if isinstance(layer, Concatenate | Where) and all(
            self._specs[edge].dtype is not DType.FLOAT32 for edge in layer.reads
        ):
            return layer
        return with_edges(layer, {edge: self.as_numbers(edge, source) for edge in integers})

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
        self._tokens_by_use.add(edge)
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

    def is_sound(self, edge: str) -> bool:
        """Whether Keras has sound at `edge`, of which the graph has the features."""
        return edge in self._sounds

    @property
    def unread_strings(self) -> list[str]:
        """Inputs of text that no layer made tokens of."""
        return [name for name in self._declared if name not in self._inputs]

    def graph(self, name: str, outputs: tuple[Output, ...]) -> Graph:
        """The finished graph.  Raises GraphError (a ValueError) if tokens are used as numbers."""
        return Graph(
            name=name,
            inputs=tuple(self._inputs[name] for name in self._declared if name in self._inputs),
            layers=tuple(self._layers),
            outputs=outputs,
        )
