"""The step model under construction: its layers so far, and the time axis of each edge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import NoReturn

import numpy as np

from edgernn.errors import UnsupportedLayer
from edgernn.graph import (
    Activate,
    Activation,
    ActivationKind,
    Affine,
    AnyNotEqual,
    ApplyMask,
    Concatenate,
    DType,
    Graph,
    Layer,
    Merge,
    MergeKind,
    Reshape,
    Shape,
    Slice,
    TensorSpec,
    Where,
    infer,
)
from edgernn.streaming.states import Ports


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """The relation of an edge of the step model to the whole model's edge of the same name."""

    is_sequence: bool  # axis 1 is the streamed time, one step of it; else there is no such axis
    # The first calls for which the whole model has no element.  Below zero: elements that the
    # whole model has before the first call, all of them zeros.
    warm_up: int = 0
    # Behind a stride: only each so manieth call has an element, the first one after the warm-up.
    period: int = 1

    @property
    def rhythm(self) -> tuple[int, int]:
        """Edges with the same one have an element in the same calls."""
        return self.warm_up, self.period


#: Without time: a parameter of the call, or the result for the sequence so far.
STILL = Time(is_sequence=False)


class Stepper:
    """Collects the layers of the step model."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.ports = Ports.of(graph)
        self.layers: list[Layer] = []
        self.specs: dict[str, TensorSpec] = {}
        self.times: dict[str, Time] = {}
        self.renamed: dict[str, str] = {}  # edges of the whole model with another name here
        self._names = {layer.name for layer in graph.layers}
        self._ready: dict[int, str] = {}
        self._ticks: dict[tuple[int, int], str] = {}

    def define(self, edge: str, spec: TensorSpec, time: Time) -> None:
        self.specs[edge] = spec
        self.times[edge] = time

    def add(self, layer: Layer) -> str:
        """Adds a layer; its first output."""
        self.layers.append(layer)
        written = infer(layer, [self.specs[edge] for edge in layer.reads])
        self.specs.update(zip(layer.writes, written, strict=True))
        return layer.writes[0]

    def new_state(self, wanted: str, shape: Shape, dtype: DType = DType.FLOAT32) -> str:
        """An input for the previous call's state, first zeros; `ports.hand_on` must follow."""
        name = self.ports.new_state(wanted, shape, dtype)
        self.define(name, TensorSpec(shape=shape, dtype=dtype), STILL)
        return name

    def name(self, wanted: str) -> str:
        """`wanted`, or a variant that is no name of a layer or edge."""
        name = self.ports.unique(wanted)
        while name in self._names:
            name = self.ports.unique(wanted)
        self._names.add(name)
        return name

    def shift(
        self, layer: Layer, purpose: str, newest: str, length: int, *, tick: str | None = None
    ) -> str:
        """The newest element with the `length` before it, [B, length + 1, ...]: a state.

        tick: in which calls there is an element, bool [B, 1]; None: in all of them.
        """
        spec = self.specs[newest]
        shape = (spec.shape[0], length, *spec.shape[2:])
        state = self.new_state(f"{layer.name}_{purpose}", shape, spec.dtype)
        joined = self.name(f"{layer.name}/{purpose}")
        self.add(Concatenate(name=joined, inputs=(state, newest), output=joined, axis=1))
        kept = self.name(f"{layer.name}/{purpose}/kept")
        self.add(Slice(name=kept, input=joined, output=kept, axis=1, start=1))
        self.ports.hand_on(
            state, kept if tick is None else self.chosen(layer, purpose, tick, kept, state)
        )
        return joined

    def chosen(self, layer: Layer, purpose: str, tick: str, then: str, otherwise: str) -> str:
        """`then` in the calls of `tick` (bool [B, 1]), else `otherwise`."""
        marks, name = tick, self.name(f"{layer.name}/{purpose}/chosen")
        rank = self.specs[then].rank
        if rank > 2:
            marks = self.name(f"{layer.name}/{purpose}/tick")
            self.add(Reshape(name=marks, input=tick, output=marks, target=(1,) * (rank - 1)))
        return self.add(
            Where(name=name, condition=marks, then=then, otherwise=otherwise, output=name)
        )

    def held(self, layer: Layer, edge: str) -> str:
        """The newest element of `edge`, also in calls that have none."""
        time = self.times[edge]
        if time.period == 1:
            return edge
        spec = self.specs[edge]
        state = self.new_state(f"{layer.name}_held", spec.shape, spec.dtype)
        tick = self.tick(layer, edge)
        kept = self.chosen(layer, "held", tick, edge, state)
        self.ports.hand_on(state, kept)
        self.times[kept] = replace(time, period=1)
        return kept

    def ones(self, layer: Layer, like: str) -> str:
        """float [B, 1, 1], all 1; computed from the sequence `like`: graphs have no constants."""
        shape = self.specs[like].shape
        if len(shape) > 3:  # a row of an image
            flat = self.name(f"{layer.name}/flat")
            width = prod(size or 1 for size in shape[2:])
            like = self.add(Reshape(name=flat, input=like, output=flat, target=(1, width)))
        first = self.name(f"{layer.name}/first_feature")
        self.add(Slice(name=first, input=like, output=first, axis=2, stop=1))
        one = self.name(f"{layer.name}/one")
        nothing, unit = np.zeros(1, np.float32), np.ones(1, np.float32)
        return self.add(Affine(name=one, input=first, output=one, scale=nothing, offset=unit))

    def ready(self, layer: Layer, like: str, warm_up: int) -> str:
        """bool [B, 1]: at least `warm_up` calls came before this one."""
        if warm_up not in self._ready:
            one = self.ones(layer, like)
            true = self.name(f"{layer.name}/true")
            self.add(AnyNotEqual(name=true, input=one, output=true, value=0.0))
            calls = self.shift(layer, "calls", true, warm_up)
            oldest = self.name(f"{layer.name}/ready")
            self.add(Slice(name=oldest, input=calls, output=oldest, axis=1, stop=1))
            self._ready[warm_up] = oldest
        return self._ready[warm_up]

    def tick(self, layer: Layer, edge: str) -> str:
        """bool [B, 1]: this call has an element of `edge`, which is behind a stride.

        `left` is how many calls come before the next one: at 0, period - 1 are left again.
        """
        warm_up, period = self.times[edge].rhythm
        if (warm_up, period) in self._ticks:
            return self._ticks[warm_up, period]
        like = next(entry for entry in self.ports.inputs if self.times[entry.name].is_sequence)
        batch = self.specs[like.name].shape[0]
        left = self.new_state(f"{layer.name}_left", (batch, 1, 1))
        due = self._rectified(layer, "due", left, -1.0, 1.0)
        if warm_up > 0:
            ready, started = self.ready(layer, edge, warm_up), self.name(f"{layer.name}/first")
            due = self.add(ApplyMask(name=started, input=due, mask=ready, output=started))
        fewer = self._rectified(layer, "fewer", left, 1.0, -1.0)
        again = self._scaled(layer, "again", due, float(period - 1), 0.0)
        next_left = self.name(f"{layer.name}/left")
        both = (fewer, again)
        self.add(Merge(name=next_left, inputs=both, output=next_left, kind=MergeKind.ADD))
        self.ports.hand_on(left, next_left)
        tick = self.name(f"{layer.name}/tick")
        self.add(AnyNotEqual(name=tick, input=due, output=tick, value=0.0))
        self._ticks[warm_up, period] = tick
        return tick

    def _scaled(self, layer: Layer, wanted: str, edge: str, scale: float, offset: float) -> str:
        name = self.name(f"{layer.name}/{wanted}")
        factor, term = np.array([scale], np.float32), np.array([offset], np.float32)
        return self.add(Affine(name=name, input=edge, output=name, scale=factor, offset=term))

    def _rectified(self, layer: Layer, wanted: str, edge: str, scale: float, offset: float) -> str:
        scaled, name = self._scaled(layer, wanted, edge, scale, offset), f"{layer.name}/{wanted}+"
        name = self.name(name)
        positive = Activation(kind=ActivationKind.RELU)
        return self.add(Activate(name=name, input=scaled, output=name, activation=positive))

    def valid_steps(self, layer: Layer, edge: str, mask: str | None) -> str | None:
        """The mask bool [B, 1] of valid steps of `edge`; None if all are valid."""
        warm_up, period = self.times[edge].rhythm
        if warm_up <= 0 and period == 1:
            return mask
        ready = self.tick(layer, edge) if period > 1 else self.ready(layer, edge, warm_up)
        if mask is None:
            return ready
        both = self.name(f"{layer.name}/counts")
        merged = Merge(name=both, inputs=(mask, ready), output=both, kind=MergeKind.AND)
        return self.add(merged)

    def silent_before_start(self, layer: Layer, edge: str) -> str:
        """The edge, with zeros for the steps of its warm-up."""
        ready = self.valid_steps(layer, edge, None)
        if ready is None:
            return edge
        if self.specs[edge].rank != 3:
            self.refuse(
                layer,
                "pads an image whose first rows a layer before it does not have yet",
                "Pad in front of the first convolution",
            )
        name = self.name(f"{layer.name}/started")
        return self.add(ApplyMask(name=name, input=edge, mask=ready, output=name))

    def refuse(self, layer: Layer, reason: str, remedy: str) -> NoReturn:
        raise UnsupportedLayer(
            layer=layer.name,
            kind=type(layer).__name__,
            where=f"the streaming form of '{self.graph.name}'",
            reason=reason,
            remedy=remedy,
        )
