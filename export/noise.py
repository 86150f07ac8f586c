"""How loud quantization is beside what a model says: errors in units of the outputs' spread.

A number says something by how it varies from row to row.  An output of 293 ± 0.5 that is off by 0.5
is worthless, though it is off by 0.2 % of its size.  So errors are divided by a standard deviation,
not by a magnitude.

Numbers that share a unit (probabilities, states in [-1, 1]) are compared with their common spread:
a class that never occurs in the data varies by nothing, and its errors do no harm.  Others (a
temperature beside a pressure) are compared with their own spread each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log10
from typing import Final

import numpy as np
import numpy.typing as npt

from edgernn.graph import (
    Activate,
    Activation,
    ActivationKind,
    AnyArray,
    Conv1D,
    Dense,
    Graph,
    Layer,
    Recurrent,
    moved_edges,
    producer,
)

#: A spread below this share of the largest magnitude is what float32 leaves of it.
LEAST_OF_MAGNITUDE: Final = 1e-5

#: A number that varies by less than this share of the others' spread is a constant beside them.
LEAST_OF_OTHERS: Final = 1e-3

#: Numbers that share a unit and vary by less than this do not decide (edgernn.export.mean_error):
#: where every row gives the same class, a tenth of a point of its probability may be no noise; of
#: a rare event it may be all.
LEAST_SHARED: Final = 0.01

#: Fewer rows do not show how each number varies: all numbers of the output stand for one.
FEWEST_ROWS: Final = 4

#: Where all numbers are zero, any unit does.
_SMALLEST: Final = 1e-30

_BOUNDED: Final = (
    ActivationKind.SIGMOID,
    ActivationKind.HARD_SIGMOID,
    ActivationKind.TANH,
    ActivationKind.SOFTMAX,
    ActivationKind.LOG_SOFTMAX,
    ActivationKind.SOFTSIGN,
)

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spread:
    """How an output varies over the rows that it was seen in.

    deviation: the standard deviation of each number along the last axis, [channels]; [1] where all
    numbers stand for one.  shared: whether they do because they are of one unit.
    """

    deviation: _Floats
    shared: bool = False

    @property
    def at_least_shared(self) -> Spread:
        """LEAST_SHARED in place of a smaller spread of numbers of one unit; else the same one."""
        if not self.shared or self.deviation[0] >= LEAST_SHARED:
            return self
        return Spread(deviation=np.array([LEAST_SHARED]), shared=True)

    def noise(self, exact: Sequence[AnyArray], given: Sequence[AnyArray]) -> Noise:
        """What `given` adds to `exact`, call by call; infinite for another shape or another NaN."""
        if any(here.shape != there.shape for here, there in zip(given, exact, strict=True)):
            return Noise(mean=inf, power=inf)
        wanted, found = _rows(exact), _rows(given)
        same = (wanted == found) | (np.isnan(wanted) & np.isnan(found))
        off = np.abs(np.subtract(found, wanted, where=~same, out=np.zeros_like(wanted)))
        if not np.isfinite(off).all():
            return Noise(mean=inf, power=inf)
        if not off.size:
            return Noise(mean=0.0, power=0.0)
        off = off.reshape(-1, self.deviation.size) / self.deviation
        return Noise(mean=_mean(off), power=_mean(np.square(off)))

    def by_row(self, exact: AnyArray, given: AnyArray) -> _Floats:
        """The mean |error| of each row [B, ...] in units of the spread; infinite as in `noise`."""
        if given.shape != exact.shape:
            return np.full(len(exact), inf)
        return np.array(
            [
                self.noise([exact[row : row + 1]], [given[row : row + 1]]).mean
                for row in range(len(exact))
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Errors in units of the spread: the mean |error|, and the mean square.

    Of numbers with a spread of their own, each counts for 1 at most: one that is lost is lost.
    """

    mean: float
    power: float

    @property
    def snr_db(self) -> float:
        """10 log10 of the outputs' variance over that of the error; infinite without any error."""
        if self.power == 0:
            return inf
        return -inf if self.power == inf else -10 * log10(self.power)


def spread(exact: Sequence[AnyArray], *, shared: bool) -> Spread:
    """Of an output over several calls, each [B, ..., channels] or [B]; NaN is left out.

    shared: whether all its numbers are of one unit (see `shares_a_unit`).
    """
    rows = _rows(exact)
    if len(rows) < FEWEST_ROWS:
        rows = rows.reshape(-1, 1)
    known = np.isfinite(rows)
    values = np.where(known, rows, 0.0)
    count = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, values - values.sum(axis=0) / count, 0.0)
    variance = np.square(centred).sum(axis=0) / count
    together = float(np.sqrt(variance.mean())) if variance.size else 0.0
    largest = np.abs(values).max(axis=0, initial=0.0)
    if shared:
        least = max(LEAST_OF_MAGNITUDE * float(largest.max(initial=0.0)), _SMALLEST)
        return Spread(deviation=np.array([max(together, least)]), shared=True)
    least = np.maximum(LEAST_OF_MAGNITUDE * largest, LEAST_OF_OTHERS * together)
    deviation = np.maximum(np.sqrt(variance), least)
    return Spread(deviation=np.where(deviation > 0, deviation, LEAST_SHARED))


def shares_a_unit(graph: Graph, edge: str) -> bool:
    """Whether the numbers of `edge` are of one unit by design: probabilities, states."""
    layer = producer(graph, edge)
    if layer is None:
        return False
    if isinstance(layer, Recurrent):
        return True
    moved = moved_edges(layer)
    if moved:
        return all(shares_a_unit(graph, source) for source in moved)
    activation = _activation(layer)
    return activation is not None and activation.kind in _BOUNDED


def _activation(layer: Layer) -> Activation | None:
    return layer.activation if isinstance(layer, Activate | Dense | Conv1D) else None


def _rows(calls: Sequence[AnyArray]) -> _Floats:
    """All rows and steps of all calls below each other: [rows, channels]."""
    return np.concatenate(
        [
            array.astype(np.float64).reshape(-1, array.shape[-1] if array.ndim > 1 else 1)
            for array in calls
        ]
    )


def _mean(off: _Floats) -> float:
    """The mean over numbers; one with a spread of its own counts for 1 at most beside others."""
    by_number = off.mean(axis=0)
    return float((np.minimum(by_number, 1.0) if by_number.size > 1 else by_number).mean())
