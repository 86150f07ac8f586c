"""The comparison that decides whether an artefact is handed over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from edgernn import reference
from edgernn.errors import VerificationError
from edgernn.export.cases import Case, make_cases
from edgernn.export.keras.file import read_model
from edgernn.export.pipeline import export_model
from edgernn.export.request import Request
from edgernn.export.verify import (
    relative_error,
    same_up_to_rounding,
    worst_error,
)
from edgernn.graph import Affine, Dense, Graph, Input, Layer, Output, TensorSpec
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
    assert worst.error == pytest.approx(1e-3 / 0.01)  # zeros have no scale of their own
    complaint = r"gru.onnx differs .*'y'.*0.1 .*case 'two'"
    with pytest.raises(VerificationError, match=complaint):
        same_up_to_rounding("gru.onnx", CASES, actual, ZEROS)


def test_a_small_output_is_held_to_its_own_scale_over_all_cases():
    expected = [{"y": np.array([0.02, -0.05])}, {"y": np.array([0.0, 0.001])}]
    wrong = [{"y": np.array([0.02, -0.05])}, {"y": np.array([0.0, 0.00102])}]
    with pytest.raises(VerificationError, match=r"off by 0\.0004 of its scale"):
        same_up_to_rounding("gru.onnx", CASES, wrong, expected)
    rounded = [{"y": np.array([0.02, -0.05])}, {"y": np.array([0.0, 0.001001])}]
    assert same_up_to_rounding("gru.onnx", CASES, rounded, expected).max_error == pytest.approx(
        1e-6 / 0.05
    )


def dense(name: str, kernel: npt.NDArray[np.float32], source: str, target: str) -> Dense:
    return Dense(name=name, input=source, output=target, kernel=kernel, bias=None)


def small(*layers: Layer) -> Graph:
    return Graph(
        name="small",
        inputs=(Input(name="x", spec=TensorSpec(shape=(None, 4))),),
        layers=layers,
        outputs=(Output(name="y", edge="y"),),
    )


def test_where_float32_itself_is_worse_a_model_is_held_to_that():
    """(1000 + x) - 1000 keeps four digits of x, whatever computes it."""
    shift = np.full(4, 1000, np.float32)
    ones, eye = np.ones(4, np.float32), np.eye(4, dtype=np.float32)
    cancelling = small(
        Affine(name="up", input="x", output="u", scale=ones, offset=shift),
        Affine(name="down", input="u", output="d", scale=ones, offset=-shift),
        dense("head", eye, "d", "y"),
    )
    plain = small(dense("head", eye, "x", "y"))
    cases = make_cases(plain)
    expected = [reference.run(plain, case.inputs) for case in cases]
    for size, is_noise in ((3e-4, True), (0.1, False)):
        off = [{"y": outputs["y"] + np.float32(size)} for outputs in expected]
        with pytest.raises(VerificationError, match=r"allowed 1e-04"):
            same_up_to_rounding("m.onnx", cases, off, expected, graph=plain)
        if is_noise:
            found = same_up_to_rounding("m.onnx", cases, off, expected, graph=cancelling)
            assert found.tolerance is not None
            assert found.max_error is not None
            assert 1e-4 < found.max_error < found.tolerance < 1e-2
            continue
        with pytest.raises(VerificationError, match=r"m\.onnx differs"):
            same_up_to_rounding("m.onnx", cases, off, expected, graph=cancelling)


def test_a_missing_output_fails():
    with pytest.raises(VerificationError):
        same_up_to_rounding("gru.onnx", CASES, [{}, {}], ZEROS)


def test_weights_beyond_float16_get_a_remedy_of_float16(tmp_path):
    graph = small(
        dense("tiny", np.full((4, 4), 1e-9, np.float32), "x", "z"),
        dense("large", np.full((4, 4), 1e4, np.float32), "z", "y"),
    )
    model = replace(read_model(GOLDEN / "small_gru.keras"), graph=graph)
    with pytest.raises(VerificationError, match="too small or too large for float16"):
        export_model(model, tmp_path, Request(backends=("onnx",), scheme=Scheme.FLOAT16))
