"""The same artefact on several devices."""

from __future__ import annotations

from edgernn.devices.fake import FakeModel
from edgernn.profile.answers import compared_answers
from tests.edgernn.report import reports

ITEMS = [reports.item("gru", "onnx", 1000), reports.item("lstm", "onnx", 1300)]


def on(folder, name, *, wrong_rows, report=None):
    """Measured on one device; each model is wrong from its row on."""
    models = {
        one.file: FakeModel(compute=reports.wrong_from(row))
        for one, row in zip(ITEMS, wrong_rows, strict=True)
    }
    return reports.measured(folder, models=models, items=ITEMS, name=name, report=report)


def test_rows_that_are_answered_differently_are_counted_against_the_first_device(tmp_path):
    report = on(tmp_path, "cpu", wrong_rows=(990, 990))
    report = on(tmp_path, "pi", wrong_rows=(990, 983), report=report)
    report = on(tmp_path, "phone", wrong_rows=(991, 983), report=report)
    found = {
        (one.file, one.device): (one.first_device, one.differing)
        for one in compared_answers(report)
    }
    assert found == {
        ("gru.onnx", "pi"): ("cpu", 0),
        ("gru.onnx", "phone"): ("cpu", 1),
        ("lstm.onnx", "pi"): ("cpu", 7),
        ("lstm.onnx", "phone"): ("cpu", 7),
    }
    assert {one.rows for one in compared_answers(report)} == {reports.ROWS}


def test_one_device_is_compared_with_none(tmp_path):
    assert compared_answers(on(tmp_path, "cpu", wrong_rows=(990, 990))) == ()
