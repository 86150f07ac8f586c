"""Chooses how fine each layer of an int8 file computes: by what 8 bits cost in that format.

Most layers lose less by 8-bit activations than by their rounded weights.  Some lose all: a gate
z = 0.999 has no neighbour but 1 on TFLite's grid of 1/256, so a slow memory stops.  So the noise of
each layer is measured on calibration rows, apart for weights and for activations, in the arithmetic
of each format; the loudest layers compute with 16 bits, or in float32, until the rest is quiet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from math import inf, isinf, log10
from typing import Final

import numpy as np

from edgernn.errors import UnsupportedLayer
from edgernn.export.backend import Arithmetic
from edgernn.export.float_runs import FloatRuns
from edgernn.export.noise import Spread, shares_a_unit, spread
from edgernn.export.propagation import Change
from edgernn.graph import (
    AnyArray,
    Dense,
    Embedding,
    Graph,
    Gru,
    Layer,
    Lstm,
    QTensor,
    SimpleRnn,
    as_float32,
)
from edgernn.reference import with_free_batch
from edgernn.side_by_side import side_by_side

#: Noise of all activations that the noise of the rounded weights hides, as a share of that: both
#: together have at most 1.15 times the error of the weights alone.
HIDDEN: Final = 0.3

#: Noise of all activations that is too loud, however loud the rounded weights are: 30 dB below the
#: outputs' variance, half of the mean error that the check of a file allows.
LOUD: Final = 1e-3

#: Where there is nothing finer, 16 bits that leave more than this share of the noise of 8 bits are
#: not worth their price: LiteRT's kernels of int16 take many times as long on CPUs.
_WORTH: Final = 0.25

#: Of the weights of a model: what a layer has at most whose 16 bits take no time to speak of.
_SMALL: Final = 0.1

_CELLS: Final = frozenset(kind.__name__ for kind in (SimpleRnn, Gru, Lstm))


class Fineness(str, Enum):
    """How a layer of int8 weights computes."""

    EIGHT = "8-bit activations"
    SIXTEEN = "16-bit inputs and states"
    FLOAT = "float32 activations"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationCost:
    """What one layer costs in one format: noise at the model's outputs over their variance."""

    layer: str
    kind: str  # the layer's class
    weights: float  # int8 weights, float32 activations
    activations: float  # what 8-bit activations add to that
    chosen: Fineness = Fineness.EIGHT
    left: float = inf  # what the chosen activations add
    coarse_by: str = ""  # why the layer does not get the finer activations that it needs

    @property
    def weights_snr_db(self) -> float:
        return decibel(self.weights)

    @property
    def activations_snr_db(self) -> float:
        return decibel(self.activations)


@dataclass(frozen=True, slots=True, kw_only=True)
class FineLayers:
    """The layers of one format that need more than 8 bits, and the costs that say so."""

    costs: tuple[ActivationCost, ...] = ()  # in the graph's order
    wide: tuple[str, ...] = field(default=())  # 16-bit inputs and states
    in_float: tuple[str, ...] = field(default=())
    #: Float gates and states beside products of integers, of a scale for each row.
    by_row: tuple[str, ...] = field(default=())

    @property
    def activations(self) -> float:
        """The noise of all layers with 8-bit activations, over the variance of the outputs."""
        return sum(cost.activations for cost in self.costs)

    @property
    def details(self) -> dict[str, str]:
        """A sentence for each chosen layer, as in `Artefact.details`."""
        return {
            f"layer {cost.layer}": _sentence(cost)
            for cost in self.costs
            if cost.chosen is not Fineness.EIGHT or cost.coarse_by
        }


@dataclass(frozen=True, slots=True)
class _Choice:
    """A way to compute a layer, and the noise that it leaves at the outputs."""

    fineness: Fineness
    left: float
    by_row: bool = False


#: (wide layers, layers in float, layers in float with products by row) -> the int8 graph
Quantize = Callable[[Sequence[str], Sequence[str], Sequence[str]], Graph]


