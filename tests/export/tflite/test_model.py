"""Every layer in LiteRT's interpreter against the reference."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from edgernn.export import tflite
from edgernn.graph import AnyArray
from edgernn.reference import run
from tests.export.tflite.cases import CASES
from tests.export.tflite.interpreters import run_litert

TOLERANCE = 2e-6  # relative to the largest output, float32 throughout


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("xnnpack", [True, False], ids=["xnnpack", "builtin"])
def test_a_file_computes_what_the_reference_computes(name: str, xnnpack: bool) -> None:
    case = CASES[name]
    wanted = run(case.graph, case.inputs)
    content = tflite.lower(case.graph, metadata={}).content
    found = run_litert(content, case.inputs, xnnpack=xnnpack)
    assert_same(found, wanted)


def assert_same(found: Mapping[str, AnyArray], wanted: Mapping[str, AnyArray]) -> None:
    assert found.keys() == wanted.keys()
    for output, value in wanted.items():
        assert found[output].shape == value.shape
        assert found[output].dtype == value.dtype
        if value.dtype != np.float32:
            np.testing.assert_array_equal(found[output], value, err_msg=output)
            continue
        scale = max(1.0, float(np.nanmax(np.abs(value))))
        np.testing.assert_allclose(
            found[output], value, rtol=0, atol=TOLERANCE * scale, err_msg=output
        )
