"""Integers decide as floats do, on models that were trained and on data they never saw.

The models in tests/golden/trained come from `edgernn train TASK --cell CELL` (32, 32, 16 and 24
units; the counter with --seed 3 --epochs 90), saved without the optimizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgernn.export.in_scheme import Written, with_fine_layers
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import float_graph
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.quantization.quantize import quantize
from edgernn.export.request import Request
from edgernn.export.rows import Examples
from edgernn.formats import format_named
from edgernn.graph import Graph, Lstm, Ranges, RecurrentPlan
from edgernn.reference import integer, run
from edgernn.scheme import Scheme
from edgernn.stats import mcnemar
from edgernn.streaming import to_streaming
from tests.edgernn.tasks.reference_data import splits_of
from tests.formats import RUN
from tests.golden import GOLDEN
from tests.zoo.runtimes import open_session

MODELS = {
    "digits_gru": "digits",
    "digits_lstm": "digits",
    "counter_lstm": "counter",
    "vowels_gru": "japanese-vowels",
}


@pytest.fixture(scope="module", params=MODELS)
def trained(request: pytest.FixtureRequest) -> Any:
    """(graph, ranges, test inputs, classes, float probabilities); the graph has the model's name"""
    splits = splits_of(MODELS[request.param])
    graph = float_graph(read_model(GOLDEN / "trained" / f"{request.param}.keras").graph)
    graph = replace(graph, name=request.param)
    (entry,) = graph.inputs
    ranges = calibrate(graph, {entry.name: splits.calibration.x})
    inputs = {entry.name: splits.test.x}
    return graph, ranges, inputs, splits.test.y, probabilities(run(graph, inputs))


def probabilities(outputs: Mapping[str, Any]) -> Any:
    (only,) = outputs.values()
    return only


def quantized(graph: Graph, ranges: Ranges, scheme: Scheme) -> Graph:
    return quantize(graph, ranges if scheme is Scheme.INT8 else None, scheme)


@pytest.mark.parametrize("scheme", [Scheme.DYNAMIC, Scheme.INT8])
def test_accuracy_stays_within_a_third_of_a_point(trained, scheme) -> None:
    graph, ranges, inputs, classes, exact = trained
    given = probabilities(integer.run(quantized(graph, ranges, scheme), inputs))
    rows = len(classes)
    right = [int((answer.argmax(-1) == classes).sum()) for answer in (exact, given)]
    assert right[0] > 0.9 * rows
    assert abs(right[1] - right[0]) <= max(0.003 * rows, 1)
    assert (given.argmax(-1) == exact.argmax(-1)).mean() >= 0.99


@pytest.mark.parametrize("backend", RUN)
@pytest.mark.parametrize("scheme", [Scheme.DYNAMIC, Scheme.INT8])
def test_files_decide_as_the_float_model_does(trained, scheme, backend, record_property) -> None:
    """Row by row, as on a device; a drop beyond 0.3 points has to be within luck's reach."""
    graph, ranges, inputs, classes, exact = trained
    splits = splits_of(MODELS[graph.name])
    ((name, x),) = inputs.items()
    request = Request(
        scheme=scheme,
        ranges=ranges if scheme is Scheme.INT8 else None,
        examples=Examples(inputs={name: splits.calibration.x}),
    )
    written = Written(graph=graph, request=with_fine_layers(graph, request))
    session = open_session(backend, written.for_format(format_named(backend)))
    given = np.concatenate([probabilities(session({name: row[None]})) for row in x])
    right, right_of_float = (answer.argmax(-1) == classes for answer in (given, exact))
    drop = mcnemar(right_of_float, right)
    same = float((given.argmax(-1) == exact.argmax(-1)).mean())
    record_property(
        "figure",
        f"accuracy, {graph.name} ({len(x):,} rows) {scheme.value} in {backend}: "
        f"{right.mean():.2%}, float {right_of_float.mean():.2%}, {same:.2%} of the answers alike",
    )
    assert drop.estimate <= 0.003 or not drop.significant
    assert same >= 0.99


def test_streaming_gives_the_bits_of_the_whole_sequence(trained) -> None:
    graph, ranges, inputs, _, _ = trained
    whole = quantized(graph, ranges, Scheme.INT8)
    step = to_streaming(whole)
    ((name, x),) = inputs.items()
    x = x[:50]
    states = {
        state.input: np.zeros((50, *(size or 1 for size in step.specs[state.input].shape[1:])))
        for state in step.states
    }
    answer: dict[str, Any] = {}
    for time in range(x.shape[1]):
        answer = integer.run(step, {name: x[:, time : time + 1], **states})
        states = {state.input: answer[state.output] for state in step.states}
    expected = integer.run(whole, {name: x})
    np.testing.assert_array_equal(answer[graph.outputs[0].name], probabilities(expected))


def test_the_counter_needs_a_wide_cell() -> None:
    splits = splits_of("counter")
    graph = float_graph(read_model(GOLDEN / "trained" / "counter_lstm.keras").graph)
    ranges = calibrate(graph, {graph.inputs[0].name: splits.calibration.x})
    (cell,) = (layer.name for layer in graph.layers if isinstance(layer, Lstm))
    assert ranges.cells[cell]["c"].magnitude > 40
    plan = plan_of(quantized(graph, ranges, Scheme.INT8), cell)
    assert plan.cell_exponent is not None
    assert plan.cell_exponent.max() == 6


def plan_of(graph: Graph, layer: str) -> RecurrentPlan:
    assert graph.quantization is not None
    plan = graph.quantization.plans[layer]
    assert isinstance(plan, RecurrentPlan)
    return plan
