"""What calibration sees of the inputs of matrices: their mean and covariance, for the rounding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edgernn.graph import (
    AnyArray,
    Conv1D,
    Conv2D,
    Dense,
    FloatArray,
    Graph,
    Gru,
    Layer,
    Moments,
    Recurrent,
)
from edgernn.reference.convolution import windows
from edgernn.reference.images import windows2d

#: Inputs of a column: more would take 32 MB and seconds for each layer, which is then rounded to
#: nearest.
MOST_INPUTS: Final = 2048
#: Rows of one batch that are multiplied: neighbouring windows of an image say nearly the same.
MOST_ROWS: Final = 4096

_Linear: TypeAlias = Dense | Conv1D | Conv2D


@dataclass(slots=True, kw_only=True, eq=False)
class _Sum:
    """Of rows [groups, rows, K] and their products; all are differences from the first row.

    So large numbers that vary little keep their variance.
    """

    first: npt.NDArray[np.float64]  # [groups, 1, K]
    sums: npt.NDArray[np.float64]  # [groups, K]
    products: npt.NDArray[np.float64]  # [groups, K, K]
    rows: int = 0

    @classmethod
    def zero(cls, groups: FloatArray) -> _Sum:
        first = groups[:, :1].astype(np.float64)
        count, _, width = groups.shape
        return cls(
            first=first, sums=np.zeros((count, width)), products=np.zeros((count, width, width))
        )

    def add(self, groups: FloatArray, most_rows: int) -> None:
        every = -(-groups.shape[1] // most_rows)
        moved = groups[:, ::every] - self.first
        self.sums += moved.sum(axis=1)
        self.products += moved.transpose(0, 2, 1) @ moved
        self.rows += moved.shape[1]

    def merge(self, other: _Sum) -> None:
        """Adds what another one saw, as differences from this one's first row."""
        moved = (other.first - self.first)[:, 0]
        crossed = moved[:, :, None] * other.sums[:, None, :]
        square = other.rows * moved[:, :, None] * moved[:, None, :]
        self.products += other.products + crossed + crossed.transpose(0, 2, 1) + square
        self.sums += other.sums + other.rows * moved
        self.rows += other.rows

    def moments(self) -> Moments:
        mean = self.sums / self.rows
        between = mean[:, :, None] * mean[:, None, :]
        return Moments(mean=self.first[:, 0] + mean, covariance=self.products / self.rows - between)


@dataclass(slots=True, kw_only=True, eq=False)
class Products:
    """Collects them batch by batch: the steps of recurrent layers first, then the edges."""

    graph: Graph
    most_rows: int = MOST_ROWS
    sums: dict[str, _Sum] = field(default_factory=dict)
    of_candidates: dict[str, _Sum] = field(default_factory=dict)
    #: h, and r * h, that each step of this batch was fed with: [rows, H] each.
    fed: dict[str, list[tuple[FloatArray, FloatArray]]] = field(default_factory=dict)

    def add_step(self, layer: Recurrent, taps: Mapping[str, FloatArray]) -> None:
        fed = taps["fed"]
        self.fed.setdefault(layer.name, []).append((fed, taps.get("reset", fed)))

    def add(self, edges: Mapping[str, AnyArray]) -> None:
        """`edges`: the values of one batch, whose steps were added before."""
        for layer in self.graph.layers:
            size = inputs_of(layer)
            if size is None or size[1] > MOST_INPUTS:
                continue
            if isinstance(layer, Recurrent):
                self._add_recurrent(layer, edges)
            elif isinstance(layer, _Linear):
                _add(self.sums, layer.name, _rows(layer, edges[layer.input]), self.most_rows)
        self.fed.clear()

    def _add_recurrent(self, layer: Recurrent, edges: Mapping[str, AnyArray]) -> None:
        x = edges[layer.input].transpose(1, 0, 2)[:: -1 if layer.go_backwards else 1]
        if layer.mask is None:
            seen = x.reshape(-1, x.shape[-1])
        else:
            seen = x[edges[layer.mask].T[:: -1 if layer.go_backwards else 1]]
        h, reset = (np.concatenate(parts) for parts in zip(*self.fed[layer.name], strict=True))
        _add(self.sums, layer.name, np.concatenate([seen, h], axis=1)[None], self.most_rows)
        if isinstance(layer, Gru) and not layer.reset_after:
            fed = np.concatenate([seen, reset], axis=1)[None]
            _add(self.of_candidates, layer.name, fed, self.most_rows)

    def merge(self, other: Products) -> None:
        """Adds what another one saw of other rows."""
        for mine, its in ((self.sums, other.sums), (self.of_candidates, other.of_candidates)):
            for name, one in its.items():
                if name in mine:
                    mine[name].merge(one)
                else:
                    mine[name] = one

    def moments(self) -> dict[str, Moments]:
        return {name: total.moments() for name, total in self.sums.items()}

    def candidates(self) -> dict[str, Moments]:
        return {name: total.moments() for name, total in self.of_candidates.items()}


def _add(sums: dict[str, _Sum], name: str, groups: FloatArray, most_rows: int) -> None:
    if groups.shape[1]:  # a mask may have hidden all
        sums.setdefault(name, _Sum.zero(groups)).add(groups, most_rows)


def inputs_of(layer: Layer) -> tuple[int, int] | None:
    """(groups, numbers that a column of the layer's matrix multiplies); None without a matrix."""
    if isinstance(layer, Recurrent):
        return 1, layer.kernel.shape[0] + layer.units
    if isinstance(layer, Dense):
        return 1, layer.kernel.shape[0]
    if isinstance(layer, Conv1D | Conv2D):
        return layer.groups, int(np.prod(layer.kernel.shape[:-1]))
    return None


def _rows(layer: _Linear, x: FloatArray) -> FloatArray:
    """[groups, rows, K]"""
    if isinstance(layer, Dense):
        return x.reshape(1, -1, x.shape[-1])
    taken = windows(layer, x) if isinstance(layer, Conv1D) else windows2d(layer, x)
    window, channels = layer.kernel.shape[:-2], taken.shape[-1]
    by_group = taken.reshape(-1, int(np.prod(window)), layer.groups, channels // layer.groups)
    grouped = by_group.transpose(2, 0, 1, 3)
    return np.asarray(grouped.reshape(layer.groups, len(by_group), -1))