@dataclass(slots=True, kw_only=True, eq=False)
class NoiseMeter:
    """Measures noise at the outputs of a float graph over some rows; formats share its runs."""

    runs: FloatRuns
    quantize: Quantize
    spreads: dict[str, Spread] = field(init=False)
    base: Graph = field(init=False)  # all layers with 8-bit activations
    #: The outputs where one layer of `base` alone has its int8 weights, and computes in float.
    rounded: dict[str, dict[str, AnyArray]] = field(init=False, default_factory=dict)
    #: What each layer of `base` writes in an arithmetic.
    eight: dict[tuple[Arithmetic, str], Change] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        graph, exact = self.runs.graph, self.runs.exact
        self.spreads = {
            edge: spread([exact[edge]], shared=shares_a_unit(graph, edge))
            for edge in self.runs.outputs
        }
        self.base = with_free_batch(self.quantize((), (), ()))

    def begin(self, arithmetics: Iterable[Arithmetic]) -> None:
        """Measures 8 bits in several formats together: their runs take the time of a few."""
        layers = self._layers()
        work: list[Callable[[], Change | None]] = []
        work += [partial(self._in_float, layer) for layer in layers]
        for arithmetic in arithmetics:
            work += [partial(self._if_in_eight, layer, arithmetic) for layer in layers]
        self.runs.changed([change for change in side_by_side(work) if change is not None])

    def fine_layers(self, arithmetic: Arithmetic, *, finest: bool = False) -> FineLayers:
        """The choice for one format.  finest: every layer whose activations make any noise."""
        costs = self._costs(arithmetic)
        weights = sum(cost.weights for cost in costs)
        bound = max(arithmetic.quiet, min(HIDDEN * weights, LOUD))
        loud = _loud(costs, 0.0 if finest else bound)
        others = sum(cost.activations for cost in costs if cost.layer not in loud)
        before = {cost.layer: cost.activations for cost in costs if cost.layer in loud}
        chosen = self._chosen(
            before, arithmetic, room=bound - others, most=(bound if finest else LOUD) - others
        )
        chosen = _in_order({**chosen, **self._heads(costs, chosen, arithmetic)}, self.base)
        final = tuple(
            replace(cost, chosen=chosen[cost.layer].fineness, left=chosen[cost.layer].left)
            if cost.layer in chosen
            else _coarse(cost, loud, arithmetic)
            for cost in costs
        )
        return FineLayers(
            costs=final,
            wide=tuple(cost.layer for cost in final if cost.chosen is Fineness.SIXTEEN),
            in_float=tuple(
                name
                for name, one in chosen.items()
                if one.fineness is Fineness.FLOAT and not one.by_row
            ),
            by_row=tuple(name for name, one in chosen.items() if one.by_row),
        )

    def _heads(
        self, costs: Sequence[ActivationCost], chosen: Mapping[str, _Choice], arithmetic: Arithmetic
    ) -> dict[str, _Choice]:
        """Small Dense layers of a model that was trained on a grid, with 16 bits.

        Its weights make no noise.  So what turns an answer of the training are activations, those
        that the last layer reads first of all.
        """
        if not (self.runs.graph.grids and arithmetic.has_sixteen and arithmetic.is_exact):
            return {}
        weights = ((layer.name, layer.weights.values()) for layer in self._layers())
        sizes = {name: sum(as_float32(one).size for one in some) for name, some in weights}
        most = _SMALL * sum(sizes.values())
        heads = {
            cost.layer: cost.activations
            for cost in costs
            if cost.kind == Dense.__name__ and sizes[cost.layer] <= most
            if cost.activations > 0 and cost.layer not in chosen
        }
        if not heads:
            return {}
        left = self._left(list(heads), self.quantize(list(heads), (), ()), arithmetic)
        return {
            name: _Choice(Fineness.SIXTEEN, power)
            for name, power in left.items()
            if power <= _WORTH * heads[name]
        }

    def _chosen(
        self,
        before: Mapping[str, float],
        arithmetic: Arithmetic,
        *,
        room: float,
        most: float,
    ) -> dict[str, _Choice]:
        """How the loud layers compute, in the graph's order; none where a file has no way.

        before: their noise with 8 bits.  room: what all of them may leave.  most: what they may
        leave where only int8 weights that are widened, in twice the time, would leave less.
        """
        wide: dict[str, _Choice] = {}
        if arithmetic.has_sixteen and before:
            found = self._left(list(before), self.quantize(list(before), (), ()), arithmetic)
            wide = {name: _Choice(Fineness.SIXTEEN, power) for name, power in found.items()}
        if arithmetic.coarse_by:  # a file without floats has nothing finer
            worth = {name: one for name, one in wide.items() if one.left <= _WORTH * before[name]}
            return _in_order(worth, self.base)
        chosen = _quietest(wide, room)
        rest = [name for name in before if name not in chosen]
        floats = {name: _Choice(Fineness.FLOAT, 0.0) for name in rest}
        if arithmetic.has_rows and rest:
            found = self._left(rest, self.quantize((), (), rest), arithmetic)
            by_row = {
                name: _Choice(Fineness.FLOAT, power, by_row=True) for name, power in found.items()
            }
            quieter = {
                name: min(wide.get(name, row), row, key=lambda one: one.left)
                for name, row in by_row.items()
            }
            chosen |= _quietest(quieter, most - sum(one.left for one in chosen.values()))
        return _in_order({**floats, **chosen}, self.base)

    def _left(self, names: Sequence[str], finer: Graph, arithmetic: Arithmetic) -> dict[str, float]:
        """What `finer` leaves of the noise of each of these layers."""
        finer = with_free_batch(finer)
        layers = [layer for layer in finer.layers if layer.name in names]
        # A plan of 16 bits may round the weights otherwise than that of `base`.
        base = {layer.name: layer for layer in self.base.layers}
        others = [layer for layer in layers if not _has_weights_of(layer, base[layer.name])]
        given = self.runs.changed(
            side_by_side(
                [partial(self._in_float, layer) for layer in others]
                + [partial(self._simulated, finer, layer, arithmetic) for layer in layers]
            )
        )
        apart = {layer.name: one for layer, one in zip(others, given[: len(others)], strict=True)}
        rounded = {**self.rounded, **apart}
        return {
            layer.name: self._power(rounded[layer.name], simulated)
            for layer, simulated in zip(layers, given[len(others) :], strict=True)
        }

    def _costs(self, arithmetic: Arithmetic) -> list[ActivationCost]:
        """Of each layer of int8 weights, in the graph's order.

        One without a plan too: runtimes may round what they multiply with its weights.
        """
        layers = self._layers()
        unknown = [layer for layer in layers if layer.name not in self.rounded]
        given = self.runs.changed(
            [self._in_eight(layer, arithmetic) for layer in layers]
            + [self._in_float(layer) for layer in unknown]
        )
        self.rounded.update(
            (layer.name, outputs)
            for layer, outputs in zip(unknown, given[len(layers) :], strict=True)
        )
        return [
            ActivationCost(
                layer=layer.name,
                kind=type(layer).__name__,
                weights=self._power(self.runs.exact, self.rounded[layer.name]),
                activations=self._power(self.rounded[layer.name], outputs),
            )
            for layer, outputs in zip(layers, given[: len(layers)], strict=True)
        ]

    def _layers(self) -> list[Layer]:
        return [layer for layer in self.base.layers if _multiplies_integers(layer)]

    def _in_eight(self, layer: Layer, arithmetic: Arithmetic) -> Change:
        key = arithmetic, layer.name
        if key not in self.eight:
            self.eight[key] = self._simulated(self.base, layer, arithmetic)
        return self.eight[key]

    def _if_in_eight(self, layer: Layer, arithmetic: Arithmetic) -> Change | None:
        with suppress(UnsupportedLayer):  # `fine_layers` raises it
            return self._in_eight(layer, arithmetic)
        return None

    def _in_float(self, layer: Layer) -> Change:
        return Change(layer=layer.name, written=self.runs.alone(layer).written)

    def _simulated(self, quantized: Graph, layer: Layer, arithmetic: Arithmetic) -> Change:
        plans = {} if quantized.quantization is None else quantized.quantization.plans
        written: Sequence[AnyArray]
        if arithmetic.is_exact and layer.name in plans:
            written = self.runs.alone(layer, plans[layer.name]).written
        else:
            written = arithmetic.simulate(quantized, layer, self.runs.exact)
        return Change(layer=layer.name, written=written)

    def _power(self, wanted: Mapping[str, AnyArray], given: Mapping[str, AnyArray]) -> float:
        """Of the output that suffers most."""
        return max(
            (
                of_edge.noise([wanted[edge]], [given[edge]]).power
                for edge, of_edge in self.spreads.items()
            ),
            default=0.0,
        )


