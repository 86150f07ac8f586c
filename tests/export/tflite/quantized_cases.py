"""The cases in the schemes dynamic and int8."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.graph import AnyArray, Graph
from edgernn.scheme import Scheme
from tests.export.tflite.cases import CASES
from tests.export.tflite.models import STATES, Case

#: Cases that calibration refuses: too few samples, and NaN out of a fully masked row.
NOT_CALIBRATED = {
    "gru fixed batch",
    "lstm fixed batch",
    "rnn fixed batch",
    "masked global average pool keepdims False",
    "masked global average pool keepdims True",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    graph: Graph
    case: Case
    options: dict[str, str] = field(default_factory=dict)


def _quantized_cases() -> Iterator[tuple[str, Quantized]]:
    seen: set[frozenset[str]] = set()  # float activations: once for all layers of these kinds
    for name, case in CASES.items():
        if not any(
            "kernel" in layer.weights or "table" in layer.weights for layer in case.graph.layers
        ):
            continue
        dynamic = quantize(case.graph, None, Scheme.DYNAMIC)
        yield f"{name} dynamic", Quantized(graph=dynamic, case=case)
        old = {"runtime_min": "2.14"}
        yield f"{name} dynamic 2.14", Quantized(graph=dynamic, case=case, options=old)
        if name not in NOT_CALIBRATED:
            ranges = calibrate(case.graph, _calibration(case))
            int8 = quantize(case.graph, ranges, Scheme.INT8)
            yield f"{name} int8", Quantized(graph=int8, case=case)
            kinds = frozenset(type(layer).__name__ for layer in case.graph.layers)
            if kinds in seen:
                continue
            seen.add(kinds)
            fine = quantize(
                *(case.graph, ranges, Scheme.INT8), in_float=[one.name for one in case.graph.layers]
            )
            yield f"{name} int8 float gates dynamic", Quantized(graph=fine, case=case)
            yield f"{name} int8 float gates 2.14", Quantized(graph=fine, case=case, options=old)


def _calibration(case: Case) -> dict[str, AnyArray]:
    """The case's own inputs among others of their kind."""
    random = np.random.default_rng(5)
    drawn: dict[str, AnyArray] = {}
    for name, value in case.inputs.items():
        more = [value] * 5
        if value.dtype == np.float32:
            more = [random.normal(size=value.shape).astype(np.float32) for _ in range(5)]
            if name in STATES:
                more = [np.tanh(batch) for batch in more]
        drawn[name] = np.concatenate([value, *more])
    return drawn


QUANTIZED: dict[str, Quantized] = dict(_quantized_cases())
