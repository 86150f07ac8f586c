"""A file of steps is judged over whole sequences, with the states that it made itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgernn import streaming
from edgernn.errors import VerificationError
from edgernn.export import backend_named, one_format
from edgernn.export.carried import answers, answers_of, sequences_of
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import export_model, float_graph
from edgernn.export.quantization.calibrate import calibrate
from edgernn.export.request import Request
from edgernn.export.rows import Examples, Origin
from edgernn.graph import Lstm
from edgernn.reference import run
from edgernn.scheme import Scheme
from tests.edgernn.tasks.reference_data import splits_of
from tests.formats import RUN
from tests.golden import GOLDEN

COUNTER = GOLDEN / "trained" / "counter_lstm.keras"


def rows(part: str, count: int) -> Any:
    """Sequences of events that the model counts: a memory of every step."""
    return getattr(splits_of("counter"), part).x[:count]


def request(**options: Any) -> Request:
    graph = float_graph(read_model(COUNTER).graph)
    name = graph.inputs[0].name
    return Request(
        scheme=Scheme.INT8,
        ranges=calibrate(graph, {name: rows("calibration", 48)}),
        examples=Examples(inputs={name: rows("test", 64)}, origin=Origin.KEPT_BACK),
        streaming=True,
        **options,
    )


def test_the_last_of_the_answers_is_that_of_the_whole_sequence() -> None:
    graph = float_graph(read_model(COUNTER).graph)
    name, output = graph.inputs[0].name, graph.outputs[0].name
    x = rows("test", 3)
    steps = streaming.to_streaming(graph)
    cases = sequences_of(steps, Examples(inputs={name: x}))
    given = np.concatenate([answers(steps, case)[output] for case in cases])
    assert given.shape[:2] == x.shape[:2]
    np.testing.assert_allclose(
        given[:, -1].ravel(), run(graph, {name: x})[output].ravel(), atol=1e-6
    )


def test_answers_to_all_cases_at_once_are_those_to_each() -> None:
    graph = float_graph(read_model(COUNTER).graph)
    steps, name = streaming.to_streaming(graph), graph.inputs[0].name
    cases = sequences_of(steps, Examples(inputs={name: rows("test", 5)}))
    for case, given in zip(cases, answers_of(steps, cases), strict=True):
        for output, exact in answers(steps, case).items():
            np.testing.assert_allclose(given[output], exact, atol=1e-6)


def test_rows_of_one_call_make_no_sequences() -> None:
    graph = streaming.to_streaming(float_graph(read_model(COUNTER).graph))
    assert (
        sequences_of(graph, Examples(inputs={graph.inputs[0].name: rows("test", 3)[:, :1]})) == ()
    )
    assert sequences_of(graph, None) == ()


@pytest.mark.parametrize("backend", [name for name in RUN if name != "native"])
def test_a_file_whose_states_go_astray_is_refused_though_each_step_is_near(
    backend: str, tmp_path: Any, monkeypatch: Any
) -> None:
    """Its gates let a little more pass at each step: little for one step, far off at the end.

    A native file takes the biases of its plan, so that this one would be honest.
    """
    honest = backend_named(backend)

    def forgetful(graph: Any, **given: Any) -> Any:
        layers = tuple(
            replace(layer, bias=np.asarray(layer.bias) + np.float32(0.04))
            if isinstance(layer, Lstm)
            else layer
            for layer in graph.layers
        )
        return honest.lower(replace(graph, layers=layers), **given)

    model = read_model(COUNTER)
    export_model(model, tmp_path / "honest", request(backends=(backend,)))
    monkeypatch.setattr(one_format, "backend_named", lambda _: replace(honest, lower=forgetful))
    with pytest.raises(VerificationError, match="over sequences of"):
        export_model(model, tmp_path / "astray", request(backends=(backend,)))