def _loud(costs: Sequence[ActivationCost], allowed: float) -> list[str]:
    """The fewest layers, the loudest first, without which 8 bits leave `allowed` at most."""
    loudest = sorted(costs, key=lambda cost: -cost.activations)
    for count in range(len(loudest)):
        if sum(cost.activations for cost in loudest[count:]) <= allowed:
            return [cost.layer for cost in loudest[:count]]
    return [cost.layer for cost in loudest]


def _quietest(ways: Mapping[str, _Choice], allowed: float) -> dict[str, _Choice]:
    """As many layers as leave `allowed` at most, all together: the loudest are left out."""
    found: dict[str, _Choice] = {}
    total = 0.0
    for name in sorted(ways, key=lambda name: ways[name].left):
        total += ways[name].left
        if total > allowed:
            break
        found[name] = ways[name]
    return found


def _in_order(chosen: Mapping[str, _Choice], graph: Graph) -> dict[str, _Choice]:
    return {layer.name: chosen[layer.name] for layer in graph.layers if layer.name in chosen}


def _has_weights_of(layer: Layer, other: Layer) -> bool:
    """Whether both multiply the same numbers."""
    mine, theirs = layer.weights, other.weights
    return mine.keys() == theirs.keys() and all(
        np.array_equal(as_float32(weight), as_float32(theirs[name]))
        for name, weight in mine.items()
    )


