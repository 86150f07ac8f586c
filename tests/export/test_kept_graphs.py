"""An export quantizes alike once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgernn import load
from edgernn.export.float_runs import FloatRuns, InIntegers
from edgernn.export.in_scheme import float_graph, quantized
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import export_model
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.request import Request
from edgernn.graph import Graph
from edgernn.reference import integer
from edgernn.scheme import Scheme
from tests.golden import GOLDEN


@pytest.fixture
def graph() -> Graph:
    return float_graph(read_model(GOLDEN / "small_gru.keras").graph)


def request_of(graph: Graph, seed: int) -> Request:
    (entry,) = graph.inputs
    shape = [size or 5 for size in entry.spec.shape[1:]]
    x = np.random.default_rng(seed).normal(size=(16, *shape)).astype(np.float32)
    return Request(scheme=Scheme.INT8, ranges=calibrate(graph, {entry.name: x}))


def test_the_same_layers_and_options_are_quantized_once(graph: Graph) -> None:
    request = request_of(graph, seed=0)
    made = quantized(graph, request, "native")
    assert quantized(graph, replace(request, verify=False), "native") is made
    assert quantized(replace(graph), request) is made


def test_what_differs_is_quantized_anew(graph: Graph) -> None:
    request = request_of(graph, seed=0)
    made = quantized(graph, request)
    *layers, last = graph.layers
    others = [
        quantized(graph, replace(request, ranges=request_of(graph, seed=1).ranges)),
        quantized(graph, replace(request, keep_float=(last.name,))),
        quantized(graph, replace(request, per_layer={last.name: Scheme.FLOAT16})),
        quantized(graph, replace(request, scheme=Scheme.DYNAMIC)),
        quantized(replace(graph, layers=(*layers, replace(last))), request),
    ]
    assert len({id(one) for one in (made, *others)}) == 6
    assert quantized(graph, request) is not made  # the latest four are kept


def test_of_a_large_model_only_the_latest_is_kept(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgernn.export.kept_graphs._MOST_BYTES", graph.parameters)
    request = request_of(graph, seed=0)
    made = quantized(graph, request)
    assert quantized(graph, request) is made
    quantized(graph, replace(request, scheme=Scheme.DYNAMIC))
    assert quantized(graph, request) is not made


def test_the_integers_of_the_next_file_are_computed_while_a_file_runs(
    graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phases, of_runs = ["begin"], []

    def noted(*arguments: Any) -> Any:
        of_runs.append(phases[-1])
        return run(*arguments)

    run = integer.run
    monkeypatch.setattr(integer, "run", noted)
    request = replace(request_of(graph, seed=0), backends=("tflite", "native"))
    model = read_model(GOLDEN / "small_gru.keras")
    made = export_model(model, tmp_path, request, progress=phases.append)
    assert made[1].verification.integers == "rounding"
    assert set(of_runs) == {"checking tflite"}


def test_what_the_study_asks_for_is_computed_once_while_the_last_file_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phases, at = ["begin"], []

    def noted(runs: FloatRuns, quantized: Graph) -> InIntegers:
        at.append(phases[-1])
        return through(runs, quantized)

    through = FloatRuns._all
    monkeypatch.setattr(FloatRuns, "_all", noted)
    x = np.random.default_rng(1).normal(size=(24, 8, 4)).astype(np.float32)
    model = load(GOLDEN / "small_gru.keras")
    made = model.export(
        tmp_path, to=["native", "tflite"], scheme="int8", calibrate=x, progress=phases.append
    )
    assert made.study.costs is not None
    assert at == ["checking tflite"]
