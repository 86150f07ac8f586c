"""The comparison that decides whether an artefact is handed over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgernn.artefact import VerificationStatus
from edgernn.errors import VerificationError
from edgernn.export.cases import Case
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import Request, export_model
from edgernn.export.verify import (
    agreement,
    mean_relative_error,
    near_on_average,
    relative_error,
    same_up_to_rounding,
    worst_error,
)
from edgernn.graph import Dense, Graph, Input, Output, TensorSpec
from edgernn.scheme import Scheme
from tests.golden import GOLDEN


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


CASES = [Case(name="one", inputs={}), Case(name="two", inputs={})]
ZEROS = [{"y": np.zeros(2)}, {"y": np.zeros(2)}]


def test_the_worst_case_and_output_are_named():
    actual = [{"y": np.array([0, 1e-7])}, {"y": np.array([0, 1e-3])}]
    worst = worst_error(CASES, actual, ZEROS)
    assert (worst.case, worst.output) == ("two", "y")
    assert worst.error == pytest.approx(1e-3 / 0.1)  # zeros have no scale of their own
    complaint = r"gru.onnx differs .*'y'.*0.01 .*case 'two'"
    with pytest.raises(VerificationError, match=complaint):
        same_up_to_rounding("gru.onnx", CASES, actual, ZEROS)


def test_a_small_output_is_held_to_its_own_scale_over_all_cases():
    expected = [{"y": np.array([0.02, -0.05])}, {"y": np.array([0.0, 0.001])}]
    wrong = [{"y": np.array([0.02, -0.05])}, {"y": np.array([0.0, 0.00102])}]
    with pytest.raises(VerificationError, match=r"off by 0\.0002 of its scale"):
        same_up_to_rounding("gru.onnx", CASES, wrong, expected)
    rounded = [{"y": np.array([0.02, -0.05])}, {"y": np.array([0.0, 0.001001])}]
    assert same_up_to_rounding("gru.onnx", CASES, rounded, expected).max_error == pytest.approx(
        1e-6 / 0.1
    )


@pytest.mark.parametrize("scale", [0.0, 0.01])
def test_what_is_left_of_numbers_that_cancel_may_be_off_by_their_rounding(scale):
    expected = [{"y": np.array([scale, 0.0])}, {"y": np.array([-scale, 0.0])}]
    noisy = [{"y": outputs["y"] + 3e-6} for outputs in expected]
    verification = same_up_to_rounding("gru.onnx", CASES, noisy, expected)
    assert verification.status is VerificationStatus.PASSED


def test_a_missing_output_fails():
    with pytest.raises(VerificationError):
        same_up_to_rounding("gru.onnx", CASES, [{}, {}], ZEROS)


def test_integer_schemes_are_held_to_their_mean_error():
    expected = [{"y": np.array([[0.0, 1.0]])}, {"y": np.array([[1.0, 0.0]])}]
    near = [{"y": np.array([[0.02, 0.98]])}, {"y": np.array([[0.99, 0.01]])}]
    verification = near_on_average("gru.int8.onnx", CASES, near, expected)
    assert verification.mean_error == pytest.approx(0.015)
    assert verification.agreement == 1.0
    swapped = expected[::-1]
    assert agreement(swapped, expected) == 0.0
    with pytest.raises(VerificationError, match=r"off by 100.0% of their scale.*--keep-float"):
        near_on_average("gru.int8.onnx", CASES, swapped, expected)


def test_weights_beyond_float16_get_a_remedy_of_float16(tmp_path):
    def scaled(name: str, factor: float, source: str, target: str) -> Dense:
        kernel = np.full((4, 4), factor, np.float32)
        return Dense(name=name, input=source, output=target, kernel=kernel, bias=None)

    graph = Graph(
        name="tiny",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, 4))),),
        layers=(scaled("small", 1e-9, "x", "z"), scaled("large", 1e4, "z", "y")),
        outputs=(Output(name="y", edge="y"),),
    )
    model = replace(read_model(GOLDEN / "small_gru.keras"), graph=graph)
    with pytest.raises(VerificationError, match="too small or too large for float16"):
        export_model(model, tmp_path, Request(backends=("onnx",), scheme=Scheme.FLOAT16))


def test_a_mean_error_of_another_shape_or_of_nan_is_infinite():
    one = [np.ones(2)]
    assert mean_relative_error([np.ones(3)], one) == np.inf
    assert mean_relative_error([np.array([np.nan, 1])], one) == np.inf
    assert mean_relative_error(one, one) == 0


def test_an_average_over_no_valid_step_is_no_number_on_either_side():
    expected = [np.array([np.nan, 2.0, -1.0]), np.array([np.nan])]
    assert mean_relative_error(expected, expected) == 0
    near = [np.array([np.nan, 1.9, -1.0]), np.array([np.nan])]
    assert mean_relative_error(near, expected) == pytest.approx(0.05 / 2)
    assert mean_relative_error([np.array([0.0, 2.0, -1.0]), expected[1]], expected) == np.inf
    assert mean_relative_error([np.array([np.nan])], [np.array([np.nan])]) == 0
