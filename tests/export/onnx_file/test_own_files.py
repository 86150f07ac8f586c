"""What we write we read: the Keras models of the zoo come back from their float .onnx files.

The oracle is the graph that the file was written from, which Keras agrees with (test_parity).
"""

from __future__ import annotations

from collections import Counter

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

#: Every so many models run each time; all of them, in so many parts, in the long tests.
OFTEN, PARTS = 24, 8
NOT_WRITTEN = "not written"


def outcome(case, folder):
    """Words for a model that is not written or is refused by name, otherwise the largest error.

    A refusal without a name or a remedy counts as wrong: not a number.
    """
    files = prepare(case, case.generations[0]).files
    route = Route.KERAS if Route.KERAS in files else Route.H5
    source = folder / f"model.{route.value}"
    source.write_bytes(files[route])
    try:
        graph = float_graph(read_model(source).graph)
        content = backend_named("onnx").lower(graph, metadata={}).content
    except UnsupportedLayer:
        return NOT_WRITTEN
    path = folder / "model.onnx"
    path.write_bytes(content)
    try:
        model = read_onnx(path)
    except UnsupportedLayer as refusal:
        named = refusal.layer and refusal.remedy
        return f"{refusal.kind} {refusal.reason}" if named else float("nan")
    except ModelFileError as refusal:
        return refusal.what if refusal.remedy else float("nan")
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


def assert_right(cases, folder, record_property):
    outcomes = {case.name: outcome(case, folder) for case in cases}
    errors = {name: error for name, error in outcomes.items() if not isinstance(error, str)}
    assert {name: error for name, error in errors.items() if not error <= 1e-5} == {}
    assert np.isfinite(list(errors.values())).all()
    refused = Counter(words for words in outcomes.values() if isinstance(words, str))
    not_written = refused.pop(NOT_WRITTEN, 0)
    assert len(errors) >= len(cases) / 3, "too few come back for this to show anything"
    record_property(
        "figure",
        f"own .onnx files: {len(errors)} of {len(cases)} models come back, {not_written} are not "
        f"written, {refused.total()} are refused ({refused.most_common(6)})",
    )


def test_models_of_our_own_come_back_or_are_refused(tmp_path, record_property):
    assert_right(CASES[1::OFTEN], tmp_path, record_property)


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_all_models_of_our_own_come_back_or_are_refused(part, tmp_path, record_property):
    assert_right(CASES[part::PARTS], tmp_path, record_property)
