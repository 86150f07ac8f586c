"""Every layer and option, quantized: nothing crashes and all stays close to float."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgernn.export.feature import Feature
from edgernn.export.features import features
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize, to_float16
from edgernn.graph import AnyArray, DType, Graph, Ranges
from edgernn.reference import integer, run
from edgernn.scheme import Scheme

FEATURES = list(features())


def named(feature: Feature) -> str:
    return f"{feature.layer}({feature.option})"


def arguments(graph: Graph) -> dict[str, AnyArray]:
    rng = np.random.default_rng(1)
    drawn: dict[str, AnyArray] = {}
    for entry in graph.inputs:
        rows = entry.spec.shape[0] or 12
        shape = (rows, *(6 if size is None else size for size in entry.spec.shape[1:]))
        match entry.spec.dtype:
            case DType.FLOAT32:
                values: Any = rng.uniform(-1, 1, shape).astype(np.float32)
            case DType.INT32:
                values = rng.integers(0, 4, shape).astype(np.int32)
            case DType.BOOL:
                values = rng.random(shape) < 0.7
                values[:, :1] = True
        drawn[entry.name] = values
    return drawn


def ranges_of(graph: Graph) -> Ranges:
    """Calibrated on twelve samples, also where the graph takes one at a time."""
    inputs = arguments(graph)
    many = {name: np.concatenate([x] * (12 // len(x))) for name, x in inputs.items()}
    return calibrate(graph, many)


@pytest.mark.parametrize("scheme", [Scheme.FLOAT16, Scheme.DYNAMIC, Scheme.INT8])
@pytest.mark.parametrize("feature", FEATURES, ids=named)
def test_a_quantized_feature_stays_close_to_the_float_one(feature: Feature, scheme: Scheme) -> None:
    graph = feature.graph
    inputs = arguments(graph)
    exact = run(graph, inputs)
    match scheme:
        case Scheme.INT8:
            quantized = quantize(graph, ranges_of(graph), scheme)
        case Scheme.FLOAT16:
            quantized = to_float16(graph)
        case _:
            quantized = quantize(graph, None, scheme)
    given = integer.run(quantized, inputs)
    assert set(given) == set(exact)
    for name, expected in exact.items():
        assert given[name].dtype == expected.dtype
        assert given[name].shape == expected.shape
        if expected.dtype != np.float32:
            np.testing.assert_array_equal(given[name], expected)
            continue
        scale = max(float(np.abs(expected).max(initial=0.0)), 1e-3)
        assert np.abs(given[name] - expected).max(initial=0.0) < 0.03 * scale + 1 / 256


def test_recurrent_layers_with_their_usual_activations_are_integer_layers() -> None:
    for feature in FEATURES:
        quantized = quantize(feature.graph, ranges_of(feature.graph), Scheme.INT8)
        assert quantized.quantization is not None
        if feature.section == "Recurrent layers":
            assert quantized.quantization.notes == (), named(feature)
            assert quantized.quantization.plans, named(feature)
