"""`edgernn export --scheme int8`: what it prints, and what bad input gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgernn import errors
from edgernn.artefact import read_manifest
from edgernn.export.keras.file import read_model
from edgernn.scheme import Scheme
from tests.golden import GOLDEN

SMALL = GOLDEN / "small_gru.keras"  # [8, 4] -> 3 classes


@pytest.fixture
def data(tmp_path: Path) -> Callable[..., Path]:
    """Writes an .npz of samples; keywords are arrays in it."""

    def write(**arrays: Any) -> Path:
        np.savez(tmp_path / "samples.npz", **arrays)
        return tmp_path / "samples.npz"

    return write


def features(rows: int = 40, width: int = 4) -> Any:
    return np.random.default_rng(0).normal(size=(rows, 8, width)).astype(np.float32)


def with_bad_number(bad: float) -> Any:
    x = features()
    x[17, 3, 2] = bad
    return x


@pytest.mark.parametrize(
    ("arrays", "options", "error", "says"),
    [
        (None, [], errors.CalibrationError, "--calibrate"),
        ({"x": features(width=7)}, [], errors.DataError, "7"),
        ({"x": np.zeros((40, 8), np.int32)}, [], errors.DataError, "x"),
        ({"x": features(rows=3)}, [], errors.CalibrationError, "3 samples are too few"),
        ({"x": features(rows=0)}, [], errors.DataError, ""),
        ({"x": np.zeros((40, 8, 4))}, [], errors.CalibrationError, "never change in input"),
        ({"x": with_bad_number(np.nan)}, [], errors.DataError, "17"),
        ({"x": with_bad_number(np.inf)}, [], errors.DataError, "17"),
        ({"x": features()}, ["--keep-float", "grou"], errors.WrongOption, "mean 'gru'?"),
        ({"x": features()}, ["--scheme", "grou=float32"], errors.WrongOption, "mean 'gru'?"),
        ({"x": features()}, ["--max-drop", "0.5"], errors.DataError, "has no labels"),
    ],
    ids=[
        *("no data", "another model's", "tokens", "too few", "none", "all zero", "nan", "infinity"),
        *("unknown layer to keep", "unknown layer with a scheme", "a drop without labels"),
    ],
)
def test_bad_input_is_one_line_an_exit_code_and_no_file(
    edgernn, data, tmp_path, arrays, options, error, says
):
    calibrate = [] if arrays is None else ["--calibrate", data(**arrays)]
    ran = edgernn("export", SMALL, "-o", tmp_path / "out", "--scheme", "int8", *calibrate, *options)
    assert ran.code == error.code, ran.err
    assert says in ran.err
    assert ran.err.startswith("edgernn: ")
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_ranges_of_another_model_are_refused(edgernn, data, tmp_path):
    ranges = tmp_path / "ranges.json"
    calibrate = ["--calibrate", data(x=features()), "--ranges", ranges]
    scheme = ["--scheme", "int8", "--to", "native"]
    assert edgernn("export", SMALL, "-o", tmp_path / "a", *scheme, *calibrate).code == 0
    assert edgernn("export", SMALL, "-o", tmp_path / "b", *scheme, "--ranges", ranges).code == 0
    other = GOLDEN / "trained" / "digits_gru.keras"
    ran = edgernn("export", other, "-o", tmp_path / "c", *scheme, "--ranges", ranges)
    assert ran.code == errors.CalibrationError.code
    assert "another model" in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("constant", [0.0, 1.5])
def test_features_that_never_change_are_warned_of_and_exported(edgernn, data, tmp_path, constant):
    x = features()
    x[..., 1] = constant
    ran = edgernn("export", SMALL, "-o", tmp_path, "--scheme", "int8", "--calibrate", data(x=x))
    assert ran.code == 0, ran.err
    assert "never changes in the calibration data" in ran.err


def test_a_layer_without_bound_computes_in_float_and_is_named(edgernn, data, tmp_path):
    """gelu has no integer form here, as relu has none."""
    model = GOLDEN / "gelu_gru.keras"
    ran = edgernn(
        *("export", model, "-o", tmp_path, "--scheme", "int8", "--calibrate", data(x=features()))
    )
    assert ran.code == 0, ran.err
    assert "layer 'odd_gru' computes in float32: its activation is gelu, not tanh" in ran.out


def test_the_table_tells_accuracy_noise_and_what_stays_in_float(edgernn, data, tmp_path):
    x = features(200)
    samples = data(x=x, y=np.random.default_rng(1).integers(0, 3, len(x)))
    options = ["--scheme", "int8", "--calibrate", samples, "--data", samples, "--to", "native"]
    whole = edgernn("export", SMALL, "-o", tmp_path, *options)
    assert "No drop is statistically significant" in whole.out
    assert "gru (Gru)" in whole.out
    assert "costs most" in whole.out
    kept = edgernn("export", SMALL, "-o", tmp_path, *options, "--keep-float", "gru")
    assert "In float32: gru." in kept.out
    assert "gru (Gru)" not in kept.out


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": features(width=7), "y": np.zeros(40, int)}, "does not fit small_gru.keras"),
        (
            {"x": features(), "y": np.array(["cat"] * 40)},
            "the names of the classes of small_gru.keras are",
        ),
        ({"x": features(), "y": np.full(40, 3)}, "is of class 3"),
        ({"x": features()}, "has no labels"),
    ],
    ids=["another model's", "unknown names", "a class too many", "no labels"],
)
def test_data_that_cannot_tell_the_accuracy_stop_an_export_before_it_changes_a_file(
    edgernn, data, tmp_path, arrays, says
):
    out = tmp_path / "out"
    assert edgernn("export", SMALL, "-o", out, "--no-verify", "--labels", "a,b,c").code == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    labels = [] if "cat" in str(arrays.get("y")) else ["--labels", "d,e,f"]
    ran = edgernn("export", SMALL, "-o", out, "--no-verify", "--data", data(**arrays), *labels)
    assert ran.code == errors.DataError.code
    assert says in ran.err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--keep-float", "gru"], "--keep-float (keep_float) changes nothing in a float32 export"),
        (["--calibrate", "DATA"], "--calibrate (calibrate) changes nothing in a float32 export"),
        (
            ["--ranges", "r.json"],
            "--ranges (ranges) without --calibrate is read by an int8 export only",
        ),
    ],
)
def test_an_option_that_would_change_nothing_is_wrong_usage(edgernn, data, tmp_path, options, says):
    samples = str(data(x=features()))
    given = [samples if option == "DATA" else option for option in options]
    ran = edgernn("export", SMALL, "-o", tmp_path / "out", *given)
    assert ran.code == 2
    assert says in ran.err
    assert not (tmp_path / "out").exists()


def test_a_model_of_which_every_layer_stays_in_float_is_not_called_int8(edgernn, data, tmp_path):
    options = ["--scheme", "int8", "--calibrate", data(x=features())]
    read = read_model(SMALL).graph
    layers = [layer.name for layer in read.layers if layer.weights]
    keep = [argument for name in layers for argument in ("--keep-float", name)]
    part = edgernn("export", SMALL, "-o", tmp_path, *options, *keep[:2])
    assert part.code == 0
    assert all("the same file in float32" in line for line in part.err.splitlines())
    assert {artefact.scheme for artefact in read_manifest(tmp_path)} == {Scheme.INT8}
    ran = edgernn("export", SMALL, "-o", tmp_path / "float", *options, *keep)
    assert ran.code == 0, ran.err
    found = read_manifest(tmp_path / "float")
    assert {artefact.name for artefact in found} == {
        "small_gru.onnx",
        "small_gru.tflite",
        "small_gru.ernn",
    }
    assert {artefact.scheme for artefact in found} == {Scheme.FLOAT32}
    assert "max error" in ran.out
    assert "no layer is left that is int8: these are float32 models" in ran.err


def test_one_layer_of_fewer_bits_names_the_file_and_is_checked_as_such(edgernn, tmp_path):
    ran = edgernn("export", SMALL, "-o", tmp_path, "--scheme", "gru=dynamic")
    assert ran.code == 0, ran.err
    assert (tmp_path / "small_gru.dynamic.onnx").exists()
    assert {artefact.scheme for artefact in read_manifest(tmp_path)} == {Scheme.DYNAMIC}


def test_a_file_that_keeps_its_states_says_what_a_program_must_call(edgernn, tmp_path) -> None:
    ran = edgernn(
        *("export", GOLDEN / "trained" / "counter_lstm.keras", "-o", tmp_path, "--to", "tflite"),
        *("--scheme", "int8", "--calibrate", "counter:calibration"),
        *("--tflite-profile", "integer-only"),
    )
    assert ran.code == 0, ran.err
    rule = "takes one row a call and keeps its states: call reset_all_variables before each row"
    assert rule in " ".join(ran.err.split())
