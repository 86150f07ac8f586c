"""The noise that quantization adds, layer by layer, and what helps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from edgernn.export.eight_bits import four_bit_layers
from edgernn.export.float_runs import FloatRuns, float_outputs, plan_of, runs_over
from edgernn.export.noise import shares_a_unit, spread
from edgernn.export.propagation import Change
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import (
    AnyArray,
    Graph,
    Layer,
    LinearPlan,
    QTensor,
    Reading,
    RecurrentPlan,
)
from edgernn.reference import with_free_batch
from edgernn.scheme import Scheme
from edgernn.units import percent

#: Below this the noise is more than a tenth of the spread.
_LOUD_DB = 20.0

# The share of clamped values from which on a sentence reports them.
_MANY_CLAMPED = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCost:
    """The effect of one layer on the model if only this layer is quantized.

    Signal-to-noise ratios are 10 log10(variance of float / mean (quantized - float)²) in dB,
    infinite without any difference (edgernn.export.noise).
    """

    layer: str
    kind: str  # the layer's class
    arithmetic: str  # "int8, 16-bit input": how it computes
    input_low: float
    input_high: float
    layer_snr_db: float  # of its own output
    output_snr_db: float  # of the model's outputs, the worst of them
    clamped: Mapping[str, float] = field(default_factory=dict)  # share, by place


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """The cost of an int8 graph on some samples."""

    samples: int
    output_snr_db: float  # with all layers quantized
    agreement: float | None  # share of rows with the same largest output; None for single numbers
    layers: tuple[LayerCost, ...]  # in the graph's order
    notes: tuple[str, ...]
    remedies: Mapping[str, float] = field(default_factory=dict)  # option -> outputs' SNR with it

    @property
    def costliest(self) -> LayerCost | None:
        """The layer whose quantization changes the outputs most."""
        return min(self.layers, key=lambda cost: cost.output_snr_db, default=None)

    @property
    def advice(self) -> tuple[str, ...]:
        """Full sentences with what to try; empty if nothing needs repair."""
        return tuple(_advice(self))


def sensitivity(
    graph: Graph,
    quantized: Graph,
    data: Mapping[str, AnyArray],
    *,
    runs: FloatRuns | None = None,
) -> Sensitivity:
    """Compares `quantized` (made from `graph` by quantize) with `graph` on `data`.

    Runs the model once for each quantized layer: a few dozen samples are enough.  There may be any
    number, also where the model takes a fixed batch; states that they lack are zero.
    runs: what may be known of the graph and the data already.
    """
    runs = runs_over(graph, data, runs)
    graph, quantized, exact = with_free_batch(graph), with_free_batch(quantized), runs.exact
    in_integers = runs.in_integers(quantized)
    given, clamped = in_integers.edges, in_integers.clamped
    changed = [
        (before, after)
        for before, after in zip(graph.layers, quantized.layers, strict=True)
        if not runs.has(after, plan_of(quantized, after))
    ]
    changes = [
        Change(layer=after.name, written=runs.alone(after, plan_of(quantized, after)).written)
        for _, after in changed
    ]
    outputs = runs.changed(changes)
    costs = Sensitivity(
        samples=len(next(iter(runs.rows.values()))),
        output_snr_db=_output_snr_db(graph, exact, given),
        agreement=_agreement(graph, exact, given),
        layers=tuple(
            _cost(
                *(quantized, after, exact, clamped),
                own=_snr_db(graph, before.writes[0], exact, {before.writes[0]: change.written[0]}),
                output=_output_snr_db(graph, exact, given_alone),
            )
            for (before, after), change, given_alone in zip(changed, changes, outputs, strict=True)
        ),
        notes=() if quantized.quantization is None else quantized.quantization.notes,
    )
    by_noise = sorted(costs.layers, key=lambda cost: cost.output_snr_db)
    if not by_noise or by_noise[0].output_snr_db >= _LOUD_DB:
        return costs
    remedies = {
        option: _output_snr_db(graph, exact, runs.in_integers(with_free_batch(other)).edges)
        for option, other in _remedies(graph, quantized, [cost.layer for cost in by_noise])
    }
    return replace(costs, remedies=remedies)


def _remedies(
    graph: Graph, quantized: Graph, by_noise: Sequence[str]
) -> Iterator[tuple[str, Graph]]:
    """Options that are not in use, each with the graph that it leads to.

    by_noise: the quantized layers, the loudest first.
    """
    worst, *others = by_noise
    if others:
        yield f"--keep-float {worst}", _without_one(graph, quantized, worst)
    if quantized.quantization is not None and four_bit_layers(quantized):
        yield "--scheme int8", quantize(graph, quantized.quantization.ranges, Scheme.INT8)
    elif quantized.quantization is not None and quantized.quantization.plans:
        yield "--scheme dynamic", quantize(graph, None, Scheme.DYNAMIC)
    else:
        yield "--scheme float16", quantize(graph, None, Scheme.FLOAT16)


def snr_db(graph: Graph, edge: str, exact: AnyArray, given: AnyArray) -> float:
    """10 log10 of the variance of `edge` over that of the noise; infinite without any."""
    return spread([exact], shared=shares_a_unit(graph, edge)).noise([exact], [given]).snr_db


def _cost(
    quantized: Graph,
    after: Layer,
    exact: Mapping[str, AnyArray],
    clamped: Mapping[tuple[str, str], tuple[int, int]],
    *,
    own: float,
    output: float,
) -> LayerCost:
    entering = exact[after.reads[0]]
    return LayerCost(
        layer=after.name,
        kind=type(after).__name__,
        arithmetic=_arithmetic(quantized, after),
        input_low=float(entering.min()),
        input_high=float(entering.max()),
        layer_snr_db=own,
        output_snr_db=output,
        clamped={
            where: found / total
            for (layer, where), (found, total) in clamped.items()
            if layer == after.name and total
        },
    )


def _without_one(graph: Graph, quantized: Graph, name: str) -> Graph:
    """The quantized graph with this one layer as it is in the float graph."""
    exact = {layer.name: layer for layer in graph.layers}
    layers = tuple(exact[layer.name] if layer.name == name else layer for layer in quantized.layers)
    quantization = quantized.quantization
    if quantization is not None:
        plans = {key: plan for key, plan in quantization.plans.items() if key != name}
        quantization = replace(quantization, plans=plans)
    return replace(quantized, layers=layers, quantization=quantization)


def _arithmetic(quantized: Graph, layer: Layer) -> str:
    plan = plan_of(quantized, layer)
    match plan:
        case RecurrentPlan():
            weights = f"int{plan.recurrent.bits}"
            return f"{weights}, {_input(plan.reading)}, {plan.state_bits}-bit state"
        case LinearPlan():
            return f"int{plan.product.bits}, {_input(plan.reading)}"
        case None:
            is_int8 = any(isinstance(weight, QTensor) for weight in layer.weights.values())
            return "float32, int8 weights" if is_int8 else "float32, float16 weights"


def _input(reading: Reading) -> str:
    return f"{reading.bits}-bit {'states' if reading.from_state else 'input'}"


def _output_snr_db(
    graph: Graph, exact: Mapping[str, AnyArray], given: Mapping[str, AnyArray]
) -> float:
    edges = float_outputs(graph)
    return min((_snr_db(graph, edge, exact, given) for edge in edges), default=inf)


def _snr_db(
    graph: Graph, edge: str, exact: Mapping[str, AnyArray], given: Mapping[str, AnyArray]
) -> float:
    return snr_db(graph, edge, exact[edge], given[edge])


def _agreement(
    graph: Graph, exact: Mapping[str, AnyArray], given: Mapping[str, AnyArray]
) -> float | None:
    edge = next(float_outputs(graph), None)
    if edge is None or exact[edge].shape[-1] < 2:
        return None
    return float((exact[edge].argmax(axis=-1) == given[edge].argmax(axis=-1)).mean())


def _advice(costs: Sensitivity) -> list[str]:
    sentences = []
    worst = costs.costliest
    if worst is not None and worst.output_snr_db < _LOUD_DB:
        better = [
            f"{option} reaches {snr:.0f} dB at the outputs"
            for option, snr in costs.remedies.items()
            if snr > costs.output_snr_db + 1
        ]
        sentences.append(
            f"Layer '{worst.layer}' costs most ({worst.output_snr_db:.0f} dB alone). "
            + (
                f"On the same samples, {' and '.join(better)}."
                if better
                else f"On the same samples, {' and '.join(costs.remedies)} did not help."
            )
        )
    for cost in costs.layers:
        if cost.clamped.get("input", 0.0) > _MANY_CLAMPED:
            sentences.append(
                f"{percent(cost.clamped['input'])} of the inputs of layer '{cost.layer}' lie "
                "outside of its calibrated range: calibrate with samples that contain such values."
            )
        if max(cost.clamped.get("product", 0.0), cost.clamped.get("cell", 0.0)) > _MANY_CLAMPED:
            sentences.append(
                f"Numbers inside layer '{cost.layer}' are clamped: calibrate with more, or longer, "
                "samples."
            )
    return sentences
