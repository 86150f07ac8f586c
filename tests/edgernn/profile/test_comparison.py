"""Verdicts about speed among many files."""

from __future__ import annotations

from edgernn.devices.fake import FakeModel
from edgernn.profile.comparison import between_formats
from tests.edgernn.report import reports


def test_what_is_significant_alone_is_not_among_many_files(tmp_path):
    """Of 21 pairs, one in a hundred is no surprise (Holm)."""
    schemes = ["float32", "float16", "dynamic", "int8"]
    names = [(backend, scheme) for backend in ("onnx", "tflite") for scheme in schemes][:7]
    fast, slow = [1.0, 1.03, 0.97, 1.015, 0.985], [1.0185 * x for x in (1.01, 1.03, 0.98, 1, 0.99)]

    def significant(files: int) -> bool:
        items = [
            reports.item(
                "gru", backend, 1000 + number, file=f"gru.{scheme}.{backend}", scheme=scheme,
                sha256=f"{number}",
            )
            for number, (backend, scheme) in enumerate(names[:files])
        ]  # fmt: skip
        models = {
            one.file: FakeModel(hot_ms=[[ms] for ms in (slow if number else fast)])
            for number, one in enumerate(items)
        }
        folder = tmp_path / str(files)
        folder.mkdir()
        report = reports.measured(folder, items=items, models=models, samples=None)
        (ranking,) = between_formats(report)
        return any(ratio.significant for _, ratio in ranking.others)

    assert significant(2)
    assert not significant(7)
