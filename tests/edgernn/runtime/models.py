"""Random graphs for the runtime's tests: float ones, and integer ones with arbitrary plans.

Plans made by quantization are tame: their sums seldom meet an end.  Those made here use the whole
range of every parameter that the specification allows, so that saturation, negative numbers and
odd sizes happen all the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgernn.graph import (
    LINEAR,
    RELU,
    SIGMOID,
    TANH,
    Accumulation,
    AnyNotEqual,
    Conv1D,
    Conv2D,
    Dense,
    Graph,
    Gru,
    Input,
    Layer,
    LayerPlan,
    LinearPlan,
    Lstm,
    Output,
    Padding,
    Product,
    Reading,
    RecurrentPlan,
    SimpleRnn,
    State,
    TensorSpec,
)
from edgernn.graph.quantized import Quantization
from edgernn.graph.ranges import CalibrationMethod, Ranges

CELLS = ("gru", "gru before", "lstm", "rnn")
GATES = {"gru": 3, "gru before": 3, "lstm": 4, "rnn": 1}

_NO_RANGES = Ranges(
    graph_fingerprint="", method=CalibrationMethod.MINMAX, samples=0, edges={}, cells={}
)


def numbers(rng: np.random.Generator, *shape: int, gain: float = 1.0) -> Any:
    return (gain * rng.normal(size=shape)).astype(np.float32)


def cell(kind: str, rng: np.random.Generator, *, units: int, features: int, **options: Any) -> Any:
    """A recurrent layer called `name`; its edges are named after it."""
    columns = GATES[kind] * units
    name = options.pop("name", "cell")
    common = {
        "name": name,
        "input": "x",
        "output": f"{name}.y",
        "state_h": f"{name}.h",
        "kernel": numbers(rng, features, columns, gain=features**-0.5),
        "recurrent_kernel": numbers(rng, units, columns, gain=units**-0.5),
        "bias": numbers(rng, columns),
        **options,
    }
    match kind:
        case "gru":
            return Gru(recurrent_bias=numbers(rng, columns), **common)
        case "gru before":
            return Gru(recurrent_bias=None, reset_after=False, **common)
        case "lstm":
            return Lstm(state_c=f"{name}.c", **common)
        case _:
            return SimpleRnn(**common)


def graph_of(
    *layers: Layer, features: int, states: tuple[State, ...] = (), **more_outputs: str
) -> Graph:
    """x [B, T, features] through the layers; the last one's output is y."""
    read = {edge for layer in layers for edge in layer.reads}
    inputs = [Input(name="x", spec=TensorSpec(shape=(None, None, features)))]
    for state in states:
        units = next(layer for layer in layers if state.input in layer.reads).units  # type: ignore[union-attr]
        inputs.append(Input(name=state.input, spec=TensorSpec(shape=(None, units))))
    assert "x" in read
    outputs = {"y": layers[-1].writes[0], **more_outputs}
    return Graph(
        name="random",
        inputs=tuple(inputs),
        layers=layers,
        outputs=tuple(Output(name=name, edge=edge) for name, edge in outputs.items()),
        states=states,
    )


# --- Plans ---


def safe_weights(rng: np.random.Generator, rows: int, columns: int) -> Any:
    """int8 weights up to their ends, whose pairs of rows sum up to at most 128."""
    weights = rng.integers(-127, 128, (rows, columns)).astype(np.int32)
    first, second = weights[0 : rows - rows % 2 : 2], weights[1::2]
    over = np.maximum(np.abs(first + second) - 128, 0)
    second -= np.sign(second) * np.minimum(over, np.abs(second))
    over = np.maximum(np.abs(first + second) - 128, 0)
    first -= np.sign(first) * over
    return weights.astype(np.int8)


def pairs_are_safe(weights: Any) -> bool:
    wide = weights.astype(np.int32)
    if len(wide) % 2:
        wide = np.vstack([wide, np.zeros_like(wide[:1])])
    return bool((np.abs(wide[::2] + wide[1::2]) <= 128).all())


def random_product(rng: np.random.Generator, rows: int, columns: int, *, bits: int) -> Product:
    """Shifts around the one that fills 16 bits, and now and then any at all."""
    weights = safe_weights(rng, rows, columns)
    typical = int(np.log2(rows**0.5 * 70 * (64 if bits == 8 else 16000) / 8000))
    shift = np.clip(rng.integers(typical - 2, typical + 4, columns), 0, 24)
    return Product(
        weights=weights,
        bias=rng.integers(-(2**20), 2**20, columns).astype(np.int32),
        shift=np.where(rng.random(columns) < 0.1, rng.integers(0, 25, columns), shift).astype(
            np.uint8
        ),
        multiplier=rng.integers(16384, 32768, columns).astype(np.int16),
        pairs_safe=pairs_are_safe(weights),
    )


def random_reading(rng: np.random.Generator, bits: int, *, from_state: bool = False) -> Reading:
    scale = np.float32(3.0 / (127 if bits == 8 else 16384) * rng.uniform(0.3, 3))
    return Reading(
        bits=bits,
        scale=float(scale),
        reciprocal=float(np.float32(1.0 / float(scale))),
        limit=127 if bits == 8 else int(rng.integers(1000, 32768)),
        from_state=from_state,
    )


