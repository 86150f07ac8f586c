"""Runs of a float model over a few rows: each is made once, and a known one is the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest

from edgernn import reference
from edgernn.export import float_runs
from edgernn.export.features import features
from edgernn.export.float_runs import FloatRuns, runs_over
from edgernn.export.in_scheme import float_graph, quantized, scaled, with_fine_layers
from edgernn.export.keras.file import read_model
from edgernn.export.propagation import Change
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.request import Request
from edgernn.export.rows import Examples, rows_to_measure
from edgernn.export.study.sensitivity import sensitivity, snr_db
from edgernn.graph import Graph, with_weights
from edgernn.reference import execute, integer
from edgernn.scheme import Scheme
from tests.golden import GOLDEN

RNG = np.random.default_rng(8)


@pytest.fixture(scope="module")
def exported() -> tuple[Graph, Request]:
    graph = float_graph(read_model(GOLDEN / "trained" / "digits_lstm.keras").graph)
    (entry,) = graph.inputs
    x = RNG.normal(size=(24, 40, 13)).astype(np.float32)
    ranges = calibrate(graph, {entry.name: x})
    request = Request(
        scheme=Scheme.INT8, ranges=ranges, examples=Examples(inputs={entry.name: x[:8]})
    )
    return graph, with_fine_layers(graph, request)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each layer runs."""
    counts: Counter[str] = Counter()

    def counted(apply: Any) -> Any:
        def run(layer: Any, *others: Any) -> Any:
            counts[layer.name] += 1
            return apply(layer, *others)

        return run

    monkeypatch.setattr("edgernn.export.float_runs.apply", counted(reference.apply))
    monkeypatch.setattr("edgernn.export.propagation.apply", counted(reference.apply))
    monkeypatch.setattr(integer, "apply", counted(integer.apply))
    return counts


def test_the_study_runs_again_only_what_noise_reaches(exported, ran, monkeypatch) -> None:
    graph, request = exported
    monkeypatch.setattr("edgernn.export.study.sensitivity._LOUD_DB", -inf)  # needs no remedy
    rows = rows_to_measure(graph, request.examples)
    given = scaled(graph, request)[0], quantized(graph, request), rows
    costs = sensitivity(*given, runs=request.runs)
    assert ran == {"probabilities": 1}  # behind the noise of the LSTM
    assert [cost.layer for cost in costs.layers] == ["lstm_1", "probabilities"]
    again = sensitivity(*given)  # of other batches: sums in float32 may differ in the last bits
    for one, other in zip(costs.layers, again.layers, strict=True):
        assert one.output_snr_db == pytest.approx(other.output_snr_db, abs=1e-3)
        assert one.layer_snr_db == pytest.approx(other.layer_snr_db, abs=1e-3)
        assert (one.arithmetic, one.clamped) == (other.arithmetic, other.clamped)
    assert costs.output_snr_db == pytest.approx(again.output_snr_db, abs=1e-3)
    assert (costs.agreement, costs.notes) == (again.agreement, again.notes)
    assert ran["lstm_1"] > 0


def test_the_study_gives_what_whole_runs_give(exported) -> None:
    graph, request = exported
    rows = {name: 9 * x for name, x in rows_to_measure(graph, request.examples).items()}
    given, int8 = scaled(graph, request)[0], quantized(graph, request)
    counts: dict[tuple[str, str], list[int]] = {}

    def count(layer: str, where: str, clamped: int, total: int) -> None:
        before = counts.get((layer, where), (0, 0))
        counts[layer, where] = [before[0] + clamped, before[1] + total]

    exact, noisy = execute(given, rows), integer.execute(int8, rows, observe=count)
    costs = sensitivity(given, int8, rows, runs=request.runs)
    (edge,) = [output.edge for output in given.outputs]
    assert costs.output_snr_db == snr_db(given, edge, exact[edge], noisy[edge])
    assert any(clamped for clamped, _ in counts.values())
    assert {
        (cost.layer, where): share for cost in costs.layers for where, share in cost.clamped.items()
    } == {place: clamped / total for place, (clamped, total) in counts.items()}


def test_runs_are_of_one_graph_and_the_same_rows(exported) -> None:
    _, request = exported
    runs = request.runs
    assert runs is not None
    assert runs_over(runs.graph, {**runs.rows}, runs) is runs
    other_rows = {name: array + np.float32(1e-6) for name, array in runs.rows.items()}
    assert runs_over(runs.graph, other_rows, runs) is not runs
    *layers, last = runs.graph.layers
    bias = np.asarray(last.weights["bias"]) + np.float32(1e-6)
    other = replace(runs.graph, layers=(*layers, with_weights(last, {"bias": bias})))
    assert runs_over(other, runs.rows, runs) is not runs


def test_layers_of_every_kind_are_known_by_their_content() -> None:
    digests = {
        float_runs._digest((layer, None))
        for feature in features()
        for layer in feature.graph.layers
    }
    assert len(digests) > 40


def test_a_change_is_known_by_its_content(exported, ran) -> None:
    _, request = exported
    assert request.runs is not None
    runs = FloatRuns(graph=request.runs.graph, rows=request.runs.rows)
    first, *later = [layer for layer in runs.graph.layers if layer.weights]
    exact = [runs.exact[edge] for edge in first.writes]
    changes = [Change(layer=first.name, written=[part + step for part in exact]) for step in (1, 2)]
    found = runs.changed([*changes, changes[0]])
    assert found[0] == found[2]
    first_answer, second_answer = (one[runs.outputs[0]] for one in found[:2])
    assert not np.array_equal(first_answer, second_answer)
    once = dict(ran)
    again = Change(layer=first.name, written=[part + 1 for part in exact])
    assert runs.changed([again]) == [found[0]]
    assert dict(ran) == once
    assert runs.alone(later[0]).written[0] is runs.exact[later[0].writes[0]]
