"""The comparison that decides whether an artefact is handed over."""

from __future__ import annotations

import numpy as np
import pytest

from edgernn.errors import VerificationError
from edgernn.export.cases import Case
from edgernn.export.verify import judged, relative_error, worst_error


@pytest.mark.parametrize(
    ("actual", "expected", "error"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([0.5], [0.25], 0.25),  # small outputs are compared absolutely
        ([110.0, 0.0], [100.0, 0.0], 0.1),  # large ones relative to the largest
        ([np.nan], [1.0], np.inf),
        ([1.0], [np.nan], np.inf),
        ([np.inf], [1.0], np.inf),
        ([np.nan, np.inf, 1.0], [np.nan, np.inf, 1.5], 0.5 / 1.5),
        ([[1.0]], [1.0], np.inf),
        ([], [], 0.0),
    ],
)
def test_error_is_relative_to_the_outputs_scale(actual, expected, error):
    assert relative_error(np.array(actual), np.array(expected)) == pytest.approx(error)


def test_the_worst_case_and_output_are_named():
    cases = [Case(name="one", inputs={}), Case(name="two", inputs={})]
    expected = [{"y": np.zeros(2)}, {"y": np.zeros(2)}]
    actual = [{"y": np.array([0, 1e-7])}, {"y": np.array([0, 1e-3])}]
    worst = worst_error(cases, actual, expected)
    assert (worst.case, worst.output, worst.error) == ("two", "y", 1e-3)
    with pytest.raises(VerificationError, match=r"gru.onnx differs .*'y'.*0.001.*case 'two'"):
        judged(worst, artefact="gru.onnx", cases=2, tolerance=1e-4)


def test_a_missing_output_fails():
    cases = [Case(name="one", inputs={})]
    worst = worst_error(cases, [{}], [{"y": np.zeros(1)}])
    with pytest.raises(VerificationError):
        judged(worst, artefact="gru.onnx", cases=1, tolerance=1e-4)
