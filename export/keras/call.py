"""One call of a Keras layer: the argument of the functions that translate it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np

from edgernn.export.keras.builder import GraphBuilder
from edgernn.export.keras.config import LayerConfig
from edgernn.export.keras.version import KerasVersion
from edgernn.graph import FloatArray, Layer, Shape

#: A mask exists, but not as [B, T] for this tensor; an error only if a layer reads it.
UNREADABLE_MASK: Final = "\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A symbolic tensor: its edge in the graph and the edge of its mask (bool [B, T])."""

    edge: str
    mask: str | None = None


#: Arrays of one layer by variable name.
LayerWeights: TypeAlias = Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`layer` called on `inputs`; `name` is unique in the graph and also names its main edge."""

    layer: LayerConfig
    name: str
    inputs: tuple[Tensor, ...]  # the first argument, flattened
    masks: tuple[str | None, ...]  # the layer's `mask` argument, one per input
    previous: tuple[str | None, ...]  # the masks from which its results' masks are computed
    kwargs: Mapping[str, Any]  # tensors in place of references
    extra: tuple[Any, ...] = ()  # positional arguments after the first
    weights: Callable[[LayerConfig], LayerWeights]
    keras: KerasVersion
    builder: GraphBuilder
    derived: dict[tuple[tuple[str, ...], str], FloatArray] = field(default_factory=dict)
    #: Calls a layer inside this one under a unique name; the tensors' masks are passed to it.
    inner: Callable[[LayerConfig, Sequence[Tensor], str], list[Tensor]]

    @property
    def edge(self) -> str:
        """The only input's edge."""
        if len(self.inputs) != 1:
            raise self.layer.damaged(f"is called on {len(self.inputs)} tensors instead of one")
        return self.inputs[0].edge

    @property
    def mask(self) -> str | None:
        """The mask of the first input, for a layer that reads it."""
        mask = self.masks[0] if self.masks else None
        return self.readable(mask)

    def readable(self, mask: str | None) -> str | None:
        if mask == UNREADABLE_MASK:
            raise self.layer.unsupported(
                "reads a mask that comes through a TimeDistributed layer",
                "Apply the masked layer outside of TimeDistributed",
            )
        return mask

    @property
    def shape(self) -> Shape:
        return self.builder.shape(self.edge)

    @property
    def rank(self) -> int:
        return len(self.shape)

    def add(self, layer: Layer) -> None:
        self.builder.add(layer, self.layer)

    def aside(self, suffix: str) -> str:
        """A unique name for another layer or edge of this call."""
        return self.builder.unique(f"{self.name}/{suffix}")

    def weight(
        self, name: str, shape: tuple[int | None, ...], owner: LayerConfig | None = None
    ) -> FloatArray:
        """An array of this layer, or of the layer `owner` inside it.

        Raises ModelFileError if its shape is not `shape` (None: any).
        """
        owner = owner or self.layer
        array = self.weights(owner)[name]
        fits = array.ndim == len(shape) and all(
            wanted is None or size == wanted
            for size, wanted in zip(array.shape, shape, strict=True)
        )
        if not fits:
            raise owner.damaged(
                f"has a {name} of shape {array.shape}, where its config asks for "
                f"({', '.join('any' if size is None else str(size) for size in shape)})"
            )
        return array

    def optional_weight(
        self, name: str, shape: tuple[int | None, ...], owner: LayerConfig | None = None
    ) -> FloatArray | None:
        stored = self.weights(owner or self.layer)
        return self.weight(name, shape, owner) if name in stored else None

    def derive(self, name: str, compute: Callable[[], Any]) -> FloatArray:
        """An array computed from weights, once for all calls of a shared layer.

        Raises ModelFileError if the result is not finite.
        """
        key = (self.layer.path, name)
        if key not in self.derived:
            with np.errstate(all="ignore"):
                array = np.ascontiguousarray(compute(), np.float32)
            if not np.isfinite(array).all():
                raise self.layer.damaged(f"has weights whose {name} is not finite")
            self.derived[key] = array
        return self.derived[key]
