"""Every layer and option that the back end accepts, in float, on every instruction set."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from edgernn import reference, streaming
from edgernn.errors import UnsupportedLayer
from edgernn.export.cases import Case, make_cases
from edgernn.export.feature import Feature
from edgernn.export.features import features
from edgernn.export.native import lower
from edgernn.export.quantization.quantize import quantize
from edgernn.export.verify import relative_error
from edgernn.graph import AnyArray, Graph
from edgernn.runtime import Model, available_isas
from edgernn.scheme import Scheme
from tests.edgernn.runtime.models import CELLS, cell, graph_of, numbers

TOLERANCE = 1e-5

#: Layers that the runtime does not have, options that it cannot express; all else must work.
REFUSED = ("softmax", "Softmax", "Permute", "TimeDistributed", "Dot", "Attention")


def named(feature: Feature) -> str:
    return f"{feature.section}: {feature.layer} {feature.option}"


def expected_of(graph: Graph, case: Case) -> dict[str, AnyArray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # exponential cells overflow, and should here too
        return reference.run(graph, case.inputs)


def assert_agrees(graph: Graph, isa: str) -> None:
    model = Model(lower(graph, metadata={}).content, isa=isa)
    for case in make_cases(graph):
        actual = model.run(case.inputs)
        for name, wanted in expected_of(graph, case).items():
            assert actual[name].dtype == wanted.dtype
            np.testing.assert_array_equal(np.isnan(actual[name]), np.isnan(wanted))
            error = relative_error(np.nan_to_num(actual[name]), np.nan_to_num(wanted))
            assert error <= TOLERANCE, f"{name} is off by {error:.1e} for {case.name}"


@pytest.mark.parametrize("feature", list(features()), ids=named)
def test_a_layer_agrees_with_the_reference_or_is_refused(feature: Feature) -> None:
    graph = streaming.expose_states(feature.graph)
    try:
        lower(graph, metadata={})
    except UnsupportedLayer:
        assert any(word in named(feature) for word in REFUSED), f"{named(feature)} was refused"
        return
    for isa in available_isas():
        assert_agrees(graph, isa)


@pytest.mark.parametrize("isa", available_isas())
def test_stored_halves_are_computed_in_float(isa: str) -> None:
    for feature in features():
        if feature.section == "Recurrent layers" or "Dense" in feature.layer:
            graph = streaming.expose_states(feature.graph)
            assert_agrees(quantize(graph, None, Scheme.FLOAT16), isa)


@pytest.mark.parametrize("isa", available_isas())
def test_stored_bytes_of_convolutions_are_computed_in_float(isa: str) -> None:
    for feature in features():
        if "Conv1D" in feature.layer and "Depthwise" not in feature.layer:
            graph = streaming.expose_states(feature.graph)
            assert_agrees(quantize(graph, None, Scheme.DYNAMIC), isa)


@pytest.mark.parametrize("kind", CELLS)
def test_nan_stays_in_the_state_until_a_reset(kind: str) -> None:
    rng = np.random.default_rng(0)
    layer = cell(kind, rng, units=20, features=4, return_sequences=True)
    content = lower(graph_of(layer, features=4), metadata={}).content
    x = numbers(rng, 1, 40, 4)
    clean = x[0, :3].copy()
    x[0, 3, 1] = np.nan
    for isa in available_isas():
        model = Model(content, isa=isa)
        assert np.isnan(model(x)[0]).all(axis=-1).tolist() == [False] * 3 + [True] * 37
        session = model.session()
        session.run(x[0])
        session.reset()
        assert np.isfinite(session.run(clean)).all()
