"""Cells of models with several outputs: kept in a report, judged and limited output by output."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgernn.devices.fake import FakeModel
from edgernn.devices.runners.outcome import Failed
from edgernn.errors import DataError
from edgernn.profile.budget import Limit, Verdict, budget_of, checked
from edgernn.profile.rows import rows_of
from edgernn.profile.storage import as_json, read_report
from edgernn.scoring.metric import METRICS
from edgernn.tasks.samples import OtherOutput
from edgernn.tasks.target import Target
from tests.edgernn.report import reports

ROWS = reports.ROWS
SAMPLES = replace(
    reports.SAMPLES,
    output="y",
    baselines=None,
    others=(
        OtherOutput(output="load", y=np.zeros((ROWS, 1), np.float32), kind=Target.NUMBERS),
        OtherOutput(output="gas", y=np.zeros((ROWS, 1), np.float32), kind=Target.NUMBERS),
    ),
)


def says(wrong_from, load, gas):
    """A model whose classes are right up to a row, and whose numbers are off by so much."""

    def compute(case):
        outputs = reports.wrong_from(wrong_from)(case)
        return outputs | {"load": np.full((1, 1), load), "gas": np.full((1, 1), gas)}

    return FakeModel(compute=compute)


def measured(tmp_path, quantized, samples=SAMPLES):
    items = [
        reports.item("gru", "onnx", 1000),
        reports.item("gru", "onnx", 500, file="gru.int8.onnx", scheme="int8", sha256="q"),
    ]
    models = {"gru.onnx": says(990, 0.5, 0.2), "gru.int8.onnx": quantized}
    return reports.measured(tmp_path, models=models, items=items, samples=samples)


def test_a_row_has_the_scores_of_every_output_and_a_report_keeps_them(tmp_path):
    report = measured(tmp_path, says(980, 0.6, 0.2))
    found = {one.name: one.value for one in rows_of(report)[1].scores}
    assert found["accuracy of y"] == 0.98
    assert found["MAE of load"] == pytest.approx(0.6)
    assert found["MAE of gas"] == pytest.approx(0.2)
    (tmp_path / "report.json").write_text(as_json(report))
    again = read_report(tmp_path / "report.json")
    assert again.truth == report.truth
    assert rows_of(again) == rows_of(report)


def test_a_limit_is_that_of_the_output_that_loses_most(tmp_path):
    report = measured(tmp_path, says(990, 0.5, 0.25))
    budget = budget_of({"every": {"mae_rise": 0.2, "accuracy_drop": 0.0, "auc_drop": 0.1}})
    checks = {one.limit: one for one in checked(report, budget) if one.file == "gru.int8.onnx"}
    assert checks[Limit.MAE_RISE].value == pytest.approx(0.25)
    assert checks[Limit.MAE_RISE].verdict is Verdict.EXCEEDED
    assert checks[Limit.ACCURACY_DROP].verdict is Verdict.KEPT
    assert checks[Limit.AUC_DROP].verdict is Verdict.SKIPPED
    assert "allows accuracy_drop, f1_macro_drop, mae_rise" in checks[Limit.AUC_DROP].sentence


def test_an_output_that_is_not_a_number_fails_by_its_name(tmp_path):
    report = measured(tmp_path, says(990, np.nan, 0.2))
    outcome = report.cells[1].outcome
    assert isinstance(outcome, Failed)
    assert "output 'load' contains NaN" in outcome.reason


def test_an_auc_of_a_model_of_three_classes_is_refused_in_a_sentence(tmp_path):
    two = replace(reports.SAMPLES, y=np.arange(ROWS) % 2, baselines=None)
    three = FakeModel(compute=lambda _: {"y": np.array([[0.2, 0.3, 0.5]])})
    items = [reports.item("gru", "onnx", 1000)]
    report = reports.measured(tmp_path, models={"gru.onnx": three}, items=items, samples=two)
    assert {one.metric for one in rows_of(report)[0].scores} == {"accuracy", "F1 macro", "F1"}
    with pytest.raises(DataError, match="this model has another number of classes"):
        reports.measured(
            tmp_path, models={"gru.onnx": three}, items=items, samples=two, metric="auc"
        )
    assert METRICS["AUC"].key == "auc"


def test_the_first_output_is_the_models_whatever_order_a_file_has(tmp_path):
    """TFLite files have theirs in the order of the alphabet."""
    right, wrong = np.array([[0.9, 0.1]]), np.array([[0.1, 0.9]])
    models = {"gru.onnx": FakeModel(compute=lambda _: {"alpha": wrong, "zeta": right})}
    items = [reports.item("gru", "onnx", 1000)]
    named = reports.measured(tmp_path, models=models, items=items, outputs=("zeta", "alpha"))
    assert rows_of(named)[0].score == 1
    unnamed = reports.measured(tmp_path, models=models, items=items)
    assert rows_of(unnamed)[0].score == 0


def test_without_labels_every_output_is_compared_with_the_original(tmp_path):
    def says(load):
        rows = {"digit": np.array([[0.9, 0.1]])}
        # How far numbers are from others is said in how much those vary.
        return lambda case: rows | {"load": load + case["x"][:, 0]}

    items = [
        reports.item("gru", "onnx", 1000),
        reports.item("gru", "onnx", 500, file="gru.int8.onnx", scheme="int8", sha256="q"),
    ]
    models = {
        "gru.onnx": FakeModel(compute=says(0.0)),
        "gru.int8.onnx": FakeModel(compute=says(float(np.arange(ROWS).std()))),
    }
    bare = replace(reports.SAMPLES, y=None, baselines=None)
    report = reports.measured(
        tmp_path, models=models, items=items, samples=bare, outputs=("digit", "load")
    )
    row = rows_of(report)[1]
    assert row.scores == ()
    assert row.agreement == 1
    assert row.deviation == pytest.approx(1, rel=1e-3)
