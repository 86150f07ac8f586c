"""`edgernn profile`: what it prints, writes and keeps."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from edgernn.cli.parameters import REPORT_SUFFIXES
from edgernn.cli.sinks import Sinks
from edgernn.errors import (
    BudgetExceeded,
    DataError,
    DeviceError,
    IncomparableRuns,
    MissingRuntime,
    ModelFileError,
    OutputError,
)
from edgernn.formats import FORMATS
from edgernn.interrupts import INTERRUPTED
from edgernn.profile import measure
from edgernn.profile import profiling as profile_module
from edgernn.profile.storage import read_report
from edgernn.report.formats import FORMATS as REPORT_FORMATS
from tests.devices import models

QUICK = ("--processes", "1", "--min-time", "1ms", "--warmup", "1ms")


@pytest.fixture
def folder(tmp_path):
    """Two models that a person can check by hand, and data on which one is right."""
    out = tmp_path / "out"
    out.mkdir()
    models.onnx_sum(out / "sum.onnx")
    models.tflite_sum(out / "sum.tflite")
    x = np.random.default_rng(0).normal(size=(40, 5, models.FEATURES)).astype(np.float32)
    y = models.expected(x).argmax(axis=1)
    y[:4] = 1 - y[:4]
    np.savez(tmp_path / "data.npz", x=x, y=y)
    return out


def test_artefacts_are_profiled_and_their_accuracy_is_measured(edgernn, folder, tmp_path):
    files = [tmp_path / name for name in ("r.json", "r.md", "r.csv", "r.html")]
    ran = edgernn(
        *("profile", folder, "--data", tmp_path / "data.npz", *QUICK),
        *("-o", files[0], "-o", files[1], "-o", files[2], "-o", files[3]),
    )
    assert ran.code == 0, ran.err
    assert "90.0 %" in ran.out
    assert "\x1b" not in ran.out + ran.err
    report = read_report(files[0])
    assert [cell.item.file for cell in report.cells] == ["sum.onnx", "sum.tflite"]
    assert len({cell.predictions for cell in report.cells}) == 1
    assert report.cells[0].shapes == (("x", (1, 5, models.FEATURES)),)
    assert "| sum | tflite |" in files[1].read_text()
    assert files[2].read_text().startswith("device,model,backend,")
    assert files[3].read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("suffix", REPORT_SUFFIXES)
def test_a_file_that_cannot_be_written_is_reported_before_anything_is_measured(
    edgernn, folder, tmp_path, monkeypatch, suffix
):
    monkeypatch.setattr("edgernn.profile.pool.profiled", lambda *_: pytest.fail("it was measured"))
    (tmp_path / "taken").write_text("a file, not a folder")
    (tmp_path / "budget.toml").write_text("[every]\nfile_bytes = 1000000\n")
    (tmp_path / f"folder{suffix}").mkdir()
    budget = ["--budget", tmp_path / "budget.toml"] if suffix == ".xml" else []
    for path in (tmp_path / "taken" / f"report{suffix}", tmp_path / f"folder{suffix}"):
        ran = edgernn("profile", folder, "--device", "fake", *QUICK, *budget, "-o", path)
        assert ran.code == OutputError.code
        assert f"cannot write {path}" in ran.err
        assert ran.out == ""


def test_standard_output_is_no_file(edgernn, folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    ran = edgernn("profile", folder, "--device", "fake", *QUICK, "-o", "-")
    assert ran.code == 2
    assert "--json prints the report" in ran.err
    assert not (tmp_path / "-").exists()


@pytest.mark.parametrize("option", ["--markdown", "--csv", "--html", "--junit"])
def test_an_option_of_earlier_versions_answers_with_its_new_spelling(edgernn, folder, option):
    ran = edgernn("profile", folder, option, "report.md")
    assert ran.code == 2
    assert f"{option} is now -o: write `-o report.md`" in ran.err


def test_a_file_after_json_is_told_the_new_spelling(edgernn, folder):
    ran = edgernn("profile", folder, "--json", "report.json")
    assert ran.code == 2
    assert "write `-o report.json` for a file" in ran.err


def test_the_help_and_a_wrong_suffix_list_the_report_formats(edgernn, folder):
    assert " ".join(REPORT_FORMATS) in " ".join(edgernn("profile", "--help").out.split())
    ran = edgernn("profile", folder, "-o", "report.pdf")
    assert ran.code == 2
    assert "'report.pdf' ends in none of .json, .html, .md, .csv, .xml" in ran.err


def test_wide_shows_what_the_default_table_leaves_out(edgernn, folder):
    narrow = edgernn("profile", folder, "--device", "fake", *QUICK).out
    wide = edgernn("profile", folder, "--device", "fake", *QUICK, "--wide").out
    assert max(map(len, narrow.splitlines())) <= 100
    assert "p99 ms" in wide
    assert "p99 ms" not in narrow


def test_a_file_that_cannot_be_written_in_the_end_does_not_cost_the_table(
    edgernn, folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(Sinks, "require_writable", lambda *_: None)
    (tmp_path / "taken").write_text("a file, not a folder")
    ran = edgernn(
        *("profile", folder, "--device", "fake", *QUICK),
        *("-o", tmp_path / "taken" / "r.md"),
    )
    assert ran.code == OutputError.code
    assert "sum.onnx" in ran.out
    assert "cannot write" in ran.err


def test_json_on_stdout_is_all_there_is_on_stdout(edgernn, folder):
    ran = edgernn("profile", folder / "sum.onnx", *QUICK, "--json")
    document = json.loads(ran.out)
    assert document["format"] == "edgernn-report"
    assert document["summary"][0]["file"] == "sum.onnx"


def test_the_fake_device_says_that_its_figures_are_made_up(edgernn, folder):
    ran = edgernn("profile", folder, "--device", "fake", *QUICK)
    assert ran.code == 0
    assert "made up" in ran.out


def test_every_option_can_be_set_in_the_environment(edgernn, folder, monkeypatch):
    for name, value in (("PROCESSES", "2"), ("MIN_TIME", "1ms"), ("DEVICE", "fake"), ("JSON", "1")):
        monkeypatch.setenv(f"EDGERNN_PROFILE_{name}", value)
    document = json.loads(edgernn("profile", folder).out)
    assert document["plan"]["processes"] == 2
    assert document["plan"]["min_time_s"] == 0.001
    assert {cell["device"] for cell in document["cells"]} == {"fake"}


def test_several_devices_share_one_table(edgernn, folder):
    ran = edgernn("profile", folder, "--device", "fake:a,fake:b", *QUICK)
    assert ran.code == 0
    assert "device" in ran.out.splitlines()[0]


def test_a_broken_file_is_one_row_and_not_the_end(edgernn, folder):
    (folder / "broken.tflite").write_bytes(b"\x00" * 100)
    ran = edgernn("profile", folder, *QUICK)
    assert ran.code == 0
    assert "broken.tflite: failed: litert:" in ran.out


def test_nothing_but_broken_files_is_an_error(edgernn, tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"\x00" * 100)
    ran = edgernn("profile", path, *QUICK)
    assert ran.code == DeviceError.code
    assert "nothing could be measured" in ran.err
    assert "broken.onnx: failed" in ran.out
    assert f"{ran.out}{ran.err}".count("INVALID_PROTOBUF") == 1  # the reason is given once
    assert "Traceback" not in ran.err


def test_a_runtime_that_is_not_there_is_skipped_and_alone_an_error(edgernn, folder, monkeypatch):
    monkeypatch.setitem(FORMATS, "onnx", replace(FORMATS["onnx"], runner=None))
    ran = edgernn("profile", folder, *QUICK)
    assert ran.code == 0
    assert "sum.onnx: skipped: no runner for onnx files" in ran.out
    ran = edgernn("profile", folder / "sum.onnx", *QUICK)
    assert ran.code == MissingRuntime.code
    assert "Install the runtime" in ran.err


def test_resume_measures_what_is_missing_and_nothing_else(edgernn, folder, tmp_path):
    path = tmp_path / "r.json"
    arguments = ("profile", folder, "-o", path, "--min-time", "1ms", "--warmup", "1ms")
    assert edgernn(*arguments, "--processes", "1").code == 0
    first = read_report(path)
    assert edgernn(*arguments, "--processes", "2", "--resume").code == 0
    second = read_report(path)
    for before, after in zip(first.cells, second.cells, strict=True):
        assert after.runs[:1] == before.runs
        assert len(after.runs) == 2
        assert after.memory == before.memory
    ran = edgernn(*arguments, "--processes", "2", "--resume", "--threads", "2")
    assert ran.code == IncomparableRuns.code
    assert read_report(path) == second


def test_resume_without_an_earlier_report_begins_one(edgernn, folder, tmp_path):
    path = tmp_path / "r.json"
    ran = edgernn("profile", folder, *QUICK, "--device", "fake", "-o", path, "--resume")
    assert ran.code == 0
    assert path.exists()


def test_resume_needs_a_file(edgernn, folder):
    ran = edgernn("profile", folder, "--resume")
    assert ran.code == 2
    assert "--resume needs -o FILE.json" in ran.err


def test_a_report_that_is_none_is_not_overwritten(edgernn, folder, tmp_path):
    path = tmp_path / "r.json"
    path.write_text("my diary")
    ran = edgernn("profile", folder, *QUICK, "-o", path, "--resume")
    assert ran.code == DataError.code
    assert path.read_text() == "my diary"


def test_what_was_measured_before_an_interruption_is_kept(edgernn, folder, tmp_path, monkeypatch):
    calls = []

    def third_is_interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return measure.measured(*arguments)

    monkeypatch.setattr(profile_module, "measured", third_is_interrupted)
    path = tmp_path / "r.json"
    arguments = ("profile", folder, "--device", "fake", "--processes", "2", "-o", path)
    ran = edgernn(*arguments)
    assert ran.code == INTERRUPTED
    assert "what was measured is kept" in ran.err
    assert "--resume" in ran.err
    assert [len(cell.runs) for cell in read_report(path).cells] == [1, 1]
    assert "Only 1 of 2 processes were measured" in ran.out
    assert edgernn(*arguments, "--resume").code == 0
    assert [len(cell.runs) for cell in read_report(path).cells] == [2, 2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_child_at_once_and_keeps_the_report(folder, tmp_path, number):
    path = tmp_path / "r.json"
    command = [sys.executable, "-m", "edgernn", "profile", str(folder / "sum.onnx")]
    process = subprocess.Popen(
        [*command, "--min-time", "10min", "-o", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (path.exists() and read_report(path).cells and read_report(path).cells[0].memory):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)  # far less than the ten minutes asked for
    assert process.returncode == INTERRUPTED
    assert "interrupted; what was measured is kept" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("out", "--data", "nothing.npz"), DataError.code, "nothing.npz"),
        (("out", "--device", "toaster"), DeviceError.code, "there is no device 'toaster'"),
        (("empty",), ModelFileError.code, "neither a model.json nor a model file"),
        (("missing",), 2, "There is no file or folder 'missing'"),
        (("out", "--period", "10"), 2, "write 10ms, 0.5s or 1min"),
        (("out", "--period", "0ms"), 2, "is not a time"),
        (("out", "--cpus", "3-1"), 2, "is not a list of CPUs"),
        (("out", "--processes", "0"), 2, "0 is not in the range"),
        (("out", "--cpus", "4095"), DeviceError.code, "CPUs 4095 were asked for; there are 0"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_wrong_use_is_one_clear_line(edgernn, tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    ran = edgernn("profile", *arguments)
    assert ran.code == code
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_data_of_another_shape_are_refused_before_anything_is_timed(edgernn, folder, tmp_path):
    x = np.zeros((4, 5, models.FEATURES + 1), np.float32)
    np.savez(tmp_path / "wide.npz", x=x, y=np.zeros(4, np.int64))
    ran = edgernn("profile", folder, "--data", tmp_path / "wide.npz")
    assert ran.code == DataError.code
    assert "does not fit sum.onnx" in ran.err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10ms", 0.01), ("0.5s", 0.5), (".5 s", 0.5), ("2min", 120), ("8h", 28_800), ("50us", 5e-5)],
)
def test_durations_are_read_with_their_unit(text, seconds):
    from edgernn.cli.parameters import Duration

    assert Duration().convert(text, None, None) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "cpus"), [("3", (3,)), ("0,2", (0, 2)), ("0-3", (0, 1, 2, 3)), ("1, 0-2", (1, 0, 2))]
)
def test_cpu_lists_are_read(text, cpus):
    from edgernn.cli.parameters import CpuList

    assert CpuList().convert(text, None, None) == cpus


@pytest.mark.parametrize(("limit", "code"), [(10_000_000, 0), (10, BudgetExceeded.code)])
def test_a_budget_decides_the_exit_code_and_junit_tells_why(edgernn, folder, tmp_path, limit, code):
    budget, junit = tmp_path / "budget.toml", tmp_path / "junit.xml"
    budget.write_text(f"[every]\nfile_bytes = {limit}\n")
    gate = ("--budget", budget, "-o", junit, "-o", tmp_path / "r.md")
    ran = edgernn("profile", folder, *QUICK, *gate)
    assert ran.code == code
    assert "sum.onnx on cpu: file_bytes is" in (tmp_path / "r.md").read_text()
    assert junit.read_text().count("<failure") == (2 if code else 0)
    assert ("exceeded: sum.onnx on cpu: file_bytes" in ran.err) == bool(code)


def test_a_budget_of_which_nothing_could_be_checked_fails_unless_that_is_allowed(
    edgernn, folder, tmp_path
):
    budget, junit = tmp_path / "budget.toml", tmp_path / "junit.xml"
    budget.write_text("[every]\npaced_p95_ms = 5\n")
    gate = ("--budget", budget, "-o", junit)
    ran = edgernn("profile", folder, *QUICK, *gate)
    assert ran.code == BudgetExceeded.code
    assert "nothing of the budget could be checked. The lines above say why" in ran.err
    assert junit.read_text().count("<error") == 1
    allowed = edgernn("profile", folder, *QUICK, *gate, "--allow-skipped")
    assert allowed.code == 0
    assert "nothing of the budget could be checked" in allowed.err
    assert junit.read_text().count("<error") == 0


def test_a_device_that_is_not_there_is_an_error_in_junit_and_the_others_are_checked(
    edgernn, folder, tmp_path
):
    budget, junit = tmp_path / "budget.toml", tmp_path / "junit.xml"
    budget.write_text("[every]\nfile_bytes = 10\n[toaster]\np95_ms = 1\n")
    gate = ("--budget", budget, "-o", junit)
    ran = edgernn("profile", folder, *QUICK, "--device", "toaster,fake", *gate)
    assert ran.code == DeviceError.code
    assert "exceeded: sum.onnx on fake: file_bytes" in ran.err
    assert "there is no device 'toaster'" in ran.err
    suite = ET.fromstring(junit.read_text())[0]
    assert (suite.get("errors"), suite.get("failures"), suite.get("tests")) == ("1", "2", "3")
    (error,) = suite.iter("error")
    assert "there is no device 'toaster'" in str(error.get("message"))


def test_a_misspelt_device_of_a_budget_is_told_before_measuring(edgernn, folder, tmp_path):
    (tmp_path / "budget.toml").write_text("[kitchne]\np95_ms = 1\n")
    ran = edgernn("profile", folder, *QUICK, "--budget", tmp_path / "budget.toml")
    assert ran.code == DataError.code
    assert "kitchne" in ran.err
    assert ran.out == ""


def test_two_reports_in_one_file_are_refused(edgernn, folder, tmp_path):
    same = tmp_path / "report.json"
    ran = edgernn("profile", folder, *QUICK, "-o", same, "-o", same)
    assert ran.code == OutputError.code
    assert not same.exists()


def test_junit_without_a_budget_is_wrong_usage(edgernn, folder, tmp_path):
    assert edgernn("profile", folder, *QUICK, "-o", tmp_path / "j.xml").code == 2
