"""The Python front door: from a file to a checked report, without deep imports."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgernn
from edgernn.devices import open_device
from edgernn.devices.device import Choices, Device
from edgernn.errors import DataError, DeviceError, WrongOption
from tests.pages import blocks

MODEL = Path(__file__).parents[1] / "golden/trained/digits_gru.keras"
LABELS = [str(digit) for digit in range(10)]
QUICK: dict[str, Any] = {"processes": 1, "min_time_ms": 1, "warm_up_ms": 1}


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(0)
    return random.normal(size=(40, 40, 13)).astype(np.float32), random.integers(0, 10, 40)


@pytest.fixture(scope="module")
def made(rows, tmp_path_factory):
    model = edgernn.load(str(MODEL))
    out = tmp_path_factory.mktemp("made")
    return model.export(
        out, to=["tflite", "native"], scheme="int8", calibrate=rows[0], labels=LABELS
    )


@pytest.fixture(scope="module")
def report(made, rows):
    return made.profile(device="cpu", data=rows, **QUICK)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_script_of_the_page_runs(tmp_path, monkeypatch, capsys):
    keras = pytest.importorskip("keras")
    (script,) = (code for code in blocks("python.md", "python") if "edgernn.load(" in code)
    monkeypatch.chdir(tmp_path)
    layers = [keras.Input((20, 3)), keras.layers.GRU(4), keras.layers.Dense(2)]
    keras.Sequential(layers).save("gru.keras")
    random = np.random.default_rng(0)
    x, x_test = random.normal(size=(2, 300, 20, 3)).astype(np.float32)
    names = {"x": x, "x_test": x_test, "y_test": random.integers(0, 2, 300)}
    exec(script, names)
    assert {"report.html", "report.json", "out"} < {path.name for path in tmp_path.iterdir()}
    assert "gru.int8.ernn" in capsys.readouterr().out
    assert names["native"](x).shape == (300, 2)


def test_a_loaded_model_shows_its_layers_and_shapes():
    model = edgernn.load(MODEL)
    assert model.inputs == {"features": (None, 40, 13)}
    assert model.parameters == 4868
    for text in (str(model), model._repr_html_()):
        assert "gru_1" in text
        assert "4,512" in text


def test_made_files_are_found_by_format_by_scheme_and_by_name(made):
    assert list(made) == ["digits_gru.int8.tflite", "digits_gru.int8.ernn"]
    assert made["native"].path == made.folder / "digits_gru.int8.ernn"
    assert made["native", "int8"] == made["native"] == made["digits_gru.int8.ernn"]
    assert made["native"].bytes == made["native"].path.stat().st_size
    with pytest.raises(KeyError, match="the files are"):
        made["onnx"]


def test_a_format_in_several_schemes_needs_the_scheme(tmp_path):
    made = edgernn.load(MODEL).export(tmp_path, to="native", scheme=["float32", "float16"])
    assert [file.scheme for file in made.values()] == ["float32", "float16"]
    with pytest.raises(KeyError, match=r"write \[format, scheme\]"):
        made["native"]
    assert made["native", "float16"].bytes < made["native", "float32"].bytes


def test_a_report_has_rows_sentences_and_files(report, tmp_path):
    assert [row.backend for row in report.rows] == ["tflite", "native"]
    assert all(0 <= row.score <= 1 for row in report.rows)
    assert "digits_gru" in str(report)
    assert "<table>" in report._repr_html_()
    report.write(tmp_path / "report.html", str(tmp_path / "report.json"))
    assert json.loads((tmp_path / "report.json").read_text())["format"] == "edgernn-report"
    assert str(edgernn.Report.read(tmp_path / "report.json")) == str(report)


def test_a_report_is_not_half_written_where_a_suffix_is_unknown(report, tmp_path):
    with pytest.raises(WrongOption, match="End its name in"):
        report.write(tmp_path / "report.html", tmp_path / "report.docx")
    assert not list(tmp_path.iterdir())


def test_a_budget_is_kept_or_exceeded(report):
    assert report.check({"file_bytes": 1_000_000}).kept
    exceeded = report.check({"cpu": {"file_bytes": 1}})
    assert not exceeded.kept
    assert len(exceeded.exceeded) == 2
    assert "file_bytes" in str(exceeded)
    with pytest.raises(DataError, match="cannot be limited"):
        report.check({"file_byte": 1})
    with pytest.raises(DataError, match="Write a share"):
        report.check({"agreement": 99})


def test_a_budget_of_which_nothing_could_be_checked_is_not_kept_unless_that_is_allowed(report):
    vain = report.check({"paced_p95_ms": 5})
    assert (vain.kept, vain.exceeded) == (False, ())
    assert str(vain).endswith("nothing of the budget could be checked")
    assert report.check({"paced_p95_ms": 5}, allow_skipped=True).kept
    assert report.check({"paced_p95_ms": 5, "file_bytes": 1_000_000}).kept


def test_a_budget_names_devices_as_they_were_given(made):
    report = edgernn.measure(made.folder, device="fake:desk", **QUICK)
    assert {row.device for row in report.rows} == {"desk"}
    for name in ("desk", "fake:desk"):
        assert len(report.check({name: {"file_bytes": 1}}).exceeded) == 2
    with pytest.raises(DataError, match="which is not among the devices: desk"):
        report.check({"fake:other": {"file_bytes": 1}})


def test_profile_of_made_files_takes_what_measure_takes():
    method = inspect.signature(edgernn.Made.profile)
    function = inspect.signature(edgernn.measure)
    _, *options = method.parameters.values()
    _, *known = function.parameters.values()
    assert options == known
    for option in known:
        assert option.name in (edgernn.measure.__doc__ or "")


def test_profile_of_made_files_passes_its_options_on(made):
    report = made.profile(device="fake", processes=3, min_time_ms=2, warm_up_ms=3, period_ms=20)
    plan = report.values.plan
    assert (plan.processes, plan.min_time_s, plan.warm_up_s) == (3, 0.002, 0.003)
    assert plan.period_ms == 20


def test_the_written_native_model_runs(made, rows):
    native = edgernn.Model(made["native"].path)
    assert native(rows[0]).shape == (40, 10)
    assert "features" in str(native)


def test_folders_and_several_paths_are_measured(made):
    report = edgernn.measure(made.folder, device="fake", **QUICK)
    assert len(report.rows) == 2
    single = edgernn.measure([made["native"].path], device=["fake:a", "fake:b"], **QUICK)
    assert [row.device for row in single.rows] == ["a", "b"]


def test_rows_that_do_not_belong_together_show_both_shapes(made, rows):
    with pytest.raises(DataError, match=r"x has shape \(40, 40, 13\) and y has shape \(39,\)"):
        made.profile(data=(rows[0], rows[1][:-1]), **QUICK)


def test_options_that_do_not_exist_are_refused_before_anything_is_written(tmp_path):
    model, out = edgernn.load(MODEL), tmp_path / "out"
    with pytest.raises(WrongOption, match="Did you mean 'int8'"):
        model.export(out, scheme="int9")
    with pytest.raises(WrongOption, match="tflight"):
        model.export(out, to="tflight")
    with pytest.raises(TypeError, match="did you mean tflite_profile"):
        model.export(out, tflite_profil="micro")
    with pytest.raises(WrongOption, match="changes nothing"):
        model.export(out, calibrate=np.zeros((2, 40, 13), np.float32))
    assert not out.exists()


def test_progress_is_reported_to_a_callback(tmp_path):
    phases: list[str] = []
    edgernn.load(MODEL).export(tmp_path, to="native", progress=phases.append)
    assert phases == ["reading", "writing native", "checking native"]


def test_devices_and_tasks_are_known():
    assert edgernn.known_devices()[0].name == "cpu"
    assert "digits" in [task.name for task in edgernn.known_tasks()]


def test_dir_and_help_show_the_interface():
    assert {"load", "measure", "Model", "Report", "known_devices"} <= set(dir(edgernn))
    for name in edgernn.__all__:
        assert getattr(edgernn, name).__doc__, name


def test_importing_edgernn_imports_nothing_heavy():
    code = "import sys, edgernn; print([m for m in ('numpy', 'onnx', 'click') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_device_that_is_not_there_shows_in_the_report_and_breaks_its_budget(made, monkeypatch):
    def open_or_lose(spec: str, choices: Choices) -> Device:
        if spec == "kitchen":
            raise DeviceError("there is no device 'kitchen'", remedy="Add it")
        return open_device(spec, choices)

    monkeypatch.setattr("edgernn.profile.pool.open_device", open_or_lose)
    report = edgernn.measure(made.folder, device=["fake", "kitchen"], **QUICK)
    assert "there is no device 'kitchen'" in str(report)
    checked = report.check({"file_bytes": 1_000_000})
    assert not checked.exceeded
    assert not checked.kept
    assert "not measured: kitchen" in str(checked)


@pytest.mark.parametrize(
    "wrong",
    [
        {"processes": 0},
        {"threads": 0},
        {"steps": 0},
        {"min_time_ms": -1},
        {"warm_up_ms": float("nan")},
        {"cool_down_s": float("inf")},
        {"period_ms": 0},
        {"device": []},
    ],
)
def test_a_measurement_that_cannot_be_made_is_refused_by_the_option(made, wrong):
    with pytest.raises(WrongOption, match=next(iter(wrong))):
        edgernn.measure(made.folder, **{**QUICK, "device": "fake", **wrong})


def test_no_paths_are_refused():
    with pytest.raises(WrongOption, match="paths is empty"):
        edgernn.measure([], device="fake")


def test_an_export_names_the_option_that_is_wrong(tmp_path):
    model, out = edgernn.load(MODEL), tmp_path / "out"
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"calibration": "entropy"}, "one of minmax, percentile, mse"),
        ({"keep_float": "gru_2"}, "no layer 'gru_2'. Did you mean 'gru_1'"),
        ({"scheme": ["int8", "gru_2=float32"]}, "no layer 'gru_2'. Did you mean 'gru_1'"),
        ({"max_drop": -1}, "max_drop. is -1"),
        ({"max_drop": float("nan")}, "max_drop. is nan"),
    ]
    for given, words in wrong:
        with pytest.raises(WrongOption, match=words):
            model.export(out, **{"scheme": "int8", "calibrate": "digits:calibration", **given})
    assert not out.exists()


def test_labels_may_be_numbers_and_calibration_data_may_have_the_name_of_the_input(tmp_path, rows):
    made = edgernn.load(MODEL).export(
        tmp_path, to="native", scheme="int8", calibrate={"features": rows[0]}, labels=range(10)
    )
    assert made.artefacts[0].labels == tuple(LABELS)


def test_a_report_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*r\.json"):
        edgernn.Report.read(tmp_path / "r.json")


def test_a_budget_takes_the_numbers_of_numpy(report):
    assert report.check({"file_bytes": np.int64(1_000_000)}).kept
    assert not report.check({"file_bytes": np.float32(1)}).kept
