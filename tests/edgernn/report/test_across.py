"""What a report says about one artefact on several devices."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgernn.devices.fake import FakeModel
from edgernn.profile.measure import Plan
from edgernn.profile.report import Report
from edgernn.profile.rows import rows_of
from edgernn.profile.storage import as_json, read_report
from edgernn.report.across import sentences_across
from edgernn.report.columns import named, shown_columns
from edgernn.report.html import as_html
from edgernn.report.sentences import sentences
from tests.edgernn.report import reports

ITEMS = [reports.item("gru", "onnx", 1000), reports.item("lstm", "onnx", 1300)]
SENSORS = {
    "/sys/class/thermal/thermal_zone0/temp": "48312\n",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
    "vcgencmd get_throttled": "throttled=0x0\n",
}
HOTTER = {
    **SENSORS,
    "/sys/class/thermal/thermal_zone0/temp": "61000\n",
    "vcgencmd get_throttled": "throttled=0x40000\n",
}


def on(tmp_path, name, *, wrong_rows, report=None, plan=None, **script) -> Report:
    """Measured on one device; each model is wrong from its row on."""
    models = {
        one.file: FakeModel(hot_ms=[[1.0] * 200], compute=reports.wrong_from(row), **script)
        for one, row in zip(ITEMS, wrong_rows, strict=True)
    }
    return reports.measured(
        tmp_path, models=models, items=ITEMS, name=name, report=report, plan=plan or Plan()
    )


def test_answers_that_differ_between_devices_are_counted(tmp_path):
    here = on(tmp_path, "cpu", wrong_rows=(990, 990))
    report = on(tmp_path, "pi", wrong_rows=(990, 983), report=here)
    assert list(sentences_across(report)) == [
        "lstm.onnx answers 7 of 1,000 rows differently on pi than on cpu.",
        "gru.onnx answers all 1,000 rows on pi as on cpu.",
    ]


def test_one_device_has_nobody_to_differ_from(tmp_path):
    assert list(sentences_across(on(tmp_path, "cpu", wrong_rows=(990, 990)))) == []


def test_the_table_tells_heat_clock_and_throttling_before_and_after(tmp_path):
    report = on(tmp_path, "pi", wrong_rows=(990, 990), before=SENSORS, after=HOTTER)
    rows = rows_of(report)
    shown = {named(c, rows): c.text(rows[0]) for c in shown_columns(rows)}
    assert shown["°C"] == "48 → 61"
    assert shown["MHz"] == "1500"
    assert shown["throttled"] == "0x0 → 0x40000"
    assert shown["note"] == "unstable: throttled meanwhile"
    assert (rows[0].governor, rows[0].throttle_word_after) == ("performance", 0x40000)


def emulated(report: Report) -> Report:
    (target,) = report.targets
    played = replace(target, identity=replace(target.identity, emulated="qemu-user"))
    return report.with_target(played)


def test_every_figure_of_an_emulators_machine_is_stamped(tmp_path):
    plan = Plan(period_ms=10.0)
    report = emulated(on(tmp_path, "pi", wrong_rows=(990, 990), plan=plan))
    rows = rows_of(report)
    shown = {named(c, rows): c.text(rows[0]) for c in shown_columns(rows)}
    stamped = {title for title, text in shown.items() if text.endswith(" emulated")}
    assert stamped == {
        *("load ms", "first ms", "p50 ms", "p95 ms", "p99 ms", "paced p50 ms"),
        *("paced p95 ms", "paced p99 ms", "missed", "duty", "peak RSS", "model RSS"),
    }
    assert shown["accuracy"] == "99.0 %"


def test_nobody_is_called_faster_on_an_emulator(tmp_path):
    report = emulated(on(tmp_path, "pi", wrong_rows=(990, 990)))
    assert not [said for said in sentences(report) if "fast" in said or "× as long" in said]
    assert "<h2>Latency" not in as_html(report)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (
            1.0,
            "took 1.00 × [1.00, 1.00] as long: differences below 1.0 % are within the noise here.",
        ),
        (1.2, "the difference is noise"),
    ],
)
def test_a_noise_check_says_what_cannot_be_told_apart(tmp_path, second, said):
    a, b = [1.0] * 200, [second] * 200
    times = [*[a] * 5, a, b, b, a, a, b, b, a, a, b]  # the series begin a round in turn
    models = {one.file: FakeModel(hot_ms=times) for one in ITEMS}
    report = reports.measured(
        tmp_path, models=models, items=ITEMS, plan=Plan(check_noise=True), samples=None, name="cpu"
    )
    (sentence,) = [one for one in sentences(report) if one.startswith("Two series of gru.onnx")]
    assert said in sentence
    (tmp_path / "r.json").write_text(as_json(report))
    assert read_report(tmp_path / "r.json") == report


def test_executed_instructions_are_shown_and_compared_within_a_format_only(tmp_path):
    marker = {"/etc/edgernn-emulated": "qemu-user\ncounter: /opt/count\n"}
    models = {
        "gru.onnx": FakeModel(before=marker, instructions=(800_000, 799_000, 801_000)),
        "lstm.onnx": FakeModel(before=marker, instructions=(1_000_000,) * 3),
    }
    report = reports.measured(tmp_path, models=models, items=ITEMS, samples=None, name="pi")
    assert [cell.instructions for cell in report.cells][1] == (1_000_000,) * 3
    assert not any(cell.runs or cell.memory for cell in report.cells)
    rows = rows_of(report)
    shown = {named(c, rows): c.text(rows[0]) for c in shown_columns(rows)}
    assert shown["instructions"] == "0.800 M"
    said = "On pi a call of gru executes 0.80 × the instructions of lstm (onnx float32)."
    assert said in sentences(report)
