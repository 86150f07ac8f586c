"""Functions of single numbers at the ends of what they take."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.export.native import lower
from edgernn.graph import Activate, Activation, ActivationKind
from edgernn.reference import run
from edgernn.runtime import Model
from tests.edgernn.runtime.models import graph_of

ENDS = [0.0, -1.0, 1e-40, 1e-37, 1.0, 3.7, 1e30, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize(
    "kind",
    [
        ActivationKind.SQRT,
        ActivationKind.RSQRT,
        ActivationKind.LOGARITHM,
        ActivationKind.RECIPROCAL,
    ],
)
def test_roots_and_logarithms_end_where_those_of_numpy_do(kind: ActivationKind) -> None:
    layer = Activate(name="layer", input="x", output="y", activation=Activation(kind=kind))
    graph = graph_of(layer, features=len(ENDS))
    x = {"x": np.array([[ENDS]], np.float32)}
    actual = Model(lower(graph, metadata={}).content).run(x)["y"]
    np.testing.assert_allclose(actual, run(graph, x)["y"], rtol=3e-6, equal_nan=True)
