"""Small graphs for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from edgernn.graph import (
    AnyNotEqual,
    ApplyMask,
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

FEATURES, UNITS = 5, 7

_GATES = {Gru: 3, Lstm: 4, SimpleRnn: 1}


def numbers(*shape: int, seed: int = 0, scale: float = 0.4) -> FloatArray:
    return np.random.default_rng((seed, *shape)).normal(size=shape, scale=scale).astype(np.float32)


def floats(name: str, *shape: int | None) -> Input:
    return Input(name=name, spec=TensorSpec(shape=shape))


def tokens(name: str, *shape: int | None) -> Input:
    return Input(name=name, spec=TensorSpec(shape=shape, dtype=DType.INT32))


def booleans(name: str, *shape: int | None) -> Input:
    return Input(name=name, spec=TensorSpec(shape=shape, dtype=DType.BOOL))


def graph_of(inputs: Input | Sequence[Input], *layers: Layer, outputs: Sequence[str] = ()) -> Graph:
    """Layers in a row; the outputs are edges, the last layer's first one if none are named."""
    edges = outputs or layers[-1].writes[:1]
    return Graph(
        name="small",
        inputs=(inputs,) if isinstance(inputs, Input) else tuple(inputs),
        layers=layers,
        outputs=tuple(Output(name=f"{edge}_out", edge=edge) for edge in edges),
    )


def sequence(time: int | None = None, features: int = FEATURES, *, name: str = "x") -> Input:
    return floats(name, None, time, features)


def cell(
    kind: type[Recurrent],
    name: str = "rnn",
    source: str = "x",
    *,
    features: int = FEATURES,
    units: int = UNITS,
    seed: int = 0,
    **options: Any,
) -> Recurrent:
    """A recurrent layer with random weights, its edges named after it."""
    width = _GATES[kind] * units
    edges = {"input": source, "output": name, "state_h": f"{name}.h"}
    if kind is Lstm:
        edges["state_c"] = f"{name}.c"
    weights: dict[str, FloatArray | None] = {
        "kernel": numbers(features, width, seed=seed),
        "recurrent_kernel": numbers(units, width, seed=seed + 1),
        "bias": numbers(width, seed=seed + 2),
    }
    if kind is Gru:
        after = options.get("reset_after", True)
        weights["recurrent_bias"] = numbers(width, seed=seed + 3) if after else None
    return kind(name=name, **{**edges, **weights, **options})


def states_of(layer: Recurrent) -> list[str]:
    return [getattr(layer, field.name) for field in fields(layer) if field.name[:6] == "state_"]


def masked_input(source: str = "x", mask: str = "mask", masked: str = "masked") -> list[Layer]:
    """Keras' Masking layer: steps whose features are all zero are skipped."""
    return [
        AnyNotEqual(name=f"{mask} of {source}", input=source, output=mask),
        ApplyMask(name=masked, input=source, mask=mask, output=masked),
    ]