def _multiplies_integers(layer: Layer) -> bool:
    is_rounded = any(isinstance(weight, QTensor) for weight in layer.weights.values())
    return is_rounded and not isinstance(layer, Embedding)


def decibel(power: float) -> float:
    """The signal-to-noise ratio of noise that is a share of the variance; infinite without any."""
    if power == 0:
        return inf
    return -inf if power == inf else -10 * log10(power)


def _coarse(cost: ActivationCost, loud: Sequence[str], arithmetic: Arithmetic) -> ActivationCost:
    """With 8 bits, whatever they cost, since the file has no finer activations."""
    reason = arithmetic.coarse_by if cost.layer in loud else ""
    return replace(cost, left=cost.activations, coarse_by=reason)


def _sentence(cost: ActivationCost) -> str:
    what = "gates and states" if cost.kind in _CELLS else "activations"
    if cost.coarse_by:
        return (
            f"needs finer {what}, which {cost.coarse_by} has not: 8 bits leave "
            f"{cost.activations_snr_db:.0f} dB at the outputs, {_of_weights(cost)}"
        )
    how = "with 16 bits" if cost.chosen is Fineness.SIXTEEN else "in float32"
    return (
        f"keeps its {what} {how}: 8 bits leave {cost.activations_snr_db:.0f} dB at the outputs, "
        f"{_of_weights(cost)}"
    )


def _of_weights(cost: ActivationCost) -> str:
    if isinf(cost.weights_snr_db):
        return "the weights are exact"
    return f"the rounded weights {cost.weights_snr_db:.0f} dB"
