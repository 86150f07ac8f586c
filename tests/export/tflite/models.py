"""The parts that the cases are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgernn.graph import (
    AnyArray,
    DType,
    FloatArray,
    Graph,
    Gru,
    Input,
    Layer,
    Lstm,
    Output,
    Recurrent,
    SimpleRnn,
    TensorSpec,
)

BATCH, STEPS, FEATURES, UNITS = 3, 7, 5, 6

#: Inputs that hold states; an h lies within ±1.
STATES = frozenset({"h0", "c0"})

_RNG = np.random.default_rng(20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    graph: Graph
    inputs: dict[str, AnyArray]


def weights(*shape: int) -> FloatArray:
    scaled: FloatArray = (_RNG.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)
    return scaled


def floats(*shape: int) -> FloatArray:
    return _RNG.normal(size=shape).astype(np.float32)


def gru(name: str, x: str, features: int = FEATURES, units: int = UNITS, **options: Any) -> Gru:
    reset_after = options.get("reset_after", True)
    return Gru(
        name=name,
        input=x,
        output=f"{name}.y",
        state_h=f"{name}.h",
        kernel=weights(features, 3 * units),
        recurrent_kernel=weights(units, 3 * units),
        bias=floats(3 * units),
        recurrent_bias=floats(3 * units) if reset_after else None,
        **options,
    )


def lstm(name: str, x: str, features: int = FEATURES, units: int = UNITS, **options: Any) -> Lstm:
    return Lstm(
        name=name,
        input=x,
        output=f"{name}.y",
        state_h=f"{name}.h",
        state_c=f"{name}.c",
        kernel=weights(features, 4 * units),
        recurrent_kernel=weights(units, 4 * units),
        bias=floats(4 * units),
        **options,
    )


def rnn(
    name: str, x: str, features: int = FEATURES, units: int = UNITS, **options: Any
) -> SimpleRnn:
    return SimpleRnn(
        name=name,
        input=x,
        output=f"{name}.y",
        state_h=f"{name}.h",
        kernel=weights(features, units),
        recurrent_kernel=weights(units, units),
        bias=floats(units),
        **options,
    )


CELLS: dict[str, Callable[..., Recurrent]] = {"gru": gru, "lstm": lstm, "rnn": rnn}


def sequence(name: str = "x", steps: int | None = None, features: int = FEATURES) -> Input:
    return Input(name=name, spec=TensorSpec(shape=(None, steps, features)))


def mask_input(name: str = "m") -> Input:
    return Input(name=name, spec=TensorSpec(shape=(None, None), dtype=DType.BOOL))


def tokens(name: str = "t", steps: int | None = None) -> Input:
    return Input(name=name, spec=TensorSpec(shape=(None, steps), dtype=DType.INT32))


def row(name: str, features: int = UNITS) -> Input:
    return Input(name=name, spec=TensorSpec(shape=(None, features)))


def case(inputs: Sequence[Input], layers: Sequence[Layer], *edges: str) -> Case:
    graph = Graph(
        name="case",
        inputs=tuple(inputs),
        layers=tuple(layers),
        outputs=tuple(Output(name=f"out{at}", edge=edge) for at, edge in enumerate(edges)),
    )
    return Case(graph=graph, inputs={entry.name: _sample(entry) for entry in inputs})


def _sample(entry: Input) -> AnyArray:
    batch, *rest = entry.spec.shape
    shape = (batch or BATCH, *(size or STEPS for size in rest))
    match entry.spec.dtype:
        case DType.BOOL:
            # Holes, left padding, right padding, and a row without a single valid step.
            mask = _RNG.random(shape) < 0.5
            mask[0], mask[1, :2], mask[2, -3:] = False, False, False
            return mask
        case DType.INT32:
            drawn = _RNG.integers(0, 9, size=shape).astype(np.int32)
            drawn[0] = 0
            return drawn
        case DType.FLOAT32 if entry.name in STATES:
            return np.tanh(floats(*shape))
        case DType.FLOAT32:
            return floats(*shape)


def single(layer: Layer, *inputs: Input) -> Case:
    return case(list(inputs) or [sequence()], [layer], *layer.writes)
