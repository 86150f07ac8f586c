"""The extremes of edges and of values inside cells, collected batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn.export.quantization.chosen import BoolArray
from edgernn.export.quantization.histogram import Histogram
from edgernn.graph import (
    Activation,
    ActivationKind,
    AnyArray,
    CalibrationMethod,
    Features,
    FloatArray,
    Graph,
    Multiplying,
    Range,
    Ranges,
    Recurrent,
    SimpleRnn,
)

# Beyond these a sigmoid or a tanh is flat to an 8-bit integer.
_SIGMOID_CLIP: Final = 8.0
_TANH_CLIP: Final = 4.0


@dataclass(slots=True, kw_only=True)
class _Seen:
    """Extremes of one quantity by channel, its mean, its distribution if the method needs it."""

    low: FloatArray
    high: FloatArray
    histogram: Histogram | None
    total: float = 0.0
    count: int = 0

    def add(self, rows: FloatArray, read: BoolArray | None = None) -> None:
        """rows: [any, channels].  read: which of the numbers count; None stands for all."""
        least = most = rows
        if read is not None:
            least, most = np.where(read, rows, np.inf), np.where(read, rows, -np.inf)
            rows = rows[read]
        np.minimum(self.low, least.min(axis=0), out=self.low)
        np.maximum(self.high, most.max(axis=0), out=self.high)
        self.total += float(rows.sum(dtype=np.float64))
        self.count += rows.size
        if self.histogram is not None:
            self.histogram.add(rows)

    def merge(self, other: _Seen) -> None:
        """Without histograms."""
        np.minimum(self.low, other.low, out=self.low)
        np.maximum(self.high, other.high, out=self.high)
        self.total += other.total
        self.count += other.count


@dataclass(slots=True, kw_only=True)
class _Moments:
    """Extremes, mean and variance of channels; sums are of differences from the first row."""

    first: FloatArray
    low: FloatArray
    high: FloatArray
    sums: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]
    count: int = 0

    @classmethod
    def zero(cls, rows: FloatArray) -> _Moments:
        first, nothing = rows[0].copy(), np.zeros(rows.shape[1])
        return cls(first=first, low=first, high=first, sums=nothing.copy(), squares=nothing.copy())

    def add(self, rows: FloatArray) -> None:
        self.low = np.minimum(self.low, rows.min(axis=0))
        self.high = np.maximum(self.high, rows.max(axis=0))
        moved = rows.astype(np.float64) - self.first
        self.sums += moved.sum(axis=0)
        self.squares += np.square(moved).sum(axis=0)
        self.count += len(rows)

    def merge(self, other: _Moments) -> None:
        self.low = np.minimum(self.low, other.low)
        self.high = np.maximum(self.high, other.high)
        moved = other.first.astype(np.float64) - self.first
        self.squares += other.squares + 2 * moved * other.sums + other.count * np.square(moved)
        self.sums += other.sums + other.count * moved
        self.count += other.count

    def features(self) -> Features:
        mean = self.sums / self.count
        variance = np.maximum(self.squares / self.count - np.square(mean), 0.0)
        return Features(
            low=self.low,
            high=self.high,
            mean=(mean + self.first).astype(np.float32),
            deviation=np.sqrt(variance).astype(np.float32),
        )


@dataclass(slots=True, kw_only=True)
class Extremes:
    """Collects the ranges batch by batch."""

    graph: Graph
    method: CalibrationMethod
    edges: dict[str, _Seen] = field(default_factory=dict)
    unread: dict[str, _Seen] = field(default_factory=dict)
    cells: dict[str, dict[str, _Seen]] = field(default_factory=dict)
    inputs: dict[str, _Moments] = field(default_factory=dict)

    def add_inputs(self, edges: Mapping[str, AnyArray]) -> None:
        """What layers that multiply read, without the steps that a mask hides from them."""
        for layer in self.graph.layers:
            if not isinstance(layer, Multiplying):
                continue
            value = edges[layer.input]
            mask = layer.mask if isinstance(layer, Recurrent) else None
            rows = value.reshape(-1, value.shape[-1]) if mask is None else value[edges[mask]]
            if len(rows):
                self.inputs.setdefault(layer.name, _Moments.zero(rows)).add(rows)

    def add_edge(self, name: str, value: FloatArray, read: BoolArray | None = None) -> None:
        """read: which elements are read; None stands for all.  Of an edge of which none is ever
        read, the finite ones count: nothing else is known of it.
        """
        if read is None or read.any():
            self._add(self.edges, name, value, read)
        else:
            is_finite = np.isfinite(value)
            finite = np.where(is_finite, value, np.float32(0))
            self._add(self.unread, name, finite, is_finite if is_finite.any() else None)

    def merge(self, other: Extremes) -> None:
        """Adds what another one saw of other rows, as if it had been seen here; no histograms."""
        cells = dict.fromkeys((*self.cells, *other.cells))
        for mine, its in (
            (self.edges, other.edges),
            (self.unread, other.unread),
            *((self.cells.setdefault(name, {}), other.cells.get(name, {})) for name in cells),
        ):
            for name, seen in its.items():
                if name in mine:
                    mine[name].merge(seen)
                else:
                    mine[name] = seen
        for name, moments in other.inputs.items():
            if name in self.inputs:
                self.inputs[name].merge(moments)
            else:
                self.inputs[name] = moments

    def add_cell(self, layer: Recurrent, taps: Mapping[str, FloatArray]) -> None:
        for tap, value in taps.items():
            self._add(self.cells.setdefault(layer.name, {}), tap, value)

    def _add(
        self,
        seen: dict[str, _Seen],
        name: str,
        value: FloatArray,
        read: BoolArray | None = None,
    ) -> None:
        rows = value.reshape(-1, value.shape[-1]) if value.ndim else value.reshape(1, 1)
        if rows.size == 0:
            return
        if name not in seen:
            nothing = np.full(rows.shape[1], np.inf, np.float32)
            seen[name] = _Seen(
                low=nothing,
                high=-nothing,
                histogram=None if self.method is CalibrationMethod.MINMAX else Histogram(),
            )
        seen[name].add(rows, None if read is None else read.reshape(rows.shape))

    def ranges(self, graph_fingerprint: str, *, samples: int, warnings: tuple[str, ...]) -> Ranges:
        layers = {layer.name: layer for layer in self.graph.layers if isinstance(layer, Recurrent)}
        return Ranges(
            graph_fingerprint=graph_fingerprint,
            method=self.method,
            samples=samples,
            edges={name: self._range(seen) for name, seen in {**self.unread, **self.edges}.items()},
            cells={
                name: {
                    tap: self._range(seen, clip=_clip(layers[name], tap))
                    for tap, seen in taps.items()
                }
                for name, taps in self.cells.items()
            },
            inputs={name: seen.features() for name, seen in self.inputs.items()},
            warnings=warnings,
        )

    def _range(self, seen: _Seen, clip: float = float("inf")) -> Range:
        low, high = float(seen.low.min()), float(seen.high.max())
        if seen.histogram is not None:
            drawn_low, drawn_high = seen.histogram.interval(self.method)
            low, high = max(low, drawn_low), min(high, drawn_high)
        never = seen.low > seen.high  # channels of which nothing was read
        return Range(
            low=min(max(low, -clip), clip),
            high=min(max(high, -clip), clip),
            channel_low=np.where(never, np.float32(low), seen.low),
            channel_high=np.where(never, np.float32(high), seen.high),
            mean=seen.total / seen.count,
        )


def _clip(layer: Recurrent, tap: str) -> float:
    """Where integers for what enters an activation may end."""
    if not tap.startswith("pre."):
        return float("inf")
    is_candidate = isinstance(layer, SimpleRnn) or tap in {"pre.h", "pre.c"}
    activation: Activation = layer.activation
    if not is_candidate and not isinstance(layer, SimpleRnn):
        activation = layer.recurrent_activation
    if activation.kind is ActivationKind.TANH:
        return _TANH_CLIP
    return _SIGMOID_CLIP if activation.kind is ActivationKind.SIGMOID else float("inf")
