"""The random integer models, with weights of 4 bits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from edgernn.graph import Accumulation, Conv2D, Graph, LinearPlan, Product
from tests.edgernn.runtime.models import with_plans

_Sums = TypeVar("_Sums", bound=Product | Accumulation)


def in_nibbles(graph: Graph, seed: int) -> Graph:
    """The graph with other weights: 16 times all numbers that a nibble holds.

    A convolution of single channels keeps its bytes, as in quantization.
    """
    rng = np.random.default_rng(seed)
    assert graph.quantization is not None
    plans: dict[str, Any] = {}
    for layer in graph.layers:
        plan = graph.quantization.plans.get(layer.name)
        if plan is None:
            continue
        if isinstance(plan, LinearPlan):
            alone = isinstance(layer, Conv2D) and layer.groups > 1
            plans[layer.name] = plan if alone else replace(plan, product=_packed(plan.product, rng))
        else:
            plans[layer.name] = replace(
                plan, input=_packed(plan.input, rng), recurrent=_packed(plan.recurrent, rng)
            )
    return with_plans(graph, **plans)


def _packed(given: _Sums, rng: np.random.Generator) -> _Sums:
    weights = (16 * rng.integers(-8, 8, given.weights.shape)).astype(np.int8)
    return replace(given, weights=weights, bits=4, pairs_safe=False)
