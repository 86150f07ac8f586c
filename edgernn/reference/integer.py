"""Runs an int8 graph: layers with a plan in integers, all others like the float executor.

This is the definition that docs/integer-arithmetic.md describes in words; the native runtime must
compute the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Final, TypeAlias, TypeVar

import numpy as np
from typing_extensions import assert_never

from edgernn.graph import (
    Accumulation,
    ActivationKind,
    AnyArray,
    Conv1D,
    Conv2D,
    Dense,
    FloatArray,
    Graph,
    Gru,
    Layer,
    LayerPlan,
    LinearPlan,
    Lstm,
    Product,
    Recurrent,
    RecurrentPlan,
    SimpleRnn,
)
from edgernn.graph.quantized import OF_ALL_COLUMNS
from edgernn.reference import layers as float_layers
from edgernn.reference.activation import activate
from edgernn.reference.arguments import checked_arguments
from edgernn.reference.convolution import windows
from edgernn.reference.fixed_point import (
    INT16_MAX,
    Q15_UNIT,
    TANH_END,
    CountClamped,
    IntArray,
    adds,
    hard_sigmoid,
    mulr,
    narrow,
    read,
    read_floats,
    requantizer,
    sigmoid,
    summing,
    table_tanh,
    tanh,
)
from edgernn.reference.images import windows2d
from edgernn.reference.recurrent import BoolArray, Step, unroll

#: (layer, where, clamped, all): how many of a layer's integers were clamped; see CountClamped.
Observe: TypeAlias = Callable[[str, str, int, int], None]

AnyProduct = TypeVar("AnyProduct", bound=Product | Accumulation)

_ROUND: Final = 0x4000


def run(graph: Graph, inputs: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """The outputs by name.  Raises DataError like the float executor.

    A graph without `quantization` runs in float.
    """
    edges = execute(graph, inputs)
    return {output.name: edges[output.edge] for output in graph.outputs}


def execute(
    graph: Graph, inputs: Mapping[str, AnyArray], *, observe: Observe | None = None
) -> dict[str, AnyArray]:
    """Every edge by name, as float32 (tokens int32, masks bool)."""
    plans = {} if graph.quantization is None else graph.quantization.plans
    values = checked_arguments(graph, inputs)
    for layer in graph.layers:
        plan = plans.get(layer.name)
        if plan is None:
            written = float_layers.apply(layer, values)
        else:
            written = apply(layer, plan, values, _counter(layer, observe))
        values.update(zip(layer.writes, written, strict=True))
    return values


def apply(
    layer: Layer,
    plan: LayerPlan,
    values: Mapping[str, AnyArray],
    count: CountClamped | None = None,
) -> tuple[AnyArray, ...]:
    """The results of an integer layer for the edges that it reads."""
    match plan:
        case RecurrentPlan() if isinstance(layer, Recurrent):
            return _recurrent(layer, plan, values, count)
        case LinearPlan() if isinstance(layer, Dense):
            return (_linear(layer, plan, read(plan.reading, values[layer.input], count), count),)
        case LinearPlan() if isinstance(layer, Conv1D):
            return (_conv1d(layer, plan, read(plan.reading, values[layer.input], count), count),)
        case LinearPlan() if isinstance(layer, Conv2D):
            return (_conv2d(layer, plan, read(plan.reading, values[layer.input], count), count),)
        case RecurrentPlan() | LinearPlan():
            raise TypeError(f"layer '{layer.name}' cannot be run by a {type(plan).__name__}")
        case _:
            assert_never(plan)


def _counter(layer: Layer, observe: Observe | None) -> CountClamped | None:
    if observe is None:
        return None
    return lambda where, clamped, total: observe(layer.name, where, clamped, total)


def _linear(
    layer: Dense | Conv1D | Conv2D, plan: LinearPlan, q: IntArray, count: CountClamped | None
) -> FloatArray:
    """q [..., K] -> [..., N]."""
    product = plan.product
    if isinstance(product, Product):
        function = tanh if layer.activation.kind is ActivationKind.TANH else sigmoid
        return np.asarray(function(requantizer(product, count)(q)) * Q15_UNIT, dtype=np.float32)
    sums = summing(product.weights, product.bias)(q).astype(np.float32)
    return activate(layer.activation, np.asarray(sums * product.output_scale, dtype=np.float32))


def _conv1d(layer: Conv1D, plan: LinearPlan, q: IntArray, count: CountClamped | None) -> FloatArray:
    taken = windows(layer, q)  # [B, T', window, C]
    return _convolved(layer, plan, taken, taken.shape[:2], count)


def _conv2d(layer: Conv2D, plan: LinearPlan, q: IntArray, count: CountClamped | None) -> FloatArray:
    taken = windows2d(layer, q)  # [B, H', W', rows, columns, C]
    return _convolved(layer, plan, taken, taken.shape[:3], count)


def _convolved(
    layer: Conv1D | Conv2D,
    plan: LinearPlan,
    taken: IntArray,
    around: tuple[int, ...],
    count: CountClamped | None,
) -> FloatArray:
    """Each group is a product of its own; windows are laid out time (or rows) first."""
    inner = taken.shape[-1] // layer.groups
    outer = layer.kernel.shape[-1] // layer.groups
    parts = []
    for group in range(layer.groups):
        columns = slice(group * outer, (group + 1) * outer)
        block = taken[..., group * inner : (group + 1) * inner]
        rows = block.reshape(*around, -1)
        parts.append(_linear(layer, _columns_of(plan, columns), rows, count))
    return np.concatenate(parts, axis=-1)


def _columns_of(plan: LinearPlan, columns: slice) -> LinearPlan:
    return replace(plan, product=_columns(plan.product, columns))


def _columns(product: AnyProduct, columns: slice) -> AnyProduct:
    """The part of a product that computes these columns of the result."""
    per_column = {
        entry.name: getattr(product, entry.name)[..., columns]
        for entry in fields(product)
        if entry.name not in OF_ALL_COLUMNS
    }
    return replace(product, **per_column)


def _recurrent(
    layer: Recurrent,
    plan: RecurrentPlan,
    values: Mapping[str, AnyArray],
    count: CountClamped | None,
) -> tuple[AnyArray, ...]:
    x: FloatArray = values[layer.input]
    mask: BoolArray | None = None if layer.mask is None else values[layer.mask]
    time_major = read(plan.reading, x, count).transpose(1, 0, 2)
    projected = requantizer(plan.input, count)(time_major)
    units = _state_units(layer, plan)
    edges = [layer.initial_h, layer.initial_c] if isinstance(layer, Lstm) else [layer.initial_h]
    states = [
        np.zeros((x.shape[0], layer.units), np.int32)
        if edge is None
        else read_floats(values[edge], np.float32(1) / unit, INT16_MAX)
        for edge, unit in zip(edges, units, strict=True)
    ]
    output, final = unroll(layer, _step(layer, plan, count), projected, states, mask=mask)
    as_floats = (
        np.asarray(state * unit, dtype=np.float32) for state, unit in zip(final, units, strict=True)
    )
    return (np.asarray(output * Q15_UNIT, dtype=np.float32), *as_floats)


def _state_units(layer: Recurrent, plan: RecurrentPlan) -> list[FloatArray]:
    """The real value of one unit of h, and of c: powers of two, [1] and [H]."""
    h_unit = np.array([Q15_UNIT], np.float32)
    if not isinstance(layer, Lstm):
        return [h_unit]
    return [h_unit, np.ldexp(np.float32(1), _exponents(plan) - 15).astype(np.float32)]


def _exponents(plan: RecurrentPlan) -> IntArray:
    if plan.cell_exponent is None:
        raise TypeError("the plan of an LSTM has cell exponents")
    return plan.cell_exponent.astype(np.int32)


def _step(layer: Recurrent, plan: RecurrentPlan, count: CountClamped | None) -> Step:
    match layer:
        case Gru():
            return _gru_step(layer, plan, count)
        case Lstm():
            return _lstm_step(layer, plan, count)
        case SimpleRnn():
            return _rnn_step(plan, count)
        case _:
            assert_never(layer)


def _gate(plan: RecurrentPlan, x: IntArray, h: IntArray) -> IntArray:
    p = adds(x, h)
    return sigmoid(p) if plan.hard_sigmoid is None else hard_sigmoid(p, plan.hard_sigmoid)


def _gru_step(layer: Gru, plan: RecurrentPlan, count: CountClamped | None) -> Step:
    units = layer.units
    gates, candidate = slice(0, 2 * units), slice(2 * units, 3 * units)
    gates_product = requantizer(_columns(plan.recurrent, gates), count)
    candidate_product = requantizer(_columns(plan.recurrent, candidate), count)

    def step(
        x: IntArray, states: Sequence[IntArray], _observed: bool
    ) -> tuple[tuple[IntArray, ...], dict[str, IntArray]]:
        (h,) = states
        fed = narrow(h, plan.state_bits)
        opened = _gate(plan, x[:, gates], gates_product(fed))
        one_minus_z, r = opened[:, :units], opened[:, units:]
        if layer.reset_after:
            reset = mulr(r, candidate_product(fed))
        else:
            reset = candidate_product(narrow(mulr(r, h), plan.state_bits))
        n = tanh(adds(x[:, candidate], reset))
        new_h = (one_minus_z * n + (32768 - one_minus_z) * h + _ROUND) >> 15
        return (new_h,), {}

    return step


def _lstm_step(layer: Lstm, plan: RecurrentPlan, count: CountClamped | None) -> Step:
    exponents = _exponents(plan)
    largest = TANH_END >> (exponents - 3)
    recurrent_product = requantizer(plan.recurrent, count)
    columns = [slice(k * layer.units, (k + 1) * layer.units) for k in range(4)]

    def step(
        x: IntArray, states: Sequence[IntArray], _observed: bool
    ) -> tuple[tuple[IntArray, ...], dict[str, IntArray]]:
        h, c = states
        fed = recurrent_product(narrow(h, plan.state_bits))
        i, one_minus_f, o = (_gate(plan, x[:, columns[k]], fed[:, columns[k]]) for k in (0, 1, 3))
        n = tanh(adds(x[:, columns[2]], fed[:, columns[2]]))
        unclamped = ((32768 - one_minus_f) * c + ((i * n) >> exponents) + _ROUND) >> 15
        new_c = np.clip(unclamped, -INT16_MAX, INT16_MAX)
        if count is not None:
            count("cell", int((unclamped != new_c).sum()), new_c.size)
        t = np.clip(new_c, -largest, largest) << (exponents - 3)
        return (mulr(o, table_tanh(t)), new_c), {}

    return step


def _rnn_step(plan: RecurrentPlan, count: CountClamped | None) -> Step:
    recurrent_product = requantizer(plan.recurrent, count)

    def step(
        x: IntArray, states: Sequence[IntArray], _observed: bool
    ) -> tuple[tuple[IntArray, ...], dict[str, IntArray]]:
        (h,) = states
        fed = recurrent_product(narrow(h, plan.state_bits))
        return (tanh(adds(x, fed)),), {}

    return step
