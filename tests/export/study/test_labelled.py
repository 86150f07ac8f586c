"""What counts as a loss beside the float model."""

from __future__ import annotations

import pytest

from edgernn.export.study.labelled import Accuracy
from edgernn.report.quantized import accuracy_text
from edgernn.scoring.truth import Score
from edgernn.stats import Difference, Interval


def forecast(loss: float) -> Accuracy:
    """A mean absolute error of 100 that was `loss` lower in float, on every row alike."""
    score = Score(metric="MAE", value=100.0 + loss, interval=Interval(95.0, 105.0), rows=500)
    drop = Difference(estimate=-loss, interval=Interval(-1.1 * loss, -0.9 * loss), p_value=None)
    return Accuracy(name="m.onnx", score=score, drop=drop)


@pytest.mark.parametrize(("loss", "lost"), [(1e-6, False), (0.04, False), (0.06, True)])
def test_a_loss_that_no_table_shows_is_none_however_certain(loss, lost):
    row = forecast(loss)
    assert row.drop is not None
    assert row.drop.significant
    assert row.lost is lost


def test_a_loss_that_rounds_to_zero_has_no_sign():
    text = accuracy_text([forecast(1e-6), forecast(-1e-6)])
    assert text.count("0.0 % [0.0, 0.0]") == 2
    assert "-0.0" not in text
    assert "No drop is statistically significant" in text


def test_points_that_round_to_zero_have_no_sign():
    score = Score(metric="accuracy", value=0.9, interval=Interval(0.88, 0.92), rows=900)
    drop = Difference(estimate=1e-5, interval=Interval(-1e-5, 2e-5), p_value=None)
    text = accuracy_text([Accuracy(name="m.onnx", score=score, drop=drop)])
    assert "0.0 points [0.0, 0.0]" in text
    assert "-0.0" not in text
