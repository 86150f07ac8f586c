"""Which counts of executed instructions may be compared."""

from __future__ import annotations

import pytest

from edgernn.devices.fake import FakeModel
from edgernn.profile.instructions import compared_counts
from tests.edgernn.report import reports

MARKER = {"/etc/edgernn-emulated": "qemu-user\ncounter: /opt/count\n"}


def counted(folder, items, counts):
    models = {
        one.file: FakeModel(before=MARKER, instructions=(count,) * 3)
        for one, count in zip(items, counts, strict=True)
    }
    report = reports.measured(folder, models=models, items=items, samples=None, name="pi")
    return [
        (one.fewest.item.file, one.other.item.file, one.ratio) for one in compared_counts(report)
    ]


def test_the_model_with_the_fewest_is_compared_with_the_others(tmp_path):
    items = [reports.item(name, "onnx", 1000) for name in ("gru", "lstm", "big")]
    assert counted(tmp_path, items, (1_000_000, 800_000, 1_600_000)) == [
        ("lstm.onnx", "gru.onnx", pytest.approx(0.8)),
        ("lstm.onnx", "big.onnx", pytest.approx(0.5)),
    ]


def test_formats_schemes_and_files_of_one_model_are_not_compared(tmp_path):
    items = [
        reports.item("gru", "onnx", 1000),
        reports.item("lstm", "tflite", 1000),
        reports.item("big", "onnx", 1000, scheme="int8"),
        reports.item("gru", "onnx", 1000, file="again.onnx", sha256="other"),
    ]
    assert counted(tmp_path, items, (1_000, 2_000, 3_000, 4_000)) == []