def random_recurrent_plan(
    layer: Any, rng: np.random.Generator, *, bits: int, state_bits: int, from_state: bool = False
) -> RecurrentPlan:
    columns = layer.kernel.shape[1]
    is_hard = getattr(layer, "recurrent_activation", SIGMOID) != SIGMOID
    exponents = rng.integers(3, 13, layer.units).astype(np.int8)
    return RecurrentPlan(
        reading=random_reading(rng, bits, from_state=from_state),
        input=random_product(rng, layer.features, columns, bits=bits),
        recurrent=random_product(rng, layer.units, columns, bits=state_bits),
        state_bits=state_bits,
        hard_sigmoid=layer.recurrent_activation.alpha if is_hard else None,
        cell_exponent=exponents if isinstance(layer, Lstm) else None,
    )


def random_linear_plan(
    layer: Dense | Conv1D | Conv2D, rng: np.random.Generator, *, bits: int
) -> LinearPlan:
    columns = layer.kernel.shape[-1]
    rows = layer.kernel.size // columns
    product: Product | Accumulation = random_product(rng, rows, columns, bits=bits)
    if layer.activation not in (TANH, SIGMOID):
        product = Accumulation(
            weights=product.weights,
            bias=product.bias,
            output_scale=rng.uniform(1e-6, 1e-5, columns).astype(np.float32),
            pairs_safe=product.pairs_safe,
        )
    return LinearPlan(reading=random_reading(rng, bits), product=product)


def with_plans(graph: Graph, **plans: LayerPlan) -> Graph:
    return Graph(
        name=graph.name,
        inputs=graph.inputs,
        layers=graph.layers,
        outputs=graph.outputs,
        states=graph.states,
        quantization=Quantization(plans=plans, ranges=_NO_RANGES),
    )


def random_integer_cell(seed: int, *, units: int = 0) -> tuple[Graph, dict[str, Any]]:
    """One recurrent layer of any kind, option and size with a random plan, and inputs for it."""
    rng = np.random.default_rng(seed)
    kind = CELLS[seed % 4]
    some, features = int(rng.integers(1, 70)), int(rng.integers(1, 50))
    units = units or some
    state_bits = int(rng.choice([8, 16]))
    bits = int(rng.choice([8, 16]))
    options: dict[str, Any] = {
        "return_sequences": bool(rng.random() < 0.5),
        "go_backwards": bool(rng.random() < 0.25),
    }
    if kind != "rnn" and rng.random() < 0.25:
        from edgernn.graph import HARD_SIGMOID_KERAS2, HARD_SIGMOID_KERAS3

        hard = HARD_SIGMOID_KERAS2 if rng.random() < 0.5 else HARD_SIGMOID_KERAS3
        options["recurrent_activation"] = hard
    masked = rng.random() < 0.25
    if masked:
        options |= {"mask": "mask", "zero_output_for_mask": bool(rng.random() < 0.5)}
    with_states = rng.random() < 0.25
    names = (["h", "c"] if kind == "lstm" else ["h"]) if with_states else []
    options |= {f"initial_{name}": f"{name}_in" for name in names}
    layer = cell(kind, rng, units=units, features=features, **options)
    before = [AnyNotEqual(name="masking", input="x", output="mask")] if masked else []
    states = tuple(State(input=f"{name}_in", output=f"{name}_out") for name in names)
    graph = graph_of(
        *before,
        layer,
        features=features,
        states=states,
        **{f"{name}_out": f"cell.{name}" for name in names},
    )
    plan = random_recurrent_plan(layer, rng, bits=bits, state_bits=state_bits)
    steps = int(rng.integers(1, 45))
    x = numbers(rng, 2, steps, features, gain=3)
    if masked:
        x[rng.random(x.shape[:2]) < 0.4] = 0
    inputs = {"x": x} | {
        state.input: numbers(rng, 2, units, gain=0.6 if state.input == "h_in" else 8)
        for state in states
    }
    return with_plans(graph, cell=plan), inputs


def random_integer_layer(seed: int) -> tuple[Graph, dict[str, Any]]:
    """One Dense or Conv1D of any option and size with a random plan, and inputs for it."""
    rng = np.random.default_rng(seed)
    features, outputs = int(rng.integers(1, 80)), int(rng.integers(1, 90))
    activation = [LINEAR, RELU, TANH, SIGMOID][int(rng.integers(4))]
    steps = int(rng.integers(12, 50))
    edges: dict[str, Any] = {"name": "layer", "input": "x", "output": "y", "bias": None}
    layer: Dense | Conv1D
    if rng.random() < 0.5:
        kernel = numbers(rng, features, outputs)
        layer = Dense(kernel=kernel, activation=activation, **edges)
    else:
        groups = int(rng.choice([g for g in (1, 2, 3) if features % g == 0]))
        window = int(rng.integers(1, 5))
        dilation = int(rng.integers(1, 4))
        layer = Conv1D(
            kernel=numbers(rng, window, features // groups, -(-outputs // groups) * groups),
            groups=groups,
            stride=1 if dilation > 1 else int(rng.integers(1, 4)),
            dilation=dilation,
            padding=list(Padding)[int(rng.integers(3))],
            activation=activation,
            **edges,
        )
    graph = graph_of(layer, features=features)
    plan = random_linear_plan(layer, rng, bits=int(rng.choice([8, 16])))
    return with_plans(graph, layer=plan), {"x": numbers(rng, 2, steps, features, gain=3)}
