"""What we write we read: the Keras models of the zoo come back from their float .onnx files.

The oracle is the graph that the file was written from, which Keras agrees with (test_parity).
"""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.errors import ModelFileError, UnsupportedLayer
from edgernn.export import backend_named
from edgernn.export.cases import make_cases
from edgernn.export.keras.file import read_model
from edgernn.export.onnx_file.file import read_onnx
from edgernn.export.pipeline import float_graph
from edgernn.export.verify import relative_error
from edgernn.reference import References
from tests.zoo import CASES
from tests.zoo.prepare import Route, prepare

#: Every so many models run each time; all of them in the long tests.
OFTEN = 24


def outcome(case, folder):
    """Words for a model that is not written or refused, otherwise the largest error."""
    files = prepare(case, case.generations[0]).files
    route = Route.KERAS if Route.KERAS in files else Route.H5
    source = folder / f"model.{route.value}"
    source.write_bytes(files[route])
    try:
        graph = float_graph(read_model(source).graph)
        content = backend_named("onnx").lower(graph, metadata={}).content
    except UnsupportedLayer:
        return "not written"
    path = folder / "model.onnx"
    path.write_bytes(content)
    try:
        model = read_onnx(path)
    except (UnsupportedLayer, ModelFileError):
        return "refused"
    calls = [case.inputs for case in make_cases(graph)]
    expected = References().of(graph, calls)
    given = [
        {
            name: call[model.ports[name].name].transpose(model.ports[name].permutation)
            for name in (entry.name for entry in model.graph.inputs)
        }
        for call in calls
    ]
    return max(
        relative_error(here[output.name].transpose(port.inverse), there[port.name])
        for here, there in zip(References().of(model.graph, given), expected, strict=True)
        for output in model.graph.outputs
        for port in [model.ports[output.name]]
    )


def assert_right(cases, folder):
    outcomes = {case.name: outcome(case, folder) for case in cases}
    wrong = {
        name: error
        for name, error in outcomes.items()
        if not isinstance(error, str) and not error <= 1e-5
    }
    assert wrong == {}
    read = [error for error in outcomes.values() if not isinstance(error, str)]
    assert len(read) >= len(cases) / 3, "too few come back for this to show anything"
    assert np.isfinite(read).all()


def test_models_of_our_own_come_back_or_are_refused(tmp_path):
    assert_right(CASES[1::OFTEN], tmp_path)


@pytest.mark.long
def test_all_models_of_our_own_come_back_or_are_refused(tmp_path):
    assert_right(CASES, tmp_path)
