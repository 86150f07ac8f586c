"""What a file of one step says of the calls that have a result."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn import reference
from edgernn.artefact import Source
from edgernn.errors import UnsupportedLayer
from edgernn.export.naming import metadata_of
from edgernn.export.native import lower
from edgernn.export.request import Request
from edgernn.export.source_model import SourceModel
from edgernn.graph import Conv1D, Graph, Gru, Padding
from edgernn.runtime import Model
from edgernn.streaming import to_streaming
from tests.export.onnx.models import FEATURES, cell, graph_of, numbers, sequence


def strided(name: str, *, span: int, stride: int, padding: Padding = Padding.VALID) -> Conv1D:
    return Conv1D(
        name=name, input="x", output=name, kernel=numbers(span, FEATURES, 4), bias=numbers(4),
        stride=stride, padding=padding,
    )  # fmt: skip


def said_of(graph: Graph) -> dict[str, str]:
    source = Source(file="m.keras", sha256="0", keras_version="3", bytes=1, parameters=1)
    model = SourceModel(graph=graph, source=source, warnings=())
    return metadata_of(model, Request(streaming=True))


def test_outputs_of_one_rhythm_have_it() -> None:
    graph = graph_of(sequence(), strided("a", span=3, stride=2), outputs=["a"])
    said = said_of(graph)
    assert (said["first_result"], said["result_every"]) == ("2", "2")


def test_a_file_with_a_result_in_each_call_says_nothing() -> None:
    graph = graph_of(sequence(), cell(Gru, "gru", "x"), outputs=["gru"])
    assert "first_result" not in said_of(graph)


def test_outputs_with_and_without_a_stride_come_together() -> None:
    """Nothing of a call that a stride leaves out reaches a program."""
    gru = cell(Gru, "gru", "a", features=4)
    graph = graph_of(sequence(), strided("a", span=3, stride=3), gru, outputs=["a", "gru"])
    session = Model(lower(to_streaming(graph), metadata=said_of(graph)).content).session()
    x = np.random.default_rng(0).normal(size=(14, FEATURES)).astype(np.float32)
    answers = [session.step(row) for row in x]
    assert [step for step, one in enumerate(answers) if one is not None] == [2, 5, 8, 11]
    for step in (2, 5, 8, 11):
        for name, whole in reference.run(graph, {"x": x[None, : step + 1]}).items():
            wanted = whole[0, -1] if whole.ndim == 3 else whole[0]
            np.testing.assert_allclose(answers[step][name].ravel(), wanted, atol=1e-5)


def test_outputs_that_never_come_together_are_refused() -> None:
    layers = [
        strided("a", span=2, stride=2),
        strided("b", span=2, stride=2, padding=Padding.CAUSAL),
    ]
    graph = graph_of(sequence(), *layers, outputs=["a", "b"])
    with pytest.raises(UnsupportedLayer, match="never have a result in the same call"):
        said_of(graph)
