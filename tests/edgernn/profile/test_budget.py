"""A budget: what is kept, exceeded, and what cannot be judged."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgernn.devices.fake import FakeModel
from edgernn.devices.runners.outcome import Failed, Skipped
from edgernn.errors import DataError
from edgernn.profile.alarms import Alarms, Tally
from edgernn.profile.budget import Limit, Verdict, checked, exceeded, for_devices, read_budget
from edgernn.profile.measure import Plan
from edgernn.report.junit import as_junit
from edgernn.scoring.metric import METRICS
from tests.edgernn.report import reports

QUIET = {"hot_ms": [[1.0, 1.01] * 100], "compute": reports.wrong_from(990)}


@pytest.fixture
def report(tmp_path):
    items = [reports.item("gru", "onnx", 1000)]
    models = {one.file: FakeModel(**QUIET) for one in items}
    return reports.measured(
        tmp_path, models=models, items=items, plan=Plan(), samples=reports.SAMPLES
    )


def written(tmp_path, text):
    path = tmp_path / "budget.toml"
    path.write_text(text, errors="surrogateescape")
    return path


def verdicts(report, tmp_path, text):
    checks = checked(report, read_budget(written(tmp_path, text)))
    return {check.limit: check.verdict for check in checks}


def test_limits_are_kept_up_to_their_bound_and_exceeded_beyond(report, tmp_path):
    kept = verdicts(report, tmp_path, "[every]\nfile_bytes = 1000\np95_ms = 1.01")
    assert set(kept.values()) == {Verdict.KEPT}
    over = verdicts(report, tmp_path, "[every]\nfile_bytes = 999\np95_ms = 1.0")
    assert set(over.values()) == {Verdict.EXCEEDED}


def test_a_devices_own_limit_goes_before_that_of_every_device(report, tmp_path):
    text = "[every]\nfile_bytes = 1\n[desk]\nfile_bytes = 1000"
    assert verdicts(report, tmp_path, text) == {Limit.FILE_BYTES: Verdict.KEPT}


def test_what_was_not_measured_is_skipped(report, tmp_path):
    text = "[every]\npaced_p95_ms = 1\ndeadlines_missed = 0"
    assert set(verdicts(report, tmp_path, text).values()) == {Verdict.SKIPPED}


def test_an_artefact_that_fails_exceeds_and_one_that_cannot_be_tried_is_skipped(report, tmp_path):
    (cell,) = report.cells
    text = "[every]\nfile_bytes = 1000"
    failed = replace(report, cells=(replace(cell, outcome=Failed(reason="crashed")),))
    assert verdicts(failed, tmp_path, text) == {Limit.FILE_BYTES: Verdict.EXCEEDED}
    skipped = replace(report, cells=(replace(cell, outcome=Skipped(reason="no runtime")),))
    assert verdicts(skipped, tmp_path, text) == {Limit.FILE_BYTES: Verdict.SKIPPED}


def test_times_of_a_disturbed_machine_neither_pass_nor_fail_but_sizes_do(tmp_path):
    items = [reports.item("gru", "onnx", 1000)]
    throttled = {"vcgencmd get_throttled": "throttled=0x4\n"}
    report = reports.measured(
        tmp_path,
        models={one.file: FakeModel(**QUIET, after=throttled) for one in items},
        items=items,
        plan=Plan(),
        samples=reports.SAMPLES,
    )
    text = "[every]\np95_ms = 0.001\nfile_bytes = 1"
    assert verdicts(report, tmp_path, text) == {
        Limit.P95_MS: Verdict.SKIPPED,
        Limit.FILE_BYTES: Verdict.EXCEEDED,
    }


@pytest.mark.parametrize("limit", ["p95_ms", "deadlines_missed", "peak_rss_bytes"])
def test_an_emulated_target_neither_keeps_nor_exceeds_a_limit_of_the_machine(
    report, tmp_path, limit
):
    (target,) = report.targets
    identity = replace(target.identity, emulated="qemu-user")
    emulated = replace(report, targets=(replace(target, identity=identity),))
    assert emulated.cells[0].runs  # as --allow-emulated-timing leaves them
    (check,) = checked(emulated, read_budget(written(tmp_path, f"[every]\n{limit} = 1")))
    assert check.verdict is Verdict.SKIPPED
    assert "is not valid on an emulated device" in check.sentence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[every]\np95 = 1", "Did you mean 'p95_ms'"),
        ("p95_ms = 1", "outside of a table"),
        ('[every]\np95_ms = "1"', "must be a number"),
        ("[every]\np95_ms = nan", "must be a number"),
        ("[every]\np95_ms = true", "must be a number"),
        ("[every", "cannot read the budget"),
        ("", "limits nothing"),
        ("[every]\nagreement = 99", "is 99; .* Write a share: 0.99"),
        ("[every]\nagreement = 0", "is 0; a limit that can be kept and exceeded is"),
        ("[every]\naccuracy_drop = 5", "is 5; .* Write a share: 0.99"),
        ("[every]\nagreement = inf", "must be a number"),
        (f"[every]\nfile_bytes = 1{'0' * 400}", "must be a number"),
        ("[every]\nfile_bytes = 0.5", "is between 1 and 1e\\+15"),
        ("[every]\np95_ms = 0", "is 0; a limit that can be kept"),
        ("[every]\np95_ms = 1e300", "is 1e\\+300; a limit that can be kept"),
        ("[every]\nx = " + "[" * 100_000, "cannot read the budget"),
        ("[every]\nfile_bytes = 1\n# \udcff", "is not UTF-8"),
    ],
)
def test_a_budget_that_is_not_understood_is_refused(tmp_path, text, said):
    with pytest.raises(DataError, match=said):
        read_budget(written(tmp_path, text))


def test_a_pipe_or_a_device_is_no_budget(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(DataError, match="not a file"):
            read_budget(path)


def test_a_device_that_is_not_to_be_measured_is_refused(tmp_path):
    budget = read_budget(written(tmp_path, "[kitchne]\np95_ms = 1"))
    with pytest.raises(DataError, match="limits kitchne, which is not among the devices: kitchen"):
        for_devices(budget, {"pi": "kitchen"})


def test_a_device_is_limited_by_what_device_says_or_by_its_name(tmp_path):
    budget = read_budget(written(tmp_path, "[every]\np95_ms = 3\n[pi]\np95_ms = 1"))
    every, by_name = {Limit.P95_MS: 3.0}, {Limit.P95_MS: 1.0}
    assert for_devices(budget, {"pi": "kitchen"}) == {"every": every, "kitchen": by_name}
    budget = read_budget(written(tmp_path, "[kitchen]\np95_ms = 1"))
    assert for_devices(budget, {"pi": "kitchen", "cpu": "cpu"}) == {"kitchen": by_name}


def test_junit_is_xml_whatever_a_device_says():
    document = as_junit((), {"pi": "\x1b[31mConnection refused\x1b[0m \x07"})
    (error,) = ET.fromstring(document.encode()).iter("error")
    assert "Connection refused" in str(error.get("message"))


def test_junit_counts_and_names_what_was_exceeded_and_skipped(report, tmp_path):
    text = "[every]\nfile_bytes = 999\np95_ms = 5\ndeadlines_missed = 0"
    checks = checked(report, read_budget(written(tmp_path, text)))
    suite = ET.fromstring(as_junit(checks).encode())[0]
    assert [suite.get(key) for key in ("tests", "failures", "skipped")] == ["3", "1", "1"]
    (failure,) = suite.iter("failure")
    assert "file_bytes is 1000, allowed is at most 999" in str(failure.get("message"))
    assert len(exceeded(checks)) == 1


def quantized(tmp_path, *, wrong_from, samples=reports.SAMPLES, computes=reports.wrong_from):
    """A float32 artefact, which is right up to row 990, and an int8 artefact of the same model."""
    items = [
        reports.item("gru", "onnx", 1000),
        reports.item("gru", "onnx", 500, file="gru.int8.onnx", scheme="int8", sha256="q"),
    ]
    models = {
        "gru.onnx": FakeModel(**{**QUIET, "compute": computes(990)}),
        "gru.int8.onnx": FakeModel(**{**QUIET, "compute": computes(wrong_from)}),
    }
    return reports.measured(tmp_path, models=models, items=items, samples=samples)


def drops(report, tmp_path, bound, limit="accuracy_drop"):
    checks = checked(report, read_budget(written(tmp_path, f"[every]\n{limit} = {bound}")))
    return {check.file: check for check in checks}


@pytest.mark.parametrize(
    ("wrong_from", "drop", "verdict"),
    [(970, 0.02, Verdict.EXCEEDED), (985, 0.005, Verdict.KEPT), (1000, -0.01, Verdict.KEPT)],
    ids=["worse", "a little worse", "better"],
)
def test_the_drop_in_accuracy_is_how_much_worse_the_artefact_is(
    tmp_path, wrong_from, drop, verdict
):
    found = drops(quantized(tmp_path, wrong_from=wrong_from), tmp_path, 0.01)
    assert found["gru.int8.onnx"].value == pytest.approx(drop)
    assert found["gru.int8.onnx"].verdict is verdict
    assert found["gru.onnx"].verdict is Verdict.SKIPPED  # there is nothing to compare it with


@pytest.mark.parametrize(
    ("offset", "drop", "verdict"),
    [(0.3, 2.0, Verdict.EXCEEDED), (0.0, -1.0, Verdict.KEPT)],
    ids=["worse", "better"],
)
def test_an_error_rises_by_a_share_of_itself(tmp_path, offset, drop, verdict):
    numbers = replace(reports.SAMPLES, y=np.zeros(reports.ROWS, np.float32), baselines=None)
    report = quantized(
        tmp_path,
        wrong_from=offset,
        samples=numbers,
        computes=lambda size: lambda _: {"y": np.full((1, 1), 0.1 if size == 990 else size)},
    )
    found = drops(report, tmp_path, 0.1, "mae_rise")["gru.int8.onnx"]
    assert found.value == pytest.approx(drop, abs=1e-6)
    assert found.verdict is verdict
    misfit = drops(report, tmp_path, 0.1, "accuracy_drop")["gru.int8.onnx"]
    assert misfit.verdict is Verdict.SKIPPED
    assert "does not fit digits:test, which allows mae_rise, rmse_rise, r2_drop" in misfit.sentence


def test_every_metric_can_be_limited():
    assert {metric.limit for metric in METRICS.values()} < {limit.value for limit in Limit}


@pytest.mark.parametrize(("bound", "verdict"), [(0.98, Verdict.KEPT), (0.981, Verdict.EXCEEDED)])
def test_agreement_is_a_minimum(tmp_path, bound, verdict):
    report = quantized(tmp_path, wrong_from=970)
    checks = checked(report, read_budget(written(tmp_path, f"[every]\nagreement = {bound}")))
    (check,) = (check for check in checks if check.file == "gru.int8.onnx")
    assert check.verdict is verdict
    assert f"agreement is 0.98, allowed is at least {bound:g}" in check.sentence


def test_false_alarms_and_misses_are_those_of_the_recordings_that_test(report, tmp_path):
    tally = Tally(hours=0.5, events=20, missed=1, false_alarms=2)
    alarms = Alarms(
        file="gru.onnx",
        sha256="gruonnx",
        recordings="kitchen",
        wanted_per_hour=1.0,
        threshold=0.8,
        smooth=3,
        pause_s=1.0,
        background=(),
        validation=replace(tally, missed=20, false_alarms=0),
        test=tally,
    )
    heard = replace(report, alarms=(alarms,))
    kept = "[every]\nfalse_alarms_per_hour = 4\nmiss_rate = 0.05"
    assert set(verdicts(heard, tmp_path, kept).values()) == {Verdict.KEPT}
    over = "[every]\nfalse_alarms_per_hour = 3.9\nmiss_rate = 0.049"
    assert set(verdicts(heard, tmp_path, over).values()) == {Verdict.EXCEEDED}
    other = replace(report, alarms=(replace(alarms, sha256="another"),))
    assert set(verdicts(other, tmp_path, over).values()) == {Verdict.SKIPPED}
    checks = checked(report, read_budget(written(tmp_path, over)))
    assert all("it needs --stream" in check.sentence for check in checks)
