"""`--rounding`: how an int8 export chooses the integers of weights, in the command and in Python.

The oracle are the files: LiteRT reads their integers, and the model's own weights lie beside them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert.interpreter import Interpreter

import edgernn as package
from edgernn import errors
from edgernn.export.keras.file import read_model
from edgernn.graph import Dense
from tests.edgernn.tasks.reference_data import splits_of
from tests.golden import GOLDEN

MODEL = GOLDEN / "trained" / "digits_gru.keras"
#: Half a step, and what the fit of a scale is off.
MOST_OFF = 0.51
OPTIONS = ("--to", "tflite", "--scheme", "int8", "--no-verify")


@pytest.fixture(scope="module")
def rows() -> Any:
    return splits_of("digits").calibration.x[:32]


@pytest.fixture
def calibration(rows: Any, tmp_path: Path) -> Path:
    np.savez(tmp_path / "rows.npz", x=rows)
    return tmp_path / "rows.npz"


def steps_off(folder: Path) -> npt.NDArray[np.float64]:
    """How far the weights of each class in the last layer are from the model's, in steps."""
    (path,) = folder.glob("*.tflite")
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    dense = next(one for one in read_model(MODEL).graph.layers if isinstance(one, Dense))
    wanted = np.asarray(dense.kernel).T  # [classes, units], as TFLite has them
    (found,) = [
        one
        for one in interpreter.get_tensor_details()
        if one["dtype"] is np.int8 and tuple(one["shape"]) == wanted.shape
    ]
    integers = interpreter.get_tensor(found["index"]).astype(np.float64)
    # The scale is in another operator of the file: here it is the one that fits best.
    about = (wanted * integers).sum(axis=1) / (integers**2).sum(axis=1)
    scales = about[:, None] * np.linspace(0.99, 1.01, 2001)  # [classes, tries]
    off = np.abs(integers[:, None] - wanted[:, None] / scales[..., None])
    return np.asarray(off.max(axis=2).min(axis=1))


def test_nearest_rounds_each_weight_by_itself(edgernn, calibration, tmp_path) -> None:
    ran = edgernn(
        *("export", MODEL, *OPTIONS, "--calibrate", calibration),
        *("--rounding", "nearest", "-o", tmp_path / "out"),
    )
    assert ran.code == 0, ran.err
    assert steps_off(tmp_path / "out").max() <= MOST_OFF


def test_without_the_option_errors_make_up_for_each_other(edgernn, calibration, tmp_path) -> None:
    options = ("export", MODEL, *OPTIONS, "--calibrate", calibration)
    assert edgernn(*options, "-o", tmp_path / "plain").code == 0
    assert steps_off(tmp_path / "plain").max() > 1.2 * MOST_OFF
    named = ("--rounding", "compensated", "-o", tmp_path / "named")
    assert edgernn(*options, *named).code == 0
    (plain,), (given,) = ((tmp_path / one).glob("*.tflite") for one in ("plain", "named"))
    assert plain.read_bytes() == given.read_bytes()


def test_python_rounds_as_the_command_does(edgernn, rows, calibration, tmp_path) -> None:
    made = package.load(MODEL).export(
        tmp_path / "python", to="tflite", scheme="int8", calibrate=rows, rounding="nearest",
        verify=False,
    )  # fmt: skip
    ran = edgernn(
        *("export", MODEL, *OPTIONS, "--calibrate", calibration, "--rounding", "nearest"),
        *("-o", tmp_path / "command"),
    )
    assert ran.code == 0, ran.err
    assert (
        made["tflite"].path.read_bytes()
        == next((tmp_path / "command").glob("*.tflite")).read_bytes()
    )


@pytest.mark.parametrize("saved", ["nearest", "compensated"])
def test_each_export_from_saved_ranges_has_its_own_rounding(
    edgernn, calibration, tmp_path, saved
) -> None:
    """The file of ranges has what both need, however it was made."""
    ranges = ("--ranges", tmp_path / "ranges.json")
    first = ("--calibrate", calibration, "--rounding", saved, *ranges)
    assert edgernn("export", MODEL, *OPTIONS, *first, "-o", tmp_path / "a").code == 0
    for rounding in ("nearest", "compensated"):
        out = tmp_path / rounding
        ran = edgernn("export", MODEL, *OPTIONS, *ranges, "--rounding", rounding, "-o", out)
        assert ran.code == 0, ran.err
        assert (steps_off(out).max() <= MOST_OFF) == (rounding == "nearest")


def test_a_rounding_that_nobody_knows_is_refused(edgernn, tmp_path) -> None:
    ran = edgernn("export", MODEL, "--rounding", "up", "-o", tmp_path / "out")
    assert ran.code == errors.WrongOption.code
    assert "up" in ran.err
    with pytest.raises(errors.WrongOption, match=r"rounding. cannot be 'up'.*compensated, nearest"):
        package.load(MODEL).export(tmp_path / "out", scheme="int8", rounding="up")


@pytest.mark.parametrize("scheme", ["float32", "float16", "dynamic"])
def test_without_int8_the_option_would_change_nothing(scheme, tmp_path) -> None:
    with pytest.raises(
        errors.WrongOption, match=r"nearest .rounding. changes nothing without int8"
    ):
        package.load(MODEL).export(tmp_path / "out", scheme=scheme, rounding="nearest")
    assert not (tmp_path / "out").exists()
